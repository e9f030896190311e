//! One session, the program that uses it, and its half of the link.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

use super::super::script::Script;
use crate::connector::Delivery;
use crate::error::{Error, Reason};
use crate::limits::Limits;
use crate::session::{CallEnd, CallId, Event, Intake, Lost, Session, What};
use crate::wire::hello::About;
use crate::wire::{Batch, Decoder, Kind, Message, Metadata, Received};

/// Small, so that a fuzzer meets them.
const QUEUED: usize = 8;
const QUEUED_BYTES: usize = 4096;
const CHUNK: usize = 1024;
const LARGE: usize = 2500;

fn limits() -> Limits {
    Limits::new()
        .chunk_size(CHUNK)
        .message_size(2 * LARGE)
        .running(3)
        .waiting(6, 4096)
        .queued(QUEUED, QUEUED_BYTES)
        .unacknowledged(QUEUED, QUEUED_BYTES)
}

pub(super) struct Side {
    pub(super) who: usize,
    session: Session<()>,
    batch: Batch,
    /// The link has a batch and did not take all of it.
    owed: bool,
    /// What the link took and the other side did not read.
    written: BytesMut,
    input: BytesMut,
    decoder: Decoder,
    /// What this side sent.
    pub(super) messages: Vec<Sent>,
    /// Numbers of what its handlers were started with.
    pub(super) handled: Vec<u64>,
    running: Vec<Message>,
    instance: usize,
}

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) call: Option<CallId>,
    pub(super) idempotent: bool,
    /// It was for the link that was there.
    pub(super) here: bool,
    /// It was given up in time.
    pub(super) never_sent: bool,
    pub(super) end: Option<End>,
}

impl Sent {
    fn new(number: u64, call: Option<CallId>) -> Self {
        Self { number, call, idempotent: false, here: false, never_sent: false, end: None }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Value,
    Fault,
    NotSent,
    /// The responder said that it begins nothing.
    Refused,
    MayHaveRun,
    GivenUp,
}

impl Side {
    pub(super) fn new(who: usize, instance: usize) -> Self {
        let limits = limits();
        Self {
            who,
            session: Session::new(format!("instance{instance}x"), "w1".into(), limits.clone().into()),
            batch: Batch::default(),
            owed: false,
            written: BytesMut::new(),
            input: BytesMut::new(),
            decoder: Decoder::new(limits.wire()),
            messages: Vec::new(),
            handled: Vec::new(),
            running: Vec::new(),
            instance,
        }
    }

    pub(super) fn shown(&self) -> String {
        format!(
            "{} messages, {} handled, {} running, unsent: {}, held back: {}, batch {:?}, linked: {}",
            self.messages.len(),
            self.handled.len(),
            self.running.len(),
            self.session.has_unsent(),
            self.session.is_held_back(),
            self.batch,
            self.session.is_linked(),
        )
    }

    // The program -----------------------------------------------------------------------------------------------

    /// A payload that tells its number: of this instance, so that no two messages have one.
    fn payload(&self, script: &mut Script<'_>, large: bool) -> (u64, Option<crate::serializer::Payload>) {
        let number = (self.instance as u64) << 32 | self.messages.len() as u64;
        let size = if large { LARGE } else { script.pick(&[0, 0, 100, 900]) };
        (number, Some(format!("{number:<size$}").into_bytes().into()))
    }

    pub(super) fn call(&mut self, script: &mut Script<'_>, large: bool) {
        let (number, mut payload) = self.payload(script, large);
        let kind = script.byte() % 8;
        let (idempotent, here) = (kind == 7, kind == 6);
        let what = What { route: Some("r"), idempotent, here, ..What::default() };
        if let Ok(requested) = self.session.request(what, &mut payload) {
            self.messages.push(Sent { idempotent, here, ..Sent::new(number, Some(requested.call)) });
        }
    }

    pub(super) fn throw(&mut self, script: &mut Script<'_>) {
        let large = script.byte() % 8 == 7;
        let (number, mut payload) = self.payload(script, large);
        if self.session.throw(What { route: Some("r"), ..What::default() }, &mut payload).is_ok() {
            self.messages.push(Sent::new(number, None));
        }
    }

    /// Every call that ended is told so, once.
    pub(super) fn look_at_calls(&mut self) {
        for message in &mut self.messages {
            let Some(call) = message.call else { continue };
            let Some(end) = self.session.poll_call(call, &mut Some(())) else { continue };
            assert_eq!(message.end, None, "a call ended twice");
            message.end = Some(match end {
                CallEnd::Value(value) => {
                    assert_eq!(number_of(&value), message.number, "an answer to another call");
                    End::Value
                }
                // The answer was given up.
                CallEnd::Fault(_) => End::Fault,
                CallEnd::Lost(Error::NotSent(Reason::NotBegun(_))) => End::Refused,
                CallEnd::Lost(Error::NotSent(_)) => End::NotSent,
                CallEnd::Lost(Error::MayHaveRun(_)) => End::MayHaveRun,
                CallEnd::Lost(error) => panic!("{error:?}"),
            });
        }
    }

