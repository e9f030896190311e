//! The session ends, or the peer that it was with is gone: the reason in, whose calls ended out.

use super::Session;
use super::calls::CallEnd;
use crate::error::{Error, Reason};

impl<W: Clone> Session<W> {
    /// Calls that were sent, and that must not be repeated, end.
    pub(super) fn end_sent(&mut self, reason: &Reason) -> Vec<W> {
        let (unsent, outbox) = (self.outbox.never_sent(), &self.outbox);
        let is_sent = |seq| !unsent.contains(&seq) && !outbox.is_repeatable(seq);
        self.calls.end_where(is_sent, || CallEnd::Lost(Error::MayHaveRun(reason.clone())))
    }

    /// The same when the peer did not come back in time. Should it come, what it does not have of them yet is not to run.
    pub(crate) fn give_up_sent(&mut self, reason: &Reason) -> Vec<W> {
        if self.stored {
            // What is for this peer alone waits at the store for it.
            return self.end_stored(self.calls.of_this_link(), reason);
        }
        let (unsent, outbox) = (self.outbox.never_sent(), &self.outbox);
        let sent = self.calls.messages(|seq| !unsent.contains(&seq) && !outbox.is_repeatable(seq));
        let wake = self.end_sent(reason);
        sent.into_iter().for_each(|(seq, call)| self.tell_given_up(seq, call));
        wake
    }

    /// Another server, or another session of this one, has all that is in the store for the peer. Calls to it end, and what was
    /// queued for it is dropped. `keeps_throws`: those that came are still handled here. Wake the returned.
    pub(crate) fn moved(&mut self, why: &str, keeps_throws: bool) -> Vec<W> {
        if keeps_throws {
            self.give_back_requests();
            self.forget_requests();
        } else {
            self.forget_jobs();
        }
        self.throws_lost += self.outbox.throws();
        self.end_all(&Reason::Disconnected(why.to_owned()))
    }

    /// Nobody waits for answers any more; throws are still handled.
    pub(crate) fn forget_requests(&mut self) {
        self.jobs.forget_requests();
    }

    /// What was asked for is not done here any more: a store gives it to somebody else.
    pub(crate) fn give_back_requests(&mut self) {
        if let Some(arrivals) = self.arrivals.get_mut() {
            arrivals.forget_requests();
        }
    }

    /// What came is not handled here any more: a store gives it to somebody else.
    pub(crate) fn forget_jobs(&mut self) {
        if let Some(arrivals) = self.arrivals.get_mut() {
            arrivals.forget();
        }
        self.jobs.forget_waiting();
        self.tell_of_dropped_throws();
    }

    /// There will be no link any more: nothing is accepted, and what waits ends. Wake the returned.
    pub(crate) fn close(&mut self, reason: Reason) -> Vec<W> {
        self.ended = true;
        let reason = self.closed.get_or_insert(reason).clone();
        self.end_all(&reason)
    }

    /// How many throws wait to be sent, or were sent and are not known to have come.
    pub(crate) fn throws_without_word(&mut self) -> usize {
        self.take_lost_throws() + self.outbox.throws()
    }

    /// Those of them that are dropped already.
    pub(crate) fn take_lost_throws(&mut self) -> usize {
        std::mem::take(&mut self.throws_lost)
    }

    /// Drops what is queued, and ends every call.
    fn end_all(&mut self, reason: &Reason) -> Vec<W> {
        let unsent = self.outbox.clear();
        let not_sent = || CallEnd::Lost(Error::NotSent(reason.clone()));
        let mut wake = self.calls.end_where(|seq| unsent.contains(&seq), not_sent);
        wake.extend(self.calls.end_where(|_| true, || CallEnd::Lost(Error::MayHaveRun(reason.clone()))));
        wake
    }

    /// Takes no more requests from the peer; those that came are handled.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Accepts no more calls from here; what is queued is still sent.
    pub(crate) fn refuse_calls(&mut self, reason: Reason) {
        self.closed.get_or_insert(reason);
    }

    /// It was asked to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(crate) fn closed(&self) -> Option<&Reason> {
        self.closed.as_ref()
    }

    /// Nothing is handled, nothing waits to be handled or to be sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_idle() && !self.has_output()
    }
}
