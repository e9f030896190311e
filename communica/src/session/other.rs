//! What the peer said of itself in the handshake, and what follows from it.

use crate::wire::Feature;
use crate::wire::hello::About;

#[derive(Default)]
pub(super) struct Other {
    /// What it said on the latest link; `None` for one that speaks 0.4.
    about: Option<About>,
    /// Signs of life.
    heard: bool,
    said: bool,
    /// Beats without a sign of life of the peer.
    quiet: u32,
}

/// What to do at a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Fine,
    /// Nothing was sent since the last beat; now something is there.
    Say,
    /// Nothing was heard for all the time that is allowed.
    Gone,
}

/// Beats in the time of silence that is allowed.
pub(crate) const BEATS: u32 = 3;

impl Other {
    pub(super) fn greet(&mut self, about: Option<About>) {
        *self = Self { about, ..Self::default() };
    }

    pub(super) fn instance(&self) -> Option<&str> {
        self.about.as_ref().map(|about| about.instance.as_str())
    }

    pub(super) fn supports(&self, feature: Feature) -> bool {
        self.about.as_ref().is_some_and(|about| about.supports(feature))
    }

    /// Bytes of a payload that it accepts.
    pub(super) fn message_size(&self) -> usize {
        let size = self.about.as_ref().and_then(|about| about.message_size);
        size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The silence it bears, in milliseconds.
    pub(super) fn silence_ms(&self) -> Option<u64> {
        self.about.as_ref().filter(|about| about.supports(Feature::Heartbeat))?.silence_ms
    }

    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    pub(super) fn said(&mut self) {
        self.said = true;
    }

    pub(super) fn beat(&mut self) -> Beat {
        let (heard, said) = (std::mem::take(&mut self.heard), std::mem::take(&mut self.said));
        self.quiet = if heard { 0 } else { self.quiet + 1 };
        if self.quiet >= BEATS {
            Beat::Gone
        } else if said {
            Beat::Fine
        } else {
            Beat::Say
        }
    }
}
