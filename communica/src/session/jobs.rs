//! Incoming requests and throws: in the order they came, so many at a time.

use std::collections::VecDeque;

use crate::limits::Quota;
use crate::wire::Message;

/// Handed out at once, so that one lock serves many messages.
const AT_ONCE: usize = 32;

pub(crate) struct Jobs {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    running: usize,
    limit: usize,
    /// Somebody is starting handlers; a second one would mix up their order.
    starting: bool,
}

impl Jobs {
    pub(super) fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), waiting_bytes: 0, running: 0, limit, starting: false }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.waiting_bytes += size(&message);
        self.waiting.push_back(message);
    }

    /// `mine`: the caller is who starts handlers. It gets that place when it is free and something may start, and
    /// gives it back by asking when nothing more may.
    pub(super) fn start(&mut self, mine: &mut bool, into: &mut Vec<Message>) {
        if self.starting && !*mine {
            return;
        }
        let room = self.limit.saturating_sub(self.running).min(AT_ONCE).min(self.waiting.len());
        self.waiting_bytes -= self.waiting.iter().take(room).map(size).sum::<usize>();
        into.extend(self.waiting.drain(..room));
        self.running += room;
        self.starting = room > 0;
        *mine = room > 0;
    }

    pub(super) fn done(&mut self, count: usize) {
        self.running -= count;
    }

    pub(super) fn meets(&self, quota: Quota) -> bool {
        quota.is_met_by(self.waiting.len(), self.waiting_bytes)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

fn size(message: &Message) -> usize {
    message.metadata.as_bytes().len() + message.payload.len()
}
