//! What this side says: calls, throws and answers in, batches for the link out.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::calls::{CallEnd, CallId, Waiting};
use super::{Abandoned, Answer, Full, Refused, Requested, Sender, Session, What, of_handlers};
use crate::error::{Fault, FaultKind, Reason};
use crate::serializer::Payload;
use crate::wire::{Batch, Feature, Kind, Metadata, more_for_any};

impl<W: Clone> Session<W> {
    /// Queues a request; the payload is taken if it was accepted.
    pub(crate) fn request(
        &mut self,
        what: What<'_>,
        payload: &mut Option<Payload>,
    ) -> Result<Requested<W>, Refused> {
        let What { route, more, idempotent, here, said, sender, .. } = what;
        self.check_link(here)?;
        let payload = self.admit(payload, sender)?;
        // A call more may let a handler more start, and reading go on: then the driver has to look.
        let at_rest = self.jobs.nothing_waits() && !self.paused;
        // Where many answers came together, those who got them most likely ask again together.
        let nobody_else = self.calls.waiting() == 0 && self.answers_came <= 1;
        let alone = self.linked && nobody_else && self.outbox.is_empty() && at_rest;
        let call = self.calls.open(self.outbox.next_seq(), what);
        // A store keeps what a peer that is stopping does not take: that one has to know that it may refuse this.
        let for_any = here && self.stored && self.other.instance().is_some();
        let more = if for_any { Cow::Owned(more_for_any(more)) } else { Cow::Borrowed(more) };
        self.id_text.clear();
        self.calls.write_id(call, &mut self.id_text);
        // What is for this link alone is repeated on no other: whoever made the call asks somebody else.
        let repeatable = idempotent && !here;
        let bytes = self.outbox.push_request(&self.id_text, Kind::Request, route, &more, payload, repeatable);
        self.calls.set_size(call, bytes);
        let (wake, watch) = if alone { (None, false) } else { self.call_driver_or_watch(said) };
        Ok(Requested { call, alone, wake, watch })
    }

    /// Queues a throw; the payload is taken if it was accepted. Returns the driver to wake.
    pub(crate) fn throw(
        &mut self,
        what: What<'_>,
        payload: &mut Option<Payload>,
    ) -> Result<Option<W>, Refused> {
        self.check_link(what.here)?;
        let payload = self.admit(payload, what.sender)?;
        self.outbox.push_request("", Kind::Throw, what.route, what.more, payload, false);
        Ok(self.call_driver())
    }

    /// `here`: it waits for no other link.
    fn check_link(&self, here: bool) -> Result<(), Refused> {
        if here && !self.linked {
            return Err(Refused::For(Reason::Disconnected("it did when the call was made".to_owned())));
        }
        Ok(())
    }

    /// Takes the payload if it may be queued now.
    fn admit(&self, payload: &mut Option<Payload>, sender: Sender) -> Result<Payload, Refused> {
        if let Some(reason) = &self.closed {
            return Err(Refused::For(reason.clone()));
        }
        let size = payload.as_ref().map_or(0, |payload| payload.len());
        let limit = self.size_limit();
        if size > limit {
            return Err(Refused::For(Reason::TooLarge { size, limit }));
        }
        let full = self.full();
        if (sender == Sender::Caller && full.for_callers) || full.for_handlers {
            return Err(Refused::Full);
        }
        Ok(payload.take().unwrap_or_else(|| Vec::new().into()))
    }

    /// Bytes that a payload may have on its way to this peer.
    pub(super) fn size_limit(&self) -> usize {
        self.limits.message_size.min(self.other.message_size())
    }

    /// Who allows no more than `size_limit`, and what to do about it.
    fn whose_limit(&self) -> String {
        let (mine, others) = (self.limits.message_size, self.other.message_size());
        let (who, limit) = match mine.cmp(&others) {
            Ordering::Less => ("the responder sends", mine),
            Ordering::Equal => ("the responder sends and the caller takes", mine),
            Ordering::Greater => ("the caller takes", others),
        };
        format!("{who} {limit}: raise `Limits::message_size` on both sides")
    }

    /// Queues the answer to a request; does nothing for a throw, and logs what went wrong there. Whoever answered
    /// flushes, or wakes the driver.
    pub(crate) fn answer(&mut self, request: &Metadata, answer: Answer) {
        if request.kind() != Kind::Request {
            self.settle(request);
            if let Err(fault) = answer {
                self.failed_throws.tell(request.route().as_deref(), fault.message());
            }
            return;
        }
        if self.ended {
            // What a store brought is not done with: it is for somebody else.
            return;
        }
        let limit = self.size_limit();
        let answer = answer.and_then(|payload| match payload.len() {
            size if size > limit => Err(Fault::new(
                FaultKind::Resp,
                format!("the result has {size} bytes where {}", self.whose_limit()),
                None,
            )),
            _ => Ok(payload),
        });
        match answer {
            Ok(payload) => self.outbox.push_answer(request, Kind::Result, payload),
            Err(fault) => {
                self.outbox.push_answer(request, fault.kind().kind(), fault.to_bytes_within(limit).into())
            }
        }
    }

