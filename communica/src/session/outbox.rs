//! Messages on their way out: encoded when they are queued, kept until a link took them whole.
//!
//! Each message has a number. What a broken link did not take goes back to the front, so that numbers in the queue
//! always rise. Messages above the chunk size wait beside the queue and go out a chunk at a time.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::num::NonZeroU64;

use bytes::{BufMut, BytesMut};

use super::kept::Kept;
use crate::connector::Delivery;
use crate::error::{Fault, FaultKind};
use crate::limits::Quota;
use crate::serializer::Payload;
use crate::wire::{
    Batch, Chunks, FRAME_HEAD, Kind, Metadata, Origin, Part, put_close, put_message, put_request,
};

/// A payload above this is not copied into the queue's buffer but handed over as it is.
const COPY_LIMIT: usize = 16 * 1024;
/// A message during which so many links broke is not tried again: most likely the peer does not take it.
const TRIES: u32 = 3;

pub(crate) struct Outbox {
    parts: VecDeque<Part>,
    /// Whole small frames, still growing; they belong behind `parts`.
    tail: BytesMut,
    /// Number of the first message in `tail`.
    tail_seq: u64,
    next_seq: u64,
    large: VecDeque<(u64, Chunks)>,
    chunk_size: usize,
    /// Numbers of queued messages that must not be sent any more.
    withdrawn: BTreeSet<u64>,
    /// The same of messages that a link has and may give back.
    withdrawn_late: HashSet<u64>,
    /// A link has what was filled last.
    handed_out: bool,
    /// The message that was under way when the last link broke, and how many broke over it.
    broke_over: Option<(u64, u32)>,
    queued: Amount,
    /// Those of `queued` that are answers.
    answers: Amount,
    /// The link has a store.
    stored: bool,
    kept: Kept,
    origin: Origin,
}

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
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn with(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    fn meets(self, quota: Quota) -> bool {
        quota.is_met_by(self.messages, self.bytes)
    }
}

/// What the end of a link means for messages.
pub(super) struct Lost {
    /// Numbers of those that no link took whole, and that go to the next.
    pub(super) unsent: HashSet<u64>,
    /// The number of one that is given up.
    pub(super) given_up: Option<u64>,
}

impl Outbox {
    pub(super) fn new(session: &str, chunk_size: usize) -> Self {
        Self {
            parts: VecDeque::new(),
            tail: BytesMut::new(),
            tail_seq: 0,
            next_seq: 0,
            large: VecDeque::new(),
            chunk_size,
            withdrawn: BTreeSet::new(),
            withdrawn_late: HashSet::new(),
            handed_out: false,
            broke_over: None,
            queued: Amount::default(),
            answers: Amount::default(),
            stored: false,
            kept: Kept::default(),
            origin: Origin { session: session.into(), round: 0 },
        }
    }

    /// The number the next message will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Queues a request or a throw. Returns its bytes.
    pub(super) fn push_request(
        &mut self,
        id: &str,
        kind: Kind,
        route: Option<&str>,
        more: &str,
        payload: Payload,
    ) -> usize {
        self.push(payload, |out| put_request(id, kind, route, more, out))
    }

    pub(super) fn push_answer(&mut self, request: &Metadata, kind: Kind, payload: Payload) {
        if let Some(arrival) = request.arrival() {
            self.kept.settle_after(self.next_seq, arrival);
        }
        let bytes = self.push(payload, |out| request.put_answer(kind, out));
        self.answers.add(bytes);
    }

    /// The last thing on a link. It is not repeated on the next.
    pub(super) fn push_close(&mut self, reason: Option<&str>) {
        self.seal();
        let mut frame = BytesMut::new();
        put_close(&mut frame, reason);
        self.parts.push_back(Part::new(None, frame.freeze(), None));
    }

    fn push(&mut self, payload: Payload, put_metadata: impl FnOnce(&mut BytesMut)) -> usize {
        let (seq, size) = (self.next_seq, payload.len());
        self.next_seq += 1;
        let bytes = if size > self.chunk_size {
            // The numbers of one part have no gaps.
            self.seal();
            let mut metadata = BytesMut::new();
            put_metadata(&mut metadata);
            let chunks = Chunks::new(metadata.freeze(), payload.into_bytes(), self.chunk_size);
            let bytes = chunks.len();
            self.large.push_back((seq, chunks));
            bytes
        } else if size > COPY_LIMIT {
            self.seal();
            let mut frame = BytesMut::new();
            put_message(&mut frame, size, put_metadata);
            let part = Part::new(Some(seq), frame.freeze(), Some(payload.into_bytes()));
            let bytes = part.len();
            self.parts.push_back(part);
            bytes
        } else {
            if self.tail.is_empty() {
                self.tail_seq = seq;
            }
            let before = self.tail.len();
            put_message(&mut self.tail, size, put_metadata);
            self.tail.put_slice(&payload);
            self.tail.len() - before
        };
        self.queued.add(bytes);
        bytes
    }

