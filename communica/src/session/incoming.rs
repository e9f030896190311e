//! What the peer says: messages in, events and the handlers that may start out.

use std::collections::VecDeque;

use super::arrivals::Arrivals;
use super::calls::CallEnd;
use super::{Event, Intake, NeverStart, Session};
use crate::error::{Error, Fault, FaultKind, Reason};
use crate::wire::{Chunks, Kind, Message, Metadata, Receipt, too_large};

const TOO_MANY_WAIT: &str =
    "too many requests wait at the responder for calls of their own, see `Limits::running`";

impl<W: Clone> Session<W> {
    /// What comes next came together.
    pub(crate) fn begin_batch(&mut self) {
        self.answers_came = 0;
    }

    /// Takes what it needs of the message: to move all of it takes longer than to read it.
    pub(crate) fn receive(&mut self, message: &mut Message) -> Event<W> {
        self.brought = true;
        // The peer had the hello of this link, and began anew.
        self.over = false;
        self.other.heard();
        if message.metadata.kind() == Kind::Acknowledge {
            // No store should bring it, and none may bring it again.
            message.receipt.take().into_iter().for_each(|receipt| receipt.settle());
            return self.acknowledged(&message.metadata);
        }
        let left_out = message.size_left_out();
        // The peer may keep all of it until it knows that it came.
        self.heard.note(message.metadata.as_bytes().len() + message.payload.len() + left_out.unwrap_or(0));
        let receipt = message.receipt.take().map(|receipt| *receipt);
        if !matches!(message.metadata.kind(), Kind::Request | Kind::Throw) {
            // Whoever waits for an answer has it now, and nobody else ever will.
            receipt.into_iter().for_each(Receipt::settle);
        } else if let Some(receipt) = receipt {
            // What another peer may do as well is refused, unless nothing is answered any more.
            let is_left = || self.ended || !receipt.is_first() || !message.metadata.is_for_any();
            let is_known = || self.arrivals.get().is_some_and(|arrivals| arrivals.knows(&receipt));
            if self.draining && !is_known() && is_left() {
                return Event::Dropped(
                    "this side is stopping; the store or its sender keeps the message for another",
                );
            }
            let limit = self.limits.remembered;
            let arrivals = self.arrivals.get_or_make(|| Arrivals::new(limit));
            let Some(arrival) = arrivals.arrive(receipt, message.metadata.kind()) else {
                return Event::Dropped("it is a copy of a message that came before");
            };
            message.metadata.set_arrival(arrival);
        }
        if let Some(size) = left_out {
            return self.too_large(&message.metadata, size);
        }
        match message.metadata.kind() {
            Kind::Request | Kind::Throw if self.draining => {
                self.refuse(&message.metadata, "the responder is stopping and takes no more requests")
            }
            Kind::Request if self.jobs.is_overfull(message, self.calls.waiting()) => {
                self.refuse(&message.metadata, TOO_MANY_WAIT)
            }
            Kind::Request | Kind::Throw => {
                self.jobs.push(message, self.calls.waiting());
                Event::Queued
            }
            Kind::Result => {
                let Message { metadata, payload, .. } = message;
                self.answered(metadata, |_| CallEnd::Value(std::mem::take(payload)))
            }
            Kind::Req => self.faulted(FaultKind::Req, message),
            Kind::Resp => self.faulted(FaultKind::Resp, message),
            Kind::Unknown => self.faulted(FaultKind::Unknown, message),
            Kind::Serializer => self.faulted(FaultKind::Serializer, message),
            Kind::Cancel => Event::Cancelled(message.metadata.id().into_owned()),
            Kind::Acknowledge => Event::Noted,
            Kind::Other(_) => Event::Dropped("a message is of a type this side does not know"),
        }
    }

    /// Its payload was not kept.
    fn too_large(&mut self, message: &Metadata, size: usize) -> Event<W> {
        let (kind, why) = (message.kind(), too_large::why(size, self.limits.message_size));
        if kind == Kind::Cancel {
            return Event::Cancelled(message.id().into_owned());
        }
        match too_large::fault(kind, &why) {
            Some(fault) if kind.is_answer() => return self.answered(message, |_| CallEnd::Fault(fault)),
            Some(fault) => {
                self.refusing = true;
                self.answer(message, Err(fault));
            }
            None if kind == Kind::Throw => self.failed_throws.tell(message.route().as_deref(), &why),
            None => {}
        }
        Event::Dropped("it is larger than this side accepts")
    }

    fn refuse(&mut self, request: &Metadata, why: &'static str) -> Event<W> {
        self.refusing |= request.kind() == Kind::Request;
        let unbegun = self.settle_unbegun(request);
        let fault = if unbegun { Fault::not_begun(why) } else { Fault::new(FaultKind::Resp, why, None) };
        self.answer(request, Err(fault));
        Event::Dropped(why)
    }

    /// Nobody has begun this request, nor will. A store forgets it before that is said: one that ended in between would leave it to
    /// somebody who begins it.
    pub(super) fn settle_unbegun(&mut self, request: &Metadata) -> bool {
        let arrivals = self.arrivals.get_mut();
        let arrived = request.arrival().zip(arrivals);
        !self.ended && arrived.is_none_or(|(arrival, arrivals)| arrivals.settle_unbegun(arrival))
    }