    pub(super) fn give_up(&mut self, which: usize) {
        let mut open: Vec<_> = self
            .messages
            .iter_mut()
            .filter(|message| message.call.is_some() && message.end.is_none())
            .collect();
        if open.is_empty() {
            return;
        }
        let which = which % open.len();
        let message = &mut open[which];
        let Some(call) = message.call else { return };
        message.never_sent = self.session.abandon(call).unsent;
        message.end = Some(End::GivenUp);
    }

    /// The handler of one message ends.
    pub(super) fn finish(&mut self, which: usize) {
        if self.running.is_empty() {
            return;
        }
        let message = self.running.swap_remove(which % self.running.len());
        self.session.jobs_done(1, message.metadata.size());
        self.session.answer(&message.metadata, Ok(message.payload.to_vec().into()));
        self.start_handlers();
    }

    pub(super) fn finish_all(&mut self) {
        while !self.running.is_empty() {
            self.finish(0);
        }
        self.start_handlers();
    }

    fn start_handlers(&mut self) {
        let (mut mine, mut batch) = (false, VecDeque::new());
        loop {
            self.session.start_jobs(&mut mine, &mut batch);
            if batch.is_empty() {
                return;
            }
            for message in batch.drain(..) {
                self.handled.push(number_of(&message.payload));
                self.running.push(message);
            }
        }
    }

    /// The handlers of requests nobody waits for are stopped.
    fn stop(&mut self, is_over: impl Fn(&Metadata) -> bool) {
        let (over, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|message| message.metadata.kind() == Kind::Request && is_over(&message.metadata));
        self.running = running;
        let over: Vec<Message> = over;
        for message in over {
            self.session.was_cancelled(&message.metadata.id());
            self.session.job_stopped(&message.metadata);
        }
    }

    // The link --------------------------------------------------------------------------------------------------

    pub(super) fn about(&self, peer: Option<&About>) -> About {
        self.session.about(peer)
    }

    pub(super) fn link_up(&mut self, about: Option<About>) {
        let up = self.session.link_up(Delivery::Direct, about);
        let _ = self.session.driver_looks(|_| ());
        if up.is_another {
            self.stop(|_| true);
        }
    }

    pub(super) fn link_lost(&mut self, how: Lost) {
        let batch = std::mem::take(&mut self.batch);
        self.session.link_lost(batch, "it was cut", how);
        self.owed = false;
        self.written.clear();
        self.input.clear();
        self.decoder = Decoder::new(limits().wire());
    }

    /// The link takes up to so many bytes.
    pub(super) fn write(&mut self, mut count: usize) {
        while self.session.is_linked() && count > 0 {
            if !self.owed {
                self.session.fill(&mut self.batch, true);
                self.owed = !self.batch.is_empty();
                if !self.owed {
                    return;
                }
                // What callers queued, answers, and what an earlier link took and may not have brought. One message may be beyond
                // each bound, and so may a chunk and acknowledgements.
                let most = 3 * QUEUED_BYTES + 4 * LARGE;
                assert!(self.batch.remaining() <= most, "{} bytes go out at once", self.batch.remaining());
            }
            let taken = count.min(self.batch.remaining());
            let bytes = self.batch.copy_to_bytes(taken);
            self.written.extend_from_slice(&bytes);
            count -= taken;
            if self.batch.is_empty() {
                self.owed = false;
                self.session.filled_was_sent();
            }
        }
    }

    /// Something is under way to the other side.
    pub(super) fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    pub(super) fn take_written(&mut self, count: usize) -> BytesMut {
        self.written.split_to(count.min(self.written.len()))
    }

    /// False if the link must end.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        self.input.extend_from_slice(bytes);
        loop {
            match self.session.intake() {
                Intake::Open => {}
                Intake::Paused => return true,
                Intake::Overrun => return false,
            }
            let next = self.decoder.next(&mut self.input).expect("our own side speaks the wire");
            let Some(Received::Message(mut message)) = next else { return true };
            match self.session.receive(&mut message) {
                Event::Cancelled(id) => {
                    self.session.cancel_job(id.clone());
                    self.stop(|metadata| metadata.id() == id);
                }
                Event::Dropped(why) => assert!(!why.contains("type"), "{why}"),
                Event::Answered(_) | Event::Queued | Event::Room | Event::Noted => {}
            }
            self.start_handlers();
        }
    }

    pub(super) fn beat(&mut self) {
        if self.session.is_linked() {
            // An invented clock: whether the peer is silent for too long is for the driver's tests.
            let _ = self.session.beat(true);
        }
    }

    /// It waits for an acknowledgement before it sends more.
    pub(super) fn is_held_back(&self) -> bool {
        self.session.is_held_back()
    }

    /// Nothing waits to be sent, to be handled or to be answered.
    pub(super) fn is_at_rest(&self) -> bool {
        let quiet = self.written.is_empty() && self.input.is_empty() && self.batch.is_empty();
        quiet && self.running.is_empty() && self.session.no_jobs() && !self.session.has_unsent()
    }
}

fn number_of(payload: &[u8]) -> u64 {
    let text = std::str::from_utf8(payload).expect("our payloads are text");
    text.trim_end().parse().expect("our payloads are numbers")
}
