//! What came from the peer, counted, and when to tell it.

use crate::limits::Quota;

/// The peer is told after so many messages, or so many bytes, unless it can keep fewer.
const TELL_AFTER: Quota = Quota { messages: 64, bytes: 1 << 20 };

pub(super) struct Heard {
    /// Messages of the peer's session.
    count: u64,
    /// How many of them it was told of.
    told: u64,
    bytes: usize,
    tell_after: Quota,
    /// Tell it, though it is not much.
    now: bool,
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { count: 0, told: 0, bytes: 0, tell_after: TELL_AFTER, now: false }
    }

    /// A message came.
    pub(super) fn note(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A new link, whose peer knows the count and keeps so much at most.
    pub(super) fn link_up(&mut self, keeps: Option<(u64, u64)>) {
        let (messages, bytes) = keeps.map_or((usize::MAX, usize::MAX), |(messages, bytes)| {
            (usize::try_from(messages).unwrap_or(usize::MAX), usize::try_from(bytes).unwrap_or(usize::MAX))
        });
        self.tell_after = Quota {
            messages: (messages / 4).clamp(1, TELL_AFTER.messages),
            bytes: (bytes / 4).clamp(1, TELL_AFTER.bytes),
        };
        self.was_told();
    }

    /// Tell it with what goes out next.
    pub(super) fn tell(&mut self) {
        self.now = true;
    }

    /// The link ends: tell what it does not know yet.
    pub(super) fn tell_rest(&mut self) {
        self.now |= self.count > self.told;
    }

    pub(super) fn must_tell(&self) -> bool {
        self.now
    }

    /// So much came that it is worth telling.
    pub(super) fn is_due(&self) -> bool {
        let since = usize::try_from(self.count - self.told).unwrap_or(usize::MAX);
        self.tell_after.is_met_by(since, self.bytes)
    }

    pub(super) fn was_told(&mut self) {
        (self.told, self.bytes, self.now) = (self.count, 0, false);
    }

    /// Another session begins.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }
}