    fn acknowledged(&mut self, metadata: &Metadata) -> Event<W> {
        let was_full = self.full();
        let came = metadata.id().parse().is_ok_and(|count| self.outbox.came(count));
        match came {
            false if self.resumes => Event::Dropped("the peer acknowledged what it was not sent"),
            _ if self.full().has_room_since(was_full) => Event::Room,
            _ => Event::Noted,
        }
    }

    /// An answer made room for callers or handlers that wait for it.
    pub(crate) fn take_made_room(&mut self) -> bool {
        std::mem::take(&mut self.made_room)
    }

    /// Large messages that the peer has. Dropping them takes time: not under a lock, nor where a link waits for it.
    pub(crate) fn take_done(&mut self) -> Vec<Chunks> {
        self.outbox.take_done()
    }

    fn faulted(&mut self, kind: FaultKind, message: &Message) -> Event<W> {
        self.answered(&message.metadata, |was_repeated| {
            let fault = Fault::from_bytes(kind, &message.payload);
            if fault.began() {
                return CallEnd::Fault(fault);
            }
            // Whoever had it first may have begun it.
            let error = if was_repeated { Error::MayHaveRun } else { Error::NotSent };
            CallEnd::Lost(error(Reason::NotBegun(fault.into_message())))
        })
    }

    /// `end`: is told whether the call was repeated.
    fn answered(&mut self, metadata: &Metadata, end: impl FnOnce(bool) -> CallEnd) -> Event<W> {
        match self.calls.find(&metadata.id()) {
            Some(call) => {
                self.answers_came += 1;
                let mut was_repeated = false;
                if let Some((seq, size)) = self.calls.message(call) {
                    was_repeated = self.outbox.was_repeated(seq);
                    let was_full = self.full();
                    self.outbox.was_answered(seq);
                    self.outbox.never_repeat(seq);
                    if self.stored {
                        // It may be about to go out again.
                        self.outbox.withdraw(seq, size);
                    }
                    self.made_room |= self.full().has_room_since(was_full);
                }
                Event::Answered(self.calls.end(call, end(was_repeated)))
            }
            None => Event::Dropped("an answer came to a call that is over or was never made"),
        }
    }

    pub(super) fn settle(&mut self, message: &Metadata) {
        if let Some((arrival, arrivals)) = message.arrival().zip(self.arrivals.get_mut()) {
            arrivals.settle(arrival);
        }
    }

    /// Whether the driver may read on; when it may not, it is woken as soon as that may have changed.
    pub(crate) fn intake(&mut self) -> Intake {
        // The word that lets answers out, and so handlers start, stands behind what was not read yet.
        let factor = if self.outbox.window_is_full() { 4 } else { 1 };
        let full = self.jobs.meets(self.limits.waiting.times(factor));
        let over = self.has_more_than_may_wait();
        // What an earlier link left is not this one's fault: it may take the answers first.
        self.paused = full && self.calls.waiting() == 0 || over && !self.brought;
        if self.paused {
            Intake::Paused
        } else if over {
            Intake::Overrun
        } else {
            Intake::Open
        }
    }

    /// Too much of what came waits, or of what refuses it.
    pub(crate) fn has_more_than_may_wait(&mut self) -> bool {
        // Refusals are answers too, and a peer that reads none of them must not make them pile up. What handlers make is
        // bounded by how many run, and the peer could not know how much it is.
        self.refusing &= self.outbox.answers_meet(self.limits.queued);
        self.too_many_wait() || self.refusing && self.outbox.answers_meet(self.limits.queued.times(4))
    }

    fn too_many_wait(&self) -> bool {
        self.jobs.meets(self.limits.waiting.times(4))
    }

    /// An earlier link left so much that this one is not read from, answers included.
    fn reads_no_answers(&self) -> bool {
        self.too_many_wait() && !self.brought
    }

    /// Messages whose handlers may start now, in the order they came. Whoever gets some starts them in that order
    /// and asks again; meanwhile others get none. What can never start is refused.
    pub(crate) fn start_jobs(&mut self, mine: &mut bool, into: &mut VecDeque<Message>) -> NeverStart {
        let mut never = NeverStart::default();
        if self.outbox.answers_meet(self.limits.queued) {
            // The peer does not take its answers: no more of them before it does.
            self.jobs.start_none(mine);
            return never;
        }
        loop {
            self.jobs.start(mine, self.calls.waiting(), into);
            into.retain(|message| {
                let given_up =
                    message.metadata.kind() == Kind::Request && self.jobs.request_was_cancelled(message);
                if given_up {
                    never.any_given_up = true;
                    self.job_stopped(&message.metadata);
                }
                !given_up
            });
            if !into.is_empty() {
                never.left = self.jobs.waiting();
                return never;
            }
            if !*mine {
                never.refused = self.refuse_held_up();
                return never;
            }
        }
    }

