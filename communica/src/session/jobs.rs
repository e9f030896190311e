//! Incoming requests and throws: in the order they came, so many at a time.

use std::collections::{BTreeSet, VecDeque};

use crate::lean::Spares;
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

thread_local! {
    static SPARES: Spares<Message> = const { Spares::new() };
}

pub(crate) struct Jobs {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    /// The first so many are nothing that a handler waits for: they came when no call waited, or are throws.
    not_awaited: usize,
    running: usize,
    /// How many ran and do so no more.
    ended: u64,
    /// Bytes of their messages, which they may still hold.
    running_bytes: usize,
    limit: usize,
    limit_bytes: usize,
    /// Somebody is starting handlers; a second one would mix up their order.
    starting: bool,
    /// Of those that are being started.
    forgotten: Forgotten,
    /// Throws that were forgotten, since somebody asked.
    throws_dropped: usize,
    /// Ids of requests that were given up while something waited or was being started, perhaps they themselves.
    cancelled: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Forgotten {
    Nothing,
    Requests,
    Everything,
}

impl Jobs {
    pub(super) fn new(limit: usize, limit_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            not_awaited: 0,
            running: 0,
            ended: 0,
            running_bytes: 0,
            limit,
            limit_bytes,
            starting: false,
            forgotten: Forgotten::Nothing,
            throws_dropped: 0,
            cancelled: BTreeSet::new(),
        }
    }

    /// `calling`: calls to the peer that wait for their answer.
    pub(super) fn push(&mut self, message: &mut Message, calling: usize) {
        let waits = self.running + self.waiting.len() >= self.limit;
        if waits && message.payload.len() <= COPY_LIMIT {
            // It may wait for long, and would keep the whole buffer it was read into.
            message.detach();
        }
        let bytes = size_of_new(message);
        message.metadata.set_size(bytes);
        self.waiting_bytes += bytes;
        // At the end of a thread there is none.
        let _ = SPARES.try_with(|spares| spares.lend(&mut self.waiting));
        self.waiting.push_back(message.take());
        if calling == 0 {
            self.not_awaited = self.waiting.len();
        }
    }