    /// How the call ended, once, if it did.
    pub(crate) fn take_end(&mut self, call: CallId) -> Option<CallEnd> {
        self.calls.take_end(call)
    }

    /// The same; until then `waker` is kept and woken at the end. The one that was kept stands there afterwards: both are
    /// users' own, and made and dropped under no lock.
    pub(crate) fn poll_call(&mut self, call: CallId, waker: &mut Option<W>) -> Option<CallEnd> {
        self.calls.poll(call, waker)
    }

    /// Nobody waits for this call any more. The peer is told, if it can do something about it: then there is a driver to
    /// wake.
    pub(crate) fn abandon(&mut self, call: CallId) -> Abandoned<W> {
        let Some((seq, bytes, waiter)) = self.calls.forget(call) else {
            return Abandoned { unsent: false, wake: None, waiter: None };
        };
        let unsent = self.outbox.withdraw(seq, bytes);
        self.outbox.never_repeat(seq);
        if unsent {
            return Abandoned { unsent, wake: None, waiter };
        }
        self.tell_given_up(seq, call);
        Abandoned { unsent, wake: self.call_driver(), waiter }
    }

    /// Tells the peer that nobody waits for the answer to this request, which was sent; if there is no link, once there is one on which it
    /// may be repeated.
    pub(super) fn tell_given_up(&mut self, seq: u64, call: CallId) {
        if !self.linked && !self.stored {
            self.given_up.push((seq, call));
        } else if self.other.supports(Feature::Cancel) {
            self.id_text.clear();
            self.calls.write_id(call, &mut self.id_text);
            self.outbox.push_cancel(seq, &self.id_text);
        }
    }

    /// A call waits for its answer.
    pub(crate) fn has_calls(&self) -> bool {
        self.calls.waiting() > 0
    }

    /// Calls that wait for their answer.
    pub(crate) fn waiting_calls(&self) -> Vec<Waiting> {
        let unsent = self.outbox.never_sent();
        self.calls.list(|seq| !unsent.contains(&seq))
    }

    /// Moves what waits into `batch`; of a large message one chunk, if the link cuts messages, and so much at most of what came behind it. True if
    /// there is room for callers who wait for it.
    pub(crate) fn fill(&mut self, batch: &mut Batch, in_chunks: bool) -> bool {
        let was_full = self.full();
        if self.must_acknowledge() {
            batch.push_acknowledgement(self.heard.count());
            self.heard.was_told();
        }
        self.outbox.fill(batch, in_chunks);
        self.full().has_room_since(was_full)
    }

    /// Who has to wait for room.
    pub(super) fn full(&self) -> Full {
        Full {
            for_callers: self.outbox.meets(self.limits.queued),
            for_handlers: self.outbox.holds(of_handlers(&self.limits)),
        }
    }

    fn must_acknowledge(&self) -> bool {
        // A sign of life says the same, and is for a peer that does not count, too.
        self.linked && (self.heard.must_tell() || self.resumes && self.heard.is_due())
    }

    /// All of the last batch went out. True if there is room for callers who wait for it: the end of a large message
    /// makes some.
    pub(crate) fn filled_was_sent(&mut self) -> bool {
        let was_full = self.full();
        self.outbox.filled_was_sent();
        self.full().has_room_since(was_full)
    }

    /// So many of the messages that the link took are in its store. True if there is room for callers who wait for it.
    pub(crate) fn confirmed(&mut self, count: u64) -> bool {
        let was_full = self.full();
        let mut arrivals = self.arrivals.get_mut();
        self.outbox.confirmed(count, |arrival| {
            if let Some(arrivals) = &mut arrivals {
                arrivals.settle(arrival);
            }
        });
        self.full().has_room_since(was_full)
    }

    /// Queues a close notify as the last thing to send on this link. What came over it is told before.
    pub(crate) fn push_close(&mut self, reason: Option<&str>) {
        if self.resumes {
            self.heard.tell_rest();
        }
        self.outbox.push_close(reason);
    }

    /// Something waits to be handed to the link.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty() || self.must_acknowledge()
    }

    /// So much is under way that what waits has to wait on, for the peer to say what came.
    pub(crate) fn is_held_back(&self) -> bool {
        self.linked && self.outbox.window_is_full()
    }

    /// Something waits to be handed to the link, or to be confirmed, or to be repeated on the next link.
    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty() || self.outbox.is_unconfirmed() || !self.linked && self.outbox.has_sent()
    }

    /// Something that was sent is not known to have come.
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.resumes && self.outbox.has_sent()
    }

    /// So many messages came to the peer, as it said.
    pub(crate) fn came(&self) -> u64 {
        self.outbox.came_so_far()
    }
}
