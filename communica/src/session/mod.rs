//! Who waits for what with one peer: messages in, events out. No tokio, no sockets, no clock.
//!
//! A session outlives its links. What callers and handlers have to say is queued in the [`outbox`] and handed to
//! whatever link is there; [`calls`] wait for answers, [`jobs`] wait for their handler. `W` wakes somebody: a task
//! in production, a number in tests. Methods that make work for the driver return the `W` to wake, once unlocked.

mod arrivals;
mod calls;
mod failed_throws;
mod heard;
mod jobs;
mod kept;
mod other;
mod outbox;
mod sent;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use calls::{CallEnd, CallId, Waiting};
pub(crate) use other::{BEATS, Beat};

use crate::connector::Delivery;
use crate::error::{Error, Fault, FaultKind, Reason};
use crate::limits::{Limits, MIN_SILENCE_TIME, Quota};
use crate::serializer::Payload;
use crate::wire::hello::{About, Heard as HeardOf};
use crate::wire::{Batch, Feature, Kind, Message, Metadata, Receipt};
use arrivals::Arrivals;
use calls::Calls;
use failed_throws::FailedThrows;
use heard::Heard;
use jobs::Jobs;
use other::Other;
use outbox::Outbox;

/// What a handler made of a request.
pub(crate) type Answer = Result<Payload, Fault>;

pub(crate) struct Session<W> {
    calls: Calls<W>,
    outbox: Outbox,
    jobs: Jobs,
    arrivals: Arrivals,
    failed_throws: FailedThrows,
    /// Unlike that of every other session, the one of an earlier process included.
    instance: String,
    other: Other,
    heard: Heard,
    /// What came of a session was counted, and the count is gone: one that speaks 0.4 came between.
    lost_count: bool,
    limits: Bounds,
    /// Set once, by the first of: closed here, replaced, forgotten. No calls from here any more.
    closed: Option<Reason>,
    /// No requests and throws from the peer any more.
    draining: bool,
    /// Counts the connections that came; the newest is the one that counts.
    newest_link: u64,
    /// There is a link.
    linked: bool,
    /// The link that is there, or was last, has a store.
    stored: bool,
    /// What that link takes or took is repeated until the peer has it.
    resumes: bool,
    /// Its driver, once that has looked for the first time.
    driver: Option<W>,
    /// The driver was woken and did not look yet.
    driver_called: bool,
    /// The driver should end the link.
    goodbye: Option<Goodbye>,
    /// The driver stopped reading until something changes.
    paused: bool,
    /// The link that is there brought something.
    brought: bool,
    /// Memory to write ids in.
    id_text: String,
}

struct Bounds {
    message_size: usize,
    waiting: Quota,
    queued: Quota,
    unacknowledged: Quota,
    silence_time: Duration,
}

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was cut, and the peer may come back as if nothing had been.
    Cut,
    /// The store did not accept a message.
    Refused,
    /// One side ended it for good: nothing that was sent is repeated.
    Over,
}

/// What a new link brought with it.
#[derive(Debug)]
pub(crate) struct LinkUp<W> {
    /// Whose calls ended.
    pub(crate) wake: Vec<W>,
    /// The peer is another process than before: nobody waits for answers to what that one asked.
    pub(crate) is_another: bool,
}

/// Why a message was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No room now; wait for some and try again.
    Full,
    /// Never.
    For(Reason),
}

/// What a request says beside its payload.
#[derive(Clone, Copy, Default)]
pub(crate) struct What<'a> {
    pub(crate) route: Option<&'a str>,
    /// Further members of the metadata.
    pub(crate) more: &'a str,
    /// Handling it twice does no harm.
    pub(crate) idempotent: bool,
    /// The time by the caller's clock.
    pub(crate) now: Duration,
}

/// A call nobody waits for any more.
#[derive(Debug)]
pub(crate) struct Abandoned<W> {
    /// It was not sent, and never will be.
    pub(crate) unsent: bool,
    /// The driver to wake.
    pub(crate) wake: Option<W>,
}