    /// Not more of them than there is room for answers, by number or by bytes: the next time is when these went out.
    fn refuse_held_up(&mut self) -> Vec<&'static str> {
        let mut refused = Vec::new();
        let mut held_up = self.jobs.take_held_up(self.calls.waiting(), self.reads_no_answers());
        while !self.outbox.answers_meet(self.limits.queued) {
            let Some(message) = self.jobs.next_held_up(&mut held_up) else { break };
            if self.jobs.request_was_cancelled(&message) {
                self.settle(&message.metadata);
            } else if let Event::Dropped(why) = self.refuse(&message.metadata, TOO_MANY_WAIT) {
                refused.push(why);
            }
        }
        self.jobs.keep(held_up);
        refused
    }

    /// Nobody waits for the answer to this request of the peer.
    pub(crate) fn cancel_job(&mut self, id: String) {
        self.jobs.cancel(id);
    }

    /// The request was given up before its handler could be stopped. Tells it once.
    pub(crate) fn was_cancelled(&mut self, id: &str) -> bool {
        self.jobs.was_cancelled(id)
    }

    /// The request that is being started was forgotten before its handler could be stopped.
    pub(crate) fn forgot_requests(&self) -> bool {
        self.jobs.forgot_requests()
    }

    /// Takes out of these, which are being started, what was forgotten meanwhile.
    pub(crate) fn drop_forgotten(&mut self, rest: &mut VecDeque<Message>) {
        self.jobs.drop_forgotten(rest);
        self.tell_of_dropped_throws();
    }

    /// Throws have nobody who would be told. A store gives them to somebody else.
    pub(super) fn tell_of_dropped_throws(&mut self) {
        let throws = self.jobs.take_throws_dropped();
        if throws > 0 && !self.stored {
            self.failed_throws.tell_of_dropped(throws);
        }
    }

    /// The time for handlers to end is over. Peers of ours learn from the goodbye that there will be no answers; one that speaks 0.4
    /// waits without end, so it gets them. False if nobody needs that: a store gives requests to somebody else.
    pub(crate) fn answer_for_stopped(&mut self) -> bool {
        self.answers_for_stopped = self.linked && !self.stored && !self.resumes;
        if self.answers_for_stopped {
            for request in self.jobs.take_requests() {
                self.refuse(&request.metadata, "the responder stopped and did not begin it");
            }
        }
        self.answers_for_stopped
    }

    /// A started handler was stopped, and gives no answer.
    pub(crate) fn job_stopped(&mut self, message: &Metadata) {
        self.jobs.done(1, message.size());
        if self.answers_for_stopped && message.kind() == Kind::Request {
            let why = "the responder stopped before the handler had an answer";
            return self.answer(message, Err(Fault::new(FaultKind::Resp, why, None)));
        }
        if message.kind() == Kind::Throw && message.arrival().is_none() {
            self.failed_throws.tell(message.route().as_deref(), "it was stopped before its end");
        }
        self.settle(message);
    }

    /// There are messages whose handlers may start, or never will, and nobody is at it.
    pub(crate) fn may_start_jobs(&self) -> bool {
        self.jobs.may_start(self.calls.waiting(), self.reads_no_answers())
            && !self.outbox.answers_meet(self.limits.queued)
    }

    /// Nothing runs, and what waits to be handled does so for answers to go out, which no link takes.
    pub(crate) fn is_held_up(&self) -> bool {
        let idles = self.jobs.none_runs() && !self.jobs.nothing_waits();
        !self.linked && idles && self.outbox.answers_meet(self.limits.queued)
    }

    /// This many of the started handlers are done.
    pub(crate) fn jobs_done(&mut self, count: usize, bytes: usize) {
        self.jobs.done(count, bytes);
    }

    /// Started messages whose handlers have to wait after all, since there is no room for more answers. Whoever was at it
    /// starts no more.
    pub(crate) fn give_back_if_full(&mut self, rest: &mut VecDeque<Message>, mine: &mut bool) -> bool {
        let full = self.outbox.answers_meet(self.limits.queued);
        if full {
            self.give_back(rest, mine);
        }
        full
    }

    /// The handler of the message that was started last has to begin in a task of its own before these may start. Until
    /// [`has_started`](Self::has_started) nobody starts any.
    pub(crate) fn wait_for_start(&mut self, rest: &mut VecDeque<Message>) {
        self.jobs.wait(rest);
        self.tell_of_dropped_throws();
    }

    /// Started messages are left to whoever is at it next.
    pub(crate) fn give_back(&mut self, rest: &mut VecDeque<Message>, mine: &mut bool) {
        self.jobs.give_back(rest, mine);
        self.tell_of_dropped_throws();
    }

    /// That handler runs, or never will.
    pub(crate) fn has_started(&mut self) {
        self.jobs.start_none(&mut true);
    }

    /// No handler runs or waits to run.
    pub(crate) fn no_jobs(&self) -> bool {
        self.jobs.is_idle()
    }

    /// So many messages came, if the peer wants to know.
    pub(crate) fn heard_to_tell(&self) -> Option<u64> {
        self.resumes.then(|| self.heard.count())
    }
}
