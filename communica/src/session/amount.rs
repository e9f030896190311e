//! Messages and their bytes in, whether they meet a quota out.

use crate::limits::Quota;

#[derive(Clone, Copy, Default)]
pub(super) struct Amount {
    messages: usize,
    bytes: usize,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.take_many(1, bytes);
    }

    pub(super) fn add_many(&mut self, messages: u64, bytes: usize) {
        self.messages += usize::try_from(messages).unwrap_or(usize::MAX);
        self.bytes += bytes;
    }

    pub(super) fn take_many(&mut self, messages: u64, bytes: usize) {
        self.messages = self.messages.saturating_sub(usize::try_from(messages).unwrap_or(usize::MAX));
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn as_pair(self) -> (u64, usize) {
        (self.messages as u64, self.bytes)
    }

    pub(super) fn messages(self) -> usize {
        self.messages
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.messages = self.messages.saturating_sub(other.messages);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    /// What is more than that.
    pub(super) fn beyond(self, quota: Quota) -> Self {
        Self {
            messages: self.messages.saturating_sub(quota.messages),
            bytes: self.bytes.saturating_sub(quota.bytes),
        }
    }

    pub(super) fn meets(self, quota: Quota) -> bool {
        quota.is_met_by(self.messages, self.bytes)
    }
}