    /// `mine`: the caller is who starts handlers. It gets that place when it is free and something may start, and
    /// gives it back by asking when nothing more may. `calling`: as in [`push`](Self::push).
    pub(super) fn start(&mut self, mine: &mut bool, calling: usize, into: &mut VecDeque<Message>) {
        if self.starting && !*mine {
            return;
        }
        self.forgotten = Forgotten::Nothing;
        let room = self.startable(calling);
        let bytes = self.waiting.iter().take(room).map(size).sum::<usize>();
        self.waiting_bytes -= bytes;
        self.running_bytes += bytes;
        if room == self.waiting.len() {
            into.append(&mut self.waiting);
            let _ = SPARES.try_with(|spares| spares.take_back(&mut self.waiting));
        } else {
            into.extend(self.waiting.drain(..room));
        }
        self.not_awaited = self.not_awaited.saturating_sub(room);
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
        // Twice, or where all that waits was given up each few more would be a reason to look through all of it.
        if self.cancelled.len() >= 2 * self.waiting.len() + AT_ONCE {
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
        self.cancelled.remove(id)
    }

    /// The same; its id is read only if any was.
    pub(super) fn request_was_cancelled(&mut self, request: &Message) -> bool {
        !self.cancelled.is_empty() && self.was_cancelled(&request.metadata.id())
    }

    /// Nobody waits for answers any more; throws are still handled.
    pub(super) fn forget_requests(&mut self) {
        self.forget_started(Forgotten::Requests);
        self.waiting.retain(|message| !is_request(message));
        self.waiting_bytes = self.waiting.iter().map(size).sum();
        self.not_awaited = self.waiting.len();
    }

    /// The same, and which they were that waited.
    pub(super) fn take_requests(&mut self) -> Vec<Message> {
        let waiting = std::mem::take(&mut self.waiting);
        let (requests, throws) = waiting.into_iter().partition::<Vec<_>, _>(is_request);
        self.waiting = throws.into();
        self.forget_requests();
        requests
    }

    pub(super) fn take_throws_dropped(&mut self) -> usize {
        std::mem::take(&mut self.throws_dropped)
    }

    /// Somebody else handles what waits here.
    pub(super) fn forget_waiting(&mut self) {
        self.forget_started(Forgotten::Everything);
        self.throws_dropped += self.waiting.iter().filter(|message| !is_request(message)).count();
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.not_awaited = 0;
    }

    fn forget_started(&mut self, forgotten: Forgotten) {
        if self.starting {
            self.forgotten = self.forgotten.max(forgotten);
        }
    }

    /// The request that is being started was forgotten meanwhile.
    pub(super) fn forgot_requests(&self) -> bool {
        self.forgotten >= Forgotten::Requests
    }

    /// Takes out what was forgotten since it was handed out to be started.
    pub(super) fn drop_forgotten(&mut self, rest: &mut VecDeque<Message>) {
        let forgotten = self.forgotten;
        if forgotten == Forgotten::Nothing {
            return;
        }
        rest.retain(|message| {
            let stays = forgotten == Forgotten::Requests && !is_request(message);
            if !stays {
                self.throws_dropped += usize::from(!is_request(message));
                self.done(1, message.metadata.size());
            }
            stays
        });
    }

    /// Nothing may start; whose place it is gives it back.
    pub(super) fn start_none(&mut self, mine: &mut bool) {
        if std::mem::take(mine) {
            self.starting = false;
            self.forgotten = Forgotten::Nothing;
        }
    }

    /// Nobody starts what may start now, or refuses what never will.
    pub(super) fn may_start(&self, calling: usize, unread: bool) -> bool {
        !self.starting && (self.startable(calling) > 0 || self.holds_up(calling, unread))
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

    /// A request waits for handlers to end that may all wait for the peer, and so for this very request. When it came,
    /// that could not be known: another one ran, which is done since, or waits too. One that came before all calls that wait
    /// is no part of what they led to. `unread`: so much waits that no answers are read, so that all of it holds them up.
    fn holds_up(&self, calling: usize, unread: bool) -> bool {
        // At the limit of handlers what comes is refused, and so one of them ends; unless nothing is read.
        let nothing_starts = self.startable(calling) == 0 && (unread || self.room(calling) > 0);
        let mut awaited = self.waiting.iter().skip(self.first_awaited(unread));
        self.all_may_wait(calling) && nothing_starts && awaited.any(is_request)
    }

    fn first_awaited(&self, unread: bool) -> usize {
        if unread { 0 } else { self.not_awaited }
    }

    /// All from the first of those requests on, for [`next_held_up`](Self::next_held_up) and then [`keep`](Self::keep).
    pub(super) fn take_held_up(&mut self, calling: usize, unread: bool) -> VecDeque<Message> {
        if self.starting || !self.holds_up(calling, unread) {
            return VecDeque::new();
        }
        self.waiting.split_off(self.first_awaited(unread))
    }

    /// The first request among these; throws before it wait on.
    pub(super) fn next_held_up(&mut self, held_up: &mut VecDeque<Message>) -> Option<Message> {
        while let Some(message) = held_up.pop_front() {
            if is_request(&message) {
                // All before it are back in their places.
                self.not_awaited -= usize::from(self.waiting.len() < self.not_awaited);
                self.waiting_bytes -= size(&message);
                return Some(message);
            }
            self.waiting.push_back(message);
            self.not_awaited = self.not_awaited.max(self.waiting.len());
        }
        None
    }

    /// These wait on.
    pub(super) fn keep(&mut self, mut held_up: VecDeque<Message>) {
        self.waiting.append(&mut held_up);
    }

    fn all_may_wait(&self, calling: usize) -> bool {
        self.running > 0 && calling >= self.running
    }

    /// So many handlers wait for the peer that more of them would not help anybody. Where all of them may do so and hold so
    /// many bytes that this message would not start, it may be what one of them waits for.
    pub(super) fn is_overfull(&self, message: &Message, calling: usize) -> bool {
        let bytes =
            self.running_bytes.saturating_add(self.waiting_bytes).saturating_add(size_of_new(message));
        self.running >= self.limit.saturating_mul(NESTED)
            || self.all_may_wait(calling) && bytes > self.limit_bytes.saturating_mul(NESTED)
    }

    pub(super) fn none_runs(&self) -> bool {
        self.running == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn nothing_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// `bytes`: of their messages.
    pub(super) fn done(&mut self, count: usize, bytes: usize) {
        self.running -= count;
        self.running_bytes -= bytes;
        self.ended += count as u64;
    }

    /// Messages that wait for handlers to end; and how many ended so far.
    pub(super) fn held_back(&self, calling: usize) -> (usize, u64) {
        let waits = self.running > 0 && self.startable(calling) == 0;
        (if waits { self.waiting.len() } else { 0 }, self.ended)
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// These were not started after all.
    pub(super) fn give_back(&mut self, rest: &mut VecDeque<Message>, mine: &mut bool) {
        self.wait(rest);
        self.start_none(mine);
    }

    /// The same, and the place of who starts them is kept.
    pub(super) fn wait(&mut self, rest: &mut VecDeque<Message>) {
        self.drop_forgotten(rest);
        for message in rest.drain(..).rev() {
            self.done(1, size(&message));
            self.waiting_bytes += size(&message);
            self.waiting.push_front(message);
            // What stood before some of those came before all calls, too.
            self.not_awaited += usize::from(self.not_awaited > 0);
        }
    }

    pub(super) fn meets(&self, quota: Quota) -> bool {
        quota.is_met_by(self.waiting.len(), self.waiting_bytes)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

fn is_request(message: &Message) -> bool {
    message.metadata.kind() == Kind::Request
}

fn size_of_new(message: &Message) -> usize {
    message.metadata.as_bytes().len() + message.payload.len()
}

/// Of one that was noted here.
fn size(message: &Message) -> usize {
    message.metadata.size()
}
