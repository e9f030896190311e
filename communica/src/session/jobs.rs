//! Incoming requests and throws: in the order they came, so many at a time.

use std::collections::{HashSet, VecDeque};

use crate::lean;
use crate::limits::Quota;
use crate::wire::{Kind, Message};

/// Handed out at once, so that one lock serves many messages.
const AT_ONCE: usize = 32;
/// Handlers that wait for the peer themselves do not count, or two sides that call each other back would wait for
/// each other for ever. At so many times the limit they do.
const NESTED: usize = 16;
/// Bytes of an id that can be cancelled; ours have less than half of it.
const MAX_ID: usize = 128;
/// A payload up to this is copied out of the buffer it was read into, when it has to wait.
const COPY_LIMIT: usize = 16 * 1024;

pub(crate) struct Jobs {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    running: usize,
    /// Bytes of their messages, which they may still hold.
    running_bytes: usize,
    limit: usize,
    limit_bytes: usize,
    /// Somebody is starting handlers; a second one would mix up their order.
    starting: bool,
    /// Ids of requests that were given up while something waited or was being started, perhaps they themselves.
    cancelled: HashSet<String>,
}

impl Jobs {
    pub(super) fn new(limit: usize, limit_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            running: 0,
            running_bytes: 0,
            limit,
            limit_bytes,
            starting: false,
            cancelled: HashSet::new(),
        }
    }

    pub(super) fn push(&mut self, mut message: Message) {
        let waits = self.running + self.waiting.len() >= self.limit;
        if waits && message.payload.len() <= COPY_LIMIT {
            // It may wait for long, and would keep the whole buffer it was read into.
            message = message.detached();
        }
        self.waiting_bytes += size(&message);
        lean::push(&mut self.waiting, message);
    }

    /// `mine`: the caller is who starts handlers. It gets that place when it is free and something may start, and
    /// gives it back by asking when nothing more may. `calling`: calls to the peer that wait for their answer.
    pub(super) fn start(&mut self, mine: &mut bool, calling: usize, into: &mut Vec<Message>) {
        if self.starting && !*mine {
            return;
        }
        let room = self.startable(calling);
        for mut message in self.waiting.drain(..room) {
            let bytes = size(&message);
            self.waiting_bytes -= bytes;
            self.running_bytes += bytes;
            message.metadata.set_size(bytes);
            into.push(message);
        }
        self.running += room;
        self.starting = room > 0;
        *mine = room > 0;
        if !self.starting && self.waiting.is_empty() {
            self.cancelled.clear();
        }
    }

    /// Nobody waits for the answer to this request, which may be about to start.
    pub(super) fn cancel(&mut self, id: String) {
        let may_be_here = self.starting || !self.waiting.is_empty();
        if !may_be_here || id.len() > MAX_ID {
            return;
        }
        if self.cancelled.len() >= self.waiting.len() + AT_ONCE {
            if self.starting {
                // Some may be about those that are being started.
                return;
            }
            // Most crossed their answers, and are about nothing any more.
            let mut cancelled = std::mem::take(&mut self.cancelled);
            let waiting = self.waiting.iter().filter_map(|message| cancelled.take(&*message.metadata.id()));
            self.cancelled = waiting.collect();
        }
        self.cancelled.insert(id);
    }

    #[cfg(test)]
    pub(super) fn cancelled_count(&self) -> usize {
        self.cancelled.len()
    }

    /// The request was given up before it was started. Tells it once.
    pub(super) fn was_cancelled(&mut self, id: &str) -> bool {
        !self.cancelled.is_empty() && self.cancelled.remove(id)
    }

    /// Nobody waits for answers any more; throws are still handled.
    pub(super) fn forget_requests(&mut self) {
        self.waiting.retain(|message| message.metadata.kind() != Kind::Request);
        self.waiting_bytes = self.waiting.iter().map(size).sum();
    }

    /// Somebody else handles what waits here.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Nothing may start; whose place it is gives it back.
    pub(super) fn start_none(&mut self, mine: &mut bool) {
        if std::mem::take(mine) {
            self.starting = false;
        }
    }

    /// Nobody starts what may start now.
    pub(super) fn may_start(&self, calling: usize) -> bool {
        !self.starting && self.startable(calling) > 0
    }

    /// How many of those that wait may start now.
    fn startable(&self, calling: usize) -> usize {
        let factor = if calling == 0 { 1 } else { NESTED };
        let limit = self.limit_bytes.saturating_mul(factor);
        let mut bytes = self.running_bytes;
        let fit = self.waiting.iter().take(self.room(calling).min(AT_ONCE)).take_while(|message| {
            // One that is larger than all that may run is handled alone.
            let alone = bytes == 0;
            bytes = bytes.saturating_add(size(message));
            alone || bytes <= limit
        });
        fit.count()
    }

    fn room(&self, calling: usize) -> usize {
        let limit = self.limit.saturating_add(calling).min(self.limit.saturating_mul(NESTED));
        limit.saturating_sub(self.running)
    }

    /// So many handlers wait for the peer that more of them would not help anybody. Where all of them may do so and hold so
    /// many bytes that this message would not start, it may be what one of them waits for.
    pub(super) fn is_overfull(&self, message: &Message, calling: usize) -> bool {
        let all_may_wait = self.running > 0 && calling >= self.running;
        let bytes = self.running_bytes.saturating_add(self.waiting_bytes).saturating_add(size(message));
        self.running >= self.limit.saturating_mul(NESTED)
            || all_may_wait && bytes > self.limit_bytes.saturating_mul(NESTED)
    }

    pub(super) fn nothing_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// `bytes`: of their messages.
    pub(super) fn done(&mut self, count: usize, bytes: usize) {
        self.running -= count;
        self.running_bytes -= bytes;
    }

    /// These were not started after all; the last one stands first.
    pub(super) fn give_back(&mut self, rest: &mut Vec<Message>, mine: &mut bool) {
        self.wait(rest);
        self.start_none(mine);
    }

    /// The same, and the place of who starts them is kept.
    pub(super) fn wait(&mut self, rest: &mut Vec<Message>) {
        for message in rest.drain(..) {
            self.done(1, size(&message));
            self.waiting_bytes += size(&message);
            self.waiting.push_front(message);
        }
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