    /// Ends the growing part, so that something else can stand behind it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let frames = self.tail.split().freeze();
            self.parts.push_back(Part::new(Some(self.tail_seq), frames, None));
        }
    }

    pub(super) fn meets(&self, quota: Quota) -> bool {
        self.queued.with(self.kept.amount()).meets(quota)
    }

    /// So many answers wait that handlers should not make more.
    pub(super) fn answers_meet(&self, quota: Quota) -> bool {
        self.answers.with(self.kept.amount()).meets(quota)
    }

    /// Nothing waits to be handed to a link.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tail.is_empty() && self.large.is_empty()
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, in_chunks: bool) {
        self.seal();
        self.drop_withdrawn();
        if !in_chunks {
            self.put_large_in_order();
        }
        batch.set_origin(&self.origin);
        for part in self.parts.drain(..) {
            if self.stored {
                self.kept.take(&part);
            }
            batch.push(part);
        }
        self.queued = self.large_amount();
        self.answers = Amount::default();
        if let Some((_, chunks)) = self.large.front_mut() {
            let (head, piece) = chunks.cut();
            batch.push(Part::new(None, head, Some(piece)));
        }
        self.handed_out = !batch.is_empty();
    }

    /// A road that carries whole messages gets all in the order of their numbers.
    fn put_large_in_order(&mut self) {
        if self.large.is_empty() {
            return;
        }
        let mut parts = std::mem::take(&mut self.parts).into_iter().peekable();
        for (seq, chunks) in self.large.drain(..) {
            while let Some(earlier) = parts.next_if(|part| part.seq.is_some_and(|other| other < seq)) {
                self.parts.push_back(earlier);
            }
            let (metadata, payload) = chunks.whole();
            let mut frame = BytesMut::with_capacity(FRAME_HEAD + metadata.len());
            put_message(&mut frame, payload.len(), |out| out.put_slice(&metadata));
            self.parts.push_back(Part::new(Some(seq), frame.freeze(), Some(payload)));
        }
        self.parts.extend(parts);
    }

    fn large_amount(&self) -> Amount {
        let bytes = self.large.iter().map(|(_, chunks)| chunks.len()).sum();
        Amount { messages: self.large.len(), bytes }
    }

    /// The link took all of what was filled last.
    pub(super) fn filled_was_sent(&mut self) {
        self.handed_out = false;
        self.withdrawn_late.clear();
        if self.large.front().is_some_and(|(_, chunks)| chunks.is_done()) {
            if let Some((_, chunks)) = self.large.pop_front() {
                self.queued.take(chunks.len());
            }
        }
    }

    /// Takes a message of so many bytes back. False when a link has it already; if that gives it back, it is not
    /// sent again either.
    pub(super) fn withdraw(&mut self, seq: u64, bytes: usize) -> bool {
        if let Some(at) = self.large.iter().position(|(large, _)| *large == seq) {
            let whole = self.large[at].1.is_whole();
            if whole {
                self.large.remove(at);
                self.queued.take(bytes);
            }
            return whole;
        }
        let first = self.parts.iter().find_map(|part| part.seq);
        let first = first.or((!self.tail.is_empty()).then_some(self.tail_seq));
        if first.is_some_and(|first| seq >= first) {
            self.withdrawn.insert(seq);
            self.queued.take(bytes);
            // While no link empties the queue, what was taken back must not fill memory.
            if self.withdrawn.len() > self.queued.messages.max(64) {
                self.seal();
                self.drop_withdrawn();
            }
            return true;
        }
        if self.stored {
            self.kept.over(seq);
        } else if self.handed_out {
            self.withdrawn_late.insert(seq);
        }
        false
    }

    fn drop_withdrawn(&mut self) {
        if self.withdrawn.is_empty() {
            return;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let messages = std::mem::take(&mut self.parts).into_iter().flat_map(Part::split);
        self.parts = messages.filter(|part| part.seq.is_none_or(|seq| !withdrawn.contains(&seq))).collect();
    }

    /// What a link takes from now on has this fate.
    pub(super) fn link_up(&mut self, delivery: Delivery) {
        self.stored = matches!(delivery, Delivery::Stored { .. });
        if delivery == (Delivery::Stored { fresh: true }) {
            let lost = self.kept.take_unanswered();
            // Whatever the store had of these messages, what is sent now is no copy of it: the answer may be lost, too.
            self.origin.round += 1;
            self.put_back(lost);
        }
    }

    /// So many messages of this link are in its store; `settle` is called for what their answers settle.
    pub(super) fn confirmed(&mut self, count: u64, settle: impl FnMut(NonZeroU64)) {
        self.kept.confirmed(count, settle);
    }

    /// The request with this number has its answer.
    pub(super) fn answered(&mut self, seq: u64) {
        self.kept.over(seq);
    }

    /// Something is not in the store yet.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.kept.amount().messages > 0
    }

    /// Puts back what the store may not have. `refused`: it did not accept a message, which is most likely the first of
    /// them. Returns the number of one that is given up.
    pub(super) fn stored_link_lost(&mut self, refused: bool) -> Option<u64> {
        self.seal();
        self.parts.retain(|part| part.seq.is_some());
        self.handed_out = false;
        let lost = self.kept.take_unconfirmed();
        let first = lost.first().and_then(|message| message.seq);
        self.put_back(lost);
        let given_up = self.count_try(first.filter(|_| refused));
        if let Some(seq) = given_up {
            self.give_up(seq);
        }
        given_up
    }

    fn put_back(&mut self, messages: Vec<Part>) {
        self.seal();
        for message in messages.into_iter().rev() {
            self.queued.add(message.len());
            self.parts.push_front(message);
        }
    }

    /// Puts back what a link did not take.
    pub(super) fn link_lost(&mut self, batch: Batch) -> Lost {
        self.seal();
        // A goodbye belongs to the link it was meant for.
        self.parts.retain(|part| part.seq.is_some());
        if !batch.holds_chunk() {
            // Whatever else is left of it, the chunk in it went out.
            let late = std::mem::take(&mut self.withdrawn_late);
            self.filled_was_sent();
            self.withdrawn_late = late;
        }
        let large = self.large.front().filter(|(_, chunks)| !chunks.is_whole()).map(|(seq, _)| *seq);
        let given_up = self.count_try(large.or(batch.begun()));
        let late = std::mem::take(&mut self.withdrawn_late);
        self.handed_out = false;
        for part in batch.into_unsent().collect::<Vec<_>>().into_iter().rev() {
            if part.seq.is_some_and(|seq| late.contains(&seq)) {
                continue;
            }
            self.queued.add(part.len());
            self.parts.push_front(part);
        }
        if let Some((_, chunks)) = self.large.front_mut() {
            chunks.restart();
        }
        if let Some(seq) = given_up {
            self.give_up(seq);
        }
        Lost { unsent: self.unsent(), given_up }
    }

    /// Counts the links that broke over one message. `Some` when it is enough.
    fn count_try(&mut self, under_way: Option<u64>) -> Option<u64> {
        let seq = under_way?;
        let tries = match self.broke_over {
            Some((same, tries)) if same == seq => tries + 1,
            _ => 1,
        };
        self.broke_over = Some((seq, tries));
        (tries >= TRIES).then_some(seq)
    }

    /// Drops a message; an answer becomes an error that says so.
    fn give_up(&mut self, seq: u64) {
        let mut metadata = None;
        if let Some(at) = self.large.iter().position(|(large, _)| *large == seq) {
            metadata = self.large.remove(at).and_then(|(_, chunks)| chunks.metadata());
        } else if let Some(at) = self.parts.iter().position(|part| part.seq == Some(seq)) {
            metadata = self.parts.remove(at).and_then(|part| part.metadata());
        }
        let Some(metadata) = metadata else { return };
        let why =
            format!("{TRIES} links broke while this message was sent; it may be larger than the peer takes");
        match metadata.kind() {
            Kind::Request => {}
            Kind::Throw => tracing::error!(route = metadata.route().as_deref(), "dropped a throw: {why}"),
            _ => {
                let fault = Fault::new(FaultKind::Resp, format!("the answer could not be sent: {why}"), None);
                self.push_answer(&metadata, Kind::Resp, fault.to_bytes().into());
            }
        }
    }

    /// Drops everything. Returns the numbers of what was dropped.
    pub(super) fn clear(&mut self) -> HashSet<u64> {
        self.seal();
        let unsent = self.unsent();
        self.parts.retain(|part| part.seq.is_none());
        self.large.clear();
        self.kept.clear();
        (self.queued, self.answers) = (Amount::default(), Amount::default());
        unsent
    }

    fn unsent(&self) -> HashSet<u64> {
        let mut unsent: HashSet<u64> = self.large.iter().map(|(seq, _)| *seq).collect();
        for part in &self.parts {
            let copy = Part::new(part.seq, part.frames.clone(), part.payload.clone());
            unsent.extend(copy.split().filter_map(|message| message.seq));
        }
        unsent
    }
}