/// A request that was accepted.
#[derive(Debug)]
pub(crate) struct Requested<W> {
    pub(crate) call: CallId,
    /// It is the only thing under way: worth handing to the link at once, without waking the driver.
    pub(crate) alone: bool,
    /// The driver to wake.
    pub(crate) wake: Option<W>,
}

/// What a message meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<W> {
    /// A call has its answer; wake who waits.
    Answered(Option<W>),
    /// A handler has to be found and run, see [`Session::start_jobs`].
    Queued,
    /// Nobody waits any more for the answer to the request with this id.
    Cancelled(String),
    /// Callers that wait for room may try again.
    Room,
    /// Nothing to do.
    Noted,
    /// Nobody needs it. For the log.
    Dropped(&'static str),
}

/// How a link should end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    /// What the peer is told.
    pub(crate) reason: Option<String>,
    /// Not after everything queued went out, but now.
    pub(crate) at_once: bool,
}

/// May more be read from the peer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    Open,
    /// Not before something of what came was worked off.
    Paused,
    /// It sent four times what may wait, and reading could not stop because this side waits for its answers; or it
    /// does not take the answers to what it sends.
    Overrun,
}

impl<W: Clone> Session<W> {
    /// `prefix` makes the ids of this session unlike those of every other; it must not be guessable.
    pub(crate) fn new(prefix: String, limits: &Limits) -> Self {
        Self {
            outbox: Outbox::new(&prefix, limits.chunk_size, limits.unacknowledged),
            calls: Calls::new(prefix.clone()),
            jobs: Jobs::new(limits.running, limits.waiting.bytes),
            arrivals: Arrivals::new(limits.remembered),
            failed_throws: FailedThrows::default(),
            instance: prefix,
            other: Other::default(),
            heard: Heard::new(),
            lost_count: false,
            limits: Bounds {
                message_size: limits.message_size,
                waiting: limits.waiting,
                queued: limits.queued,
                unacknowledged: limits.unacknowledged,
                silence_time: limits.silence_time,
            },
            closed: None,
            draining: false,
            newest_link: 0,
            linked: false,
            stored: false,
            resumes: false,
            driver: None,
            driver_called: false,
            goodbye: None,
            paused: false,
            brought: false,
            id_text: String::new(),
        }
    }

    // What this side has to say ---------------------------------------------------------------------------------

    /// Queues a request; the payload is taken if it was accepted.
    pub(crate) fn request(
        &mut self,
        what: What<'_>,
        payload: &mut Option<Payload>,
    ) -> Result<Requested<W>, Refused> {
        let payload = self.admit(payload)?;
        let What { route, more, idempotent, now } = what;
        // A call more may let a handler more start, and reading go on: then the driver has to look.
        let at_rest = self.jobs.nothing_waits() && !self.paused;
        let alone = self.linked && self.calls.waiting() == 0 && self.outbox.is_empty() && at_rest;
        let call = self.calls.open(self.outbox.next_seq(), route, now);
        self.id_text.clear();
        self.calls.write_id(call, &mut self.id_text);
        let bytes = self.outbox.push_request(&self.id_text, Kind::Request, route, more, payload, idempotent);
        self.calls.set_size(call, bytes);
        let wake = if alone { None } else { self.call_driver() };
        Ok(Requested { call, alone, wake })
    }

    /// Queues a throw; the payload is taken if it was accepted. Returns the driver to wake.
    pub(crate) fn throw(
        &mut self,
        route: Option<&str>,
        more: &str,
        payload: &mut Option<Payload>,
    ) -> Result<Option<W>, Refused> {
        let payload = self.admit(payload)?;
        self.outbox.push_request("", Kind::Throw, route, more, payload, false);
        Ok(self.call_driver())
    }

