//! What the peer said of itself in the handshake, and what follows from it.

use std::time::Duration;

use crate::wire::Feature;
use crate::wire::hello::About;

/// Only what matters: a peer may say much.
#[derive(Default)]
pub(super) struct Other {
    /// `None` for one that speaks 0.4.
    instance: Option<String>,
    /// What it announced, in the order of [`Feature::ALL`].
    features: [bool; Feature::ALL.len()],
    silence_ms: Option<u64>,
    message_size: Option<u64>,
    /// It gave a sign of life since the last beat.
    heard: bool,
    /// Beats without a sign of life of the peer.
    quiet: u32,
}

/// What to do at a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// The peer is told that this side lives.
    Say,
    /// Nothing was heard for all the time that is allowed.
    Gone,
}

/// Beats in the time of silence that is allowed. The last sign of life may have come just after a beat, so one less
/// without any are the time.
pub(crate) const BEATS: u32 = 4;

impl Other {
    pub(super) fn greet(&mut self, about: Option<&About>) {
        *self = about.map_or_else(Self::default, |about| Self {
            instance: Some(about.instance.clone()),
            features: Feature::ALL.map(|feature| about.supports(feature)),
            silence_ms: about.silence_ms,
            message_size: about.message_size,
            ..Self::default()
        });
    }

    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    pub(super) fn supports(&self, feature: Feature) -> bool {
        Feature::ALL.iter().zip(self.features).any(|(known, said)| *known == feature && said)
    }

    /// Bytes of a payload that it accepts.
    pub(super) fn message_size(&self) -> usize {
        self.message_size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The silence it bears, if it gives signs of life itself.
    pub(super) fn silence_time(&self) -> Option<Duration> {
        self.silence_ms.filter(|_| self.supports(Feature::Heartbeat)).map(Duration::from_millis)
    }

    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    pub(super) fn beat(&mut self) -> Beat {
        let heard = std::mem::take(&mut self.heard);
        self.quiet = if heard { 0 } else { self.quiet + 1 };
        if self.quiet >= BEATS - 1 { Beat::Gone } else { Beat::Say }
    }
}