    /// Takes the payload if it may be queued now.
    fn admit(&self, payload: &mut Option<Payload>) -> Result<Payload, Refused> {
        if let Some(reason) = &self.closed {
            return Err(Refused::For(reason.clone()));
        }
        let size = payload.as_ref().map_or(0, |payload| payload.len());
        let limit = self.limits.message_size.min(self.other.message_size());
        if size > limit {
            return Err(Refused::For(Reason::TooLarge { size, limit }));
        }
        if self.outbox.meets(self.limits.queued) {
            return Err(Refused::Full);
        }
        Ok(payload.take().unwrap_or_else(|| Vec::new().into()))
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
        let limit = self.limits.message_size.min(self.other.message_size());
        let answer = answer.and_then(|payload| match payload.len() {
            size if size > limit => Err(Fault::new(
                FaultKind::Resp,
                format!("the result has {size} bytes where the responder may send {limit}"),
                None,
            )),
            _ => Ok(payload),
        });
        match answer {
            Ok(payload) => self.outbox.push_answer(request, Kind::Result, payload),
            Err(fault) => self.outbox.push_answer(request, fault.kind().kind(), fault.to_bytes().into()),
        }
    }

    fn settle(&mut self, message: &Metadata) {
        if let Some(arrival) = message.arrival() {
            self.arrivals.settle(arrival);
        }
    }

    // Calls -----------------------------------------------------------------------------------------------------

    /// How the call ended, once; until then `waker` is kept and woken at the end.
    pub(crate) fn poll_call(&mut self, call: CallId, waker: impl FnOnce() -> W) -> Option<CallEnd> {
        self.calls.poll(call, waker)
    }

    /// Nobody waits for this call any more. The peer is told, if it can do something about it: then there is a driver to
    /// wake.
    pub(crate) fn abandon(&mut self, call: CallId) -> Abandoned<W> {
        let Some((seq, bytes)) = self.calls.forget(call) else {
            return Abandoned { unsent: false, wake: None };
        };
        let unsent = self.outbox.withdraw(seq, bytes);
        self.outbox.never_repeat(seq);
        if unsent || !self.other.supports(Feature::Cancel) {
            return Abandoned { unsent, wake: None };
        }
        self.id_text.clear();
        self.calls.write_id(call, &mut self.id_text);
        self.outbox.push_cancel(seq, &self.id_text);
        Abandoned { unsent, wake: self.call_driver() }
    }

    /// Calls that wait for their answer.
    pub(crate) fn waiting_calls(&self) -> Vec<Waiting> {
        let unsent = self.outbox.never_sent();
        self.calls.list(|seq| !unsent.contains(&seq))
    }

    // What the peer says ----------------------------------------------------------------------------------------

    pub(crate) fn receive(&mut self, mut message: Message) -> Event<W> {
        self.brought = true;
        self.other.heard();
        if message.metadata.kind() == Kind::Acknowledge {
            return self.acknowledged(&message.metadata);
        }
        self.heard.note(message.metadata.as_bytes().len() + message.payload.len());
        let receipt = message.receipt.take();
        if !matches!(message.metadata.kind(), Kind::Request | Kind::Throw) {
            // Whoever waits for an answer has it now, and nobody else ever will.
            receipt.into_iter().for_each(Receipt::settle);
        } else if let Some(receipt) = receipt {
            if self.draining {
                return Event::Dropped("this side is stopping; the store keeps the message for another");
            }
            let Some(arrival) = self.arrivals.arrive(receipt) else {
                return Event::Dropped("it is a copy of a message that came before");
            };
            message.metadata.set_arrival(arrival);
        }
        match message.metadata.kind() {
            Kind::Request | Kind::Throw if self.draining => {
                let why = "this side is stopping and takes no more requests";
                self.answer(&message.metadata, Err(Fault::new(FaultKind::Resp, why, None)));
                Event::Dropped(why)
            }
            Kind::Request if self.jobs.is_overfull() => {
                let why = "too many requests wait here for calls of their own, see `Limits::running`";
                self.answer(&message.metadata, Err(Fault::new(FaultKind::Resp, why, None)));
                Event::Dropped(why)
            }
            Kind::Request | Kind::Throw => {
                self.jobs.push(message);
                Event::Queued
            }
            Kind::Result => self.answered(&message.metadata, CallEnd::Value(message.payload.clone())),
            Kind::Req => self.faulted(FaultKind::Req, &message),
            Kind::Resp => self.faulted(FaultKind::Resp, &message),
            Kind::Unknown => self.faulted(FaultKind::Unknown, &message),
            Kind::Serializer => self.faulted(FaultKind::Serializer, &message),
            Kind::Cancel => Event::Cancelled(message.metadata.id().into_owned()),
            Kind::Acknowledge => Event::Noted,
            Kind::Other(_) => Event::Dropped("a message is of a type this side does not know"),
        }
    }

    fn acknowledged(&mut self, metadata: &Metadata) -> Event<W> {
        let was_full = self.outbox.meets(self.limits.queued);
        let came = metadata.id().parse().is_ok_and(|count| self.outbox.came(count));
        match came {
            false if self.resumes => Event::Dropped("the peer acknowledged what it was not sent"),
            _ if was_full && !self.outbox.meets(self.limits.queued) => Event::Room,
            _ => Event::Noted,
        }
    }

    fn faulted(&mut self, kind: FaultKind, message: &Message) -> Event<W> {
        self.answered(&message.metadata, CallEnd::Fault(Fault::from_bytes(kind, &message.payload)))
    }

    fn answered(&mut self, metadata: &Metadata, end: CallEnd) -> Event<W> {
        match self.calls.find(&metadata.id()) {
            Some(call) => {
                if let Some(seq) = self.calls.seq(call) {
                    self.outbox.never_repeat(seq);
                    if self.stored {
                        self.outbox.answered(seq);
                    }
                }
                Event::Answered(self.calls.end(call, end))
            }
            None => Event::Dropped("an answer came to a call that is over or was never made"),
        }
    }

    /// Whether the driver may read on; when it may not, it is woken as soon as that may have changed.
    pub(crate) fn intake(&mut self) -> Intake {
        // The word that lets answers out, and so handlers start, stands behind what was not read yet.
        let factor = if self.outbox.window_is_full() { 4 } else { 1 };
        let full = self.jobs.meets(self.limits.waiting.times(factor));
        let over = self.jobs.meets(self.limits.waiting.times(4))
            || self.outbox.answers_meet(self.limits.queued.times(4));
        // What an earlier link left is not this one's fault: it may take the answers first.
        self.paused = full && self.calls.waiting() == 0 || over && !self.brought;
        if self.paused {
            Intake::Paused
        } else if over {
            // Refusals are answers too, and a peer that reads none of them must not make them pile up.
            Intake::Overrun
        } else {
            Intake::Open
        }
    }

    // Jobs ------------------------------------------------------------------------------------------------------

    /// Messages whose handlers may start now, in the order they came. Whoever gets some starts them in that order
    /// and asks again; meanwhile others get none.
    pub(crate) fn start_jobs(&mut self, mine: &mut bool, into: &mut Vec<Message>) {
        if self.outbox.answers_meet(self.limits.queued) {
            // The peer does not take its answers: no more of them before it does.
            return self.jobs.start_none(mine);
        }
        loop {
            self.jobs.start(mine, self.calls.waiting(), into);
            into.retain(|message| {
                let given_up = message.metadata.kind() == Kind::Request
                    && self.jobs.was_cancelled(&message.metadata.id());
                if given_up {
                    self.jobs.done(1, message.payload.len());
                    if let Some(arrival) = message.metadata.arrival() {
                        self.arrivals.settle(arrival);
                    }
                }
                !given_up
            });
            if !*mine || !into.is_empty() {
                return;
            }
        }
    }

    /// Nobody waits for the answer to this request of the peer.
    pub(crate) fn cancel_job(&mut self, id: String) {
        self.jobs.cancel(id);
    }

    /// The request was given up before its handler could be stopped. Tells it once.
    pub(crate) fn was_cancelled(&mut self, id: &str) -> bool {
        self.jobs.was_cancelled(id)
    }

    /// A started handler was stopped, and gives no answer.
    pub(crate) fn job_stopped(&mut self, message: &Metadata) {
        self.jobs.done(1, message.payload_len());
        self.settle(message);
    }

    /// There are messages whose handlers may start, and nobody is at it.
    pub(crate) fn may_start_jobs(&self) -> bool {
        !self.outbox.answers_meet(self.limits.queued) && self.jobs.may_start(self.calls.waiting())
    }

    /// This many of the started handlers are done.
    pub(crate) fn jobs_done(&mut self, count: usize, bytes: usize) {
        self.jobs.done(count, bytes);
    }

    /// Started messages, the last one first, whose handlers have to wait after all, since there is no room for more
    /// answers. Whoever was at it starts no more.
    pub(crate) fn give_back_if_full(&mut self, rest: &mut Vec<Message>, mine: &mut bool) -> bool {
        let full = self.outbox.answers_meet(self.limits.queued);
        if full {
            self.jobs.give_back(rest, mine);
        }
        full
    }

    /// Something waits to be handed to the link.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty() || self.must_acknowledge()
    }

    fn must_acknowledge(&self) -> bool {
        // A sign of life says the same, and is for a peer that does not count, too.
        self.linked && (self.heard.must_tell() || self.resumes && self.heard.is_due())
    }

    /// So much is under way that what waits has to wait on, for the peer to say what came.
    pub(crate) fn is_held_back(&self) -> bool {
        self.linked && self.outbox.window_is_full()
    }

    /// Something waits to be handed to the link, or to be confirmed, or to be repeated on the next link.
    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty() || self.outbox.is_unconfirmed() || !self.linked && self.outbox.has_sent()
    }

    /// So many messages came to the peer, as it said.
    pub(crate) fn came(&self) -> u64 {
        self.outbox.came_so_far()
    }

    /// What the latest link took is repeated on the next.
    pub(crate) fn resumes(&self) -> bool {
        self.resumes
    }

    /// What this link took is repeated, should it be cut.
    pub(crate) fn is_resumable(&self) -> bool {
        self.linked && self.resumes
    }

    /// A call waits for its answer.
    pub(crate) fn is_calling(&self) -> bool {
        self.calls.waiting() > 0
    }

    /// Something that was sent is not known to have come.
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.resumes && self.outbox.has_sent()
    }

    /// No handler runs or waits to run.
    pub(crate) fn no_jobs(&self) -> bool {
        self.jobs.is_idle()
    }

    /// Nothing is handled, nothing waits to be handled or to be sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_idle() && !self.has_output()
    }

    // The link --------------------------------------------------------------------------------------------------

    /// Keeps the driver of the current link, which looks at everything from here on. Returns how it should end the
    /// link, if it should.
    pub(crate) fn driver_looks(&mut self, driver: impl FnOnce(Option<W>) -> W) -> Option<Goodbye> {
        self.driver = Some(driver(self.driver.take()));
        self.driver_called = false;
        self.goodbye.clone()
    }

    /// What this side says of itself to the peer, who is this one as far as it is known already.
    pub(crate) fn about(&self, peer: Option<&About>) -> About {
        let known = self.other.instance().filter(|&known| peer.is_none_or(|peer| peer.instance == known));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Quota { messages, bytes } = self.limits.unacknowledged;
        let heard = match (known, peer) {
            (Some(known), _) => Some(HeardOf { instance: known.to_owned(), messages: self.heard.count() }),
            // It may have sent something after a handshake that came to its end on its side only.
            (None, Some(peer)) if !self.lost_count => {
                Some(HeardOf { instance: peer.instance.clone(), messages: 0 })
            }
            _ => None,
        };
        About {
            instance: self.instance.clone(),
            features: Feature::ALL.iter().map(|feature| feature.name().to_owned()).collect(),
            silence_ms: Some(millis(self.limits.silence_time)),
            message_size: Some(self.limits.message_size as u64),
            unacknowledged: Some((messages as u64, bytes as u64)),
            heard,
            token: None,
        }
    }

    /// There is a link from now on; its driver will look for the first time soon. `about`: what the peer said.
    pub(crate) fn link_up(&mut self, delivery: Delivery, about: Option<About>) -> LinkUp<W> {
        self.linked = true;
        self.brought = false;
        self.stored = matches!(delivery, Delivery::Stored { .. });
        let is_same =
            about.as_ref().is_some_and(|about| self.other.instance() == Some(about.instance.as_str()));
        let is_another = self.other.instance().is_some() && !is_same;
        let can = about.as_ref().is_some_and(|about| about.supports(Feature::Resume));
        self.resumes = can && !self.stored;
        self.outbox.link_up(delivery, self.resumes);
        let heard = about.as_ref().and_then(|about| about.heard.as_ref());
        // The peer counts on from what it heard of this session; else from nothing.
        let came = heard.filter(|heard| heard.instance == self.instance).map(|heard| heard.messages);
        if !is_same {
            self.heard.restart();
        }
        self.lost_count |= is_another && about.is_none();
        self.heard.link_up(about.as_ref().and_then(|about| about.unacknowledged));
        self.other.greet(about.as_ref());
        if self.stored {
            return LinkUp { wake: Vec::new(), is_another: false };
        }
        let resumed = self.resumes && is_same && came.is_some_and(|came| self.outbox.resume(came));
        let wake = if resumed { Vec::new() } else { self.start_over(came.unwrap_or(0), &Reason::Restarted) };
        if is_another {
            self.jobs.forget_requests();
        }
        LinkUp { wake, is_another }
    }

    /// What was sent is not repeated: its calls end.
    fn start_over(&mut self, came: u64, reason: &Reason) -> Vec<W> {
        self.outbox.start_over(came);
        self.end_sent(reason)
    }

    /// Calls that were sent, and that must not be repeated, end.
    pub(crate) fn end_sent(&mut self, reason: &Reason) -> Vec<W> {
        let (unsent, outbox) = (self.outbox.never_sent(), &self.outbox);
        let is_sent = |seq| !unsent.contains(&seq) && !outbox.is_repeatable(seq);
        self.calls.end_where(is_sent, || CallEnd::Lost(Error::MayHaveRun(reason.clone())))
    }

    /// The peer announced this on the latest link.
    pub(crate) fn supports(&self, feature: Feature) -> bool {
        self.other.supports(feature)
    }

    /// The time between two beats of the link that is there, if the peer beats too.
    pub(crate) fn beat_time(&self) -> Option<Duration> {
        let theirs = self.other.silence_time().filter(|_| !self.stored)?;
        Some(self.limits.silence_time.min(theirs.max(MIN_SILENCE_TIME)) / BEATS)
    }

    /// A beat's time is over. `came`: the link brought something since the last, if only a part of a message.
    pub(crate) fn beat(&mut self, came: bool) -> Beat {
        if came || self.paused {
            self.other.heard();
        }
        let beat = self.other.beat();
        if beat == Beat::Say {
            self.heard.tell();
        }
        beat
    }

    /// So many messages came, if the peer wants to know.
    pub(crate) fn heard_to_tell(&self) -> Option<u64> {
        self.resumes.then(|| self.heard.count())
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.linked
    }

    /// A newer connection of this peer came: the link that is there should end. Returns the connection's number, and
    /// the driver to wake.
    pub(crate) fn take_over(&mut self, goodbye: Goodbye) -> (u64, Option<W>) {
        self.newest_link += 1;
        (self.newest_link, self.end_link(goodbye))
    }

    /// No newer connection came than the one with this number.
    pub(crate) fn is_newest(&self, number: u64) -> bool {
        self.newest_link == number
    }

    /// Asks the driver to end the link, if there is one. Wake the returned.
    pub(crate) fn end_link(&mut self, goodbye: Goodbye) -> Option<W> {
        if !self.linked {
            return None;
        }
        self.goodbye = Some(goodbye);
        self.call_driver()
    }

    /// Moves everything that waits into `batch`; of a large message one chunk, if the link cuts messages. True if
    /// there is room for callers who wait for it.
    pub(crate) fn fill(&mut self, batch: &mut Batch, in_chunks: bool) -> bool {
        let was_full = self.outbox.meets(self.limits.queued);
        if self.must_acknowledge() {
            batch.push_acknowledgement(self.heard.count());
            self.heard.was_told();
        }
        self.outbox.fill(batch, in_chunks);
        was_full && !self.outbox.meets(self.limits.queued)
    }

    /// All of the last batch went out.
    pub(crate) fn filled_was_sent(&mut self) {
        self.outbox.filled_was_sent();
    }

    /// So many of the messages that the link took are in its store. True if there is room for callers who wait for it.
    pub(crate) fn confirmed(&mut self, count: u64) -> bool {
        let was_full = self.outbox.meets(self.limits.queued);
        let arrivals = &mut self.arrivals;
        self.outbox.confirmed(count, |arrival| arrivals.settle(arrival));
        was_full && !self.outbox.meets(self.limits.queued)
    }

    /// Queues a close notify as the last thing to send on this link.
    pub(crate) fn push_close(&mut self, reason: Option<&str>) {
        self.outbox.push_close(reason);
    }

    /// The link is gone; `batch` is what it did not take. Unsent messages wait for the next link. Calls that were sent
    /// end, unless the peer may come back and go on. Wake the returned.
    pub(crate) fn link_lost(&mut self, batch: Batch, why: &str, lost: Lost) -> Vec<W> {
        self.linked = false;
        self.driver = None;
        self.driver_called = false;
        self.paused = false;
        self.goodbye = None;
        if self.stored {
            // What the store has, it hands over; what it may not have, the next link takes again.
            let given_up = self.outbox.stored_link_lost(lost == Lost::Refused);
            let not_sent = || CallEnd::Lost(Error::NotSent(Reason::Disconnected(why.to_owned())));
            return self.calls.end_where(|seq| given_up == Some(seq), not_sent);
        }
        let given_up = self.outbox.link_lost(batch);
        let reason = self.closed.clone().unwrap_or_else(|| Reason::Disconnected(why.to_owned()));
        let may_have_run = given_up.is_some_and(|seq| self.outbox.was_repeated(seq));
        let error = if may_have_run { Error::MayHaveRun } else { Error::NotSent };
        let given_up = |seq| given_up == Some(seq);
        let mut wake = self.calls.end_where(given_up, || CallEnd::Lost(error(reason.clone())));
        if !self.resumes || lost == Lost::Over {
            wake.extend(self.start_over(0, &reason));
        }
        wake
    }

    /// The peer went to another server, which has all that is in the store. Calls to it end, and what was queued for it
    /// is dropped. Wake the returned.
    pub(crate) fn moved(&mut self, why: &str) -> Vec<W> {
        self.arrivals.forget();
        self.jobs.forget_waiting();
        let unsent = self.outbox.clear();
        let reason = || Reason::Disconnected(why.to_owned());
        let mut wake =
            self.calls.end_where(|seq| unsent.contains(&seq), || CallEnd::Lost(Error::NotSent(reason())));
        wake.extend(self.calls.end_where(|_| true, || CallEnd::Lost(Error::MayHaveRun(reason()))));
        wake
    }

    /// Nothing is accepted any more, and what waits ends. Wake the returned.
    pub(crate) fn close(&mut self, reason: Reason) -> Vec<W> {
        let reason = self.closed.get_or_insert(reason).clone();
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

    pub(crate) fn closed(&self) -> Option<&Reason> {
        self.closed.as_ref()
    }

    /// The driver, if it has to be woken to see what is there.
    pub(crate) fn call_driver(&mut self) -> Option<W> {
        if self.driver_called {
            return None;
        }
        self.driver_called = self.driver.is_some();
        self.driver.clone()
    }
}
