//! Messages on their way out: encoded when they are queued, kept until a link took them whole.
//!
//! Each message has a number. What a broken link did not take goes back to the front, so that numbers in the queue
//! always rise. Messages above the chunk size wait beside the queue and go out a chunk at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::num::NonZeroU64;

use bytes::{BufMut, BytesMut};

use super::kept::Kept;
use super::sent::{Entry, Sent};
use crate::connector::Delivery;
use crate::error::{Fault, FaultKind};
use crate::limits::Quota;
use crate::serializer::Payload;
use crate::wire::{
    Batch, Chunks, FRAME_HEAD, Kind, Metadata, Origin, Part, put_close, put_message, put_request,
};

/// A payload above this is not copied into the queue's buffer but handed over as it is.
const COPY_LIMIT: usize = 16 * 1024;
/// Bytes of a piece of a large message at most. Small messages wait for one piece at each end.
const PIECE: usize = 64 * 1024;
/// Frame head and metadata of most messages.
const TYPICAL_HEAD: usize = 160;
/// Bytes of a buffer for small messages.
const MIN_BUFFER: usize = 1024;
const MAX_BUFFER: usize = 64 * 1024;
/// A message during which so many links broke is not tried again: most likely the peer does not take it.
const TRIES: u32 = 3;

pub(crate) struct Outbox {
    parts: VecDeque<Part>,
    /// Whole small frames, still growing; they belong behind `parts`.
    tail: BytesMut,
    /// Number of the first message in `tail`, and how many there are.
    tail_seq: u64,
    tail_messages: u64,
    /// Bytes that the next buffer should have room for.
    room_ahead: usize,
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
    /// Numbers and ids of large requests that were given up when a part of them had gone out.
    late_cancels: Vec<(u64, String)>,
    kept: Kept,
    /// What the link takes is kept until the peer has it.
    resumes: bool,
    sent: Sent,
    /// What `sent` may hold.
    window: Quota,
    /// Requests that may be repeated whatever became of them, until they are answered or given up.
    repeatable: BTreeMap<u64, Entry>,
    /// Those of them that were, and how often.
    repeated: HashMap<u64, u32>,
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

    pub(super) fn messages(self) -> usize {
        self.messages
    }

    fn with(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    pub(super) fn meets(self, quota: Quota) -> bool {
        quota.is_met_by(self.messages, self.bytes)
    }
}

impl Outbox {
    /// `window`: what may be on its way to a peer that repeats are kept for.
    pub(super) fn new(session: &str, chunk_size: usize, window: Quota) -> Self {
        Self {
            parts: VecDeque::new(),
            tail: BytesMut::new(),
            tail_seq: 0,
            tail_messages: 0,
            room_ahead: 0,
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
            late_cancels: Vec::new(),
            kept: Kept::default(),
            resumes: false,
            sent: Sent::default(),
            window,
            repeatable: BTreeMap::new(),
            repeated: HashMap::new(),
            origin: Origin { session: session.into(), round: 0 },
        }
    }

    /// The number the next message will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Queues a request or a throw. `repeatable`: it may be repeated though it was sent. Returns its bytes.
    pub(super) fn push_request(
        &mut self,
        id: &str,
        kind: Kind,
        route: Option<&str>,
        more: &str,
        payload: Payload,
        repeatable: bool,
    ) -> usize {
        self.push(payload, repeatable, |out| put_request(id, kind, route, more, out))
    }

    /// Queues the word that nobody waits for the answer to this request. It must not overtake what it is about.
    pub(super) fn push_cancel(&mut self, seq: u64, id: &str) {
        if self.large.iter().any(|(large, _)| *large == seq) {
            self.late_cancels.push((seq, id.to_owned()));
            return;
        }
        self.push(Vec::new().into(), false, |out| put_request(id, Kind::Cancel, None, "", out));
    }

    pub(super) fn push_answer(&mut self, request: &Metadata, kind: Kind, payload: Payload) {
        if let Some(arrival) = request.arrival() {
            self.kept.settle_after(self.next_seq, arrival);
        }
        let bytes = self.push(payload, false, |out| request.put_answer(kind, out));
        self.answers.add(bytes);
    }

    /// The last thing on a link. It is not repeated on the next.
    pub(super) fn push_close(&mut self, reason: Option<&str>) {
        self.seal();
        let mut frame = BytesMut::new();
        put_close(&mut frame, reason);
        self.parts.push_back(Part::new(None, frame.freeze(), None));
    }

    fn push(&mut self, payload: Payload, keep: bool, put_metadata: impl FnOnce(&mut BytesMut)) -> usize {
        let (seq, size) = (self.next_seq, payload.len());
        self.next_seq += 1;
        let bytes = if size > self.chunk_size {
            // The numbers of one part have no gaps.
            self.seal();
            let mut metadata = BytesMut::new();
            put_metadata(&mut metadata);
            let piece = self.chunk_size.min(PIECE);
            let chunks = Chunks::new(metadata.freeze(), payload.into_bytes(), piece);
            let bytes = chunks.len();
            if keep {
                self.repeatable.insert(seq, Entry::Large(seq, chunks.clone()));
            }
            self.large.push_back((seq, chunks));
            bytes
        } else if size > COPY_LIMIT || keep {
            self.seal();
            let mut frame = BytesMut::new();
            put_message(&mut frame, size, put_metadata);
            let part = Part::new(Some(seq), frame.freeze(), Some(payload.into_bytes()));
            let bytes = part.len();
            if keep {
                self.repeatable.insert(seq, Entry::Part(part.clone()));
            }
            self.parts.push_back(part);
            bytes
        } else {
            if self.tail.is_empty() {
                self.tail_seq = seq;
                self.make_room(size);
            }
            self.tail_messages += 1;
            let before = self.tail.len();
            put_message(&mut self.tail, size, put_metadata);
            self.tail.put_slice(&payload);
            self.tail.len() - before
        };
        self.queued.add(bytes);
        bytes
    }

    /// What was sealed is kept until the peer has it, and its memory with it: the next buffer is as large as they have
    /// been lately, or every message would have one of its own.
    fn make_room(&mut self, payload: usize) {
        let needed = payload + TYPICAL_HEAD;
        if self.tail.capacity() < needed {
            self.tail = BytesMut::with_capacity(needed.max(self.room_ahead.clamp(MIN_BUFFER, MAX_BUFFER)));
        }
    }

    /// Ends the growing part, so that something else can stand behind it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.room_ahead = self.tail.len() * 4;
            let frames = self.tail.split().freeze();
            let messages = std::mem::take(&mut self.tail_messages);
            self.parts.push_back(Part::many(self.tail_seq, messages, frames));
        }
    }

    pub(super) fn meets(&self, quota: Quota) -> bool {
        self.queued.with(self.kept.amount()).meets(quota) || self.window_is_full()
    }

    /// So much is on its way that nothing more goes out before the peer says what came.
    pub(super) fn window_is_full(&self) -> bool {
        self.sent.meets(self.window)
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
        if self.window_is_full() {
            self.handed_out = !batch.is_empty();
            return;
        }
        self.seal();
        self.drop_withdrawn();
        if !in_chunks {
            self.put_large_in_order();
        }
        batch.set_origin(&self.origin);
        while let Some(part) = self.parts.pop_front() {
            if self.stored {
                self.kept.take(&part);
            } else if self.resumes {
                self.sent.take(Entry::Part(part.clone()));
            }
            self.queued.take_many(part.messages, part.len());
            batch.push(part);
            if self.window_is_full() {
                break;
            }
        }
        if self.parts.is_empty() {
            self.queued = self.large_amount();
            self.answers = Amount::default();
            self.cut_chunk(batch);
        }
        self.handed_out = !batch.is_empty();
    }

    /// The next piece of a large message, behind everything small.
    fn cut_chunk(&mut self, batch: &mut Batch) {
        let Some((seq, chunks)) = self.large.front_mut() else { return };
        let (head, piece) = chunks.cut();
        batch.push(Part::new(None, head, Some(piece)));
        if self.resumes && chunks.is_done() {
            self.sent.take(Entry::Large(*seq, chunks.clone()));
        }
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
        for (seq, id) in std::mem::take(&mut self.late_cancels) {
            self.push_cancel(seq, &id);
        }
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
                let late = std::mem::take(&mut self.late_cancels);
                for (large, id) in late {
                    self.push_cancel(large, &id);
                }
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
            return whole && !self.repeated.contains_key(&seq);
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
            return !self.repeated.contains_key(&seq);
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
    pub(super) fn link_up(&mut self, delivery: Delivery, resumes: bool) {
        self.resumes = resumes;
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

    /// Puts back what a link did not take. What it took stays known, if it is to be repeated. Returns the number of a
    /// message that is given up.
    pub(super) fn link_lost(&mut self, batch: Batch) -> Option<u64> {
        self.seal();
        // A goodbye belongs to the link it was meant for.
        self.parts.retain(|part| part.seq.is_some());
        let is_done = self.large.front().is_some_and(|(_, chunks)| chunks.is_done());
        if batch.holds_chunk() && is_done && self.resumes {
            // Its last piece did not go out after all.
            self.sent.take_back(1);
        }
        if !batch.holds_chunk() {
            // Whatever else is left of it, the chunk in it went out.
            let late = std::mem::take(&mut self.withdrawn_late);
            self.filled_was_sent();
            self.withdrawn_late = late;
        }
        let large = self.large.front().filter(|(_, chunks)| !chunks.is_whole()).map(|(seq, _)| *seq);
        // A peer that resumes has said what it accepts; such a link breaks for other reasons.
        let given_up = self.count_try(large.or(batch.begun()).filter(|_| !self.resumes));
        let late = std::mem::take(&mut self.withdrawn_late);
        self.handed_out = false;
        let unsent: Vec<_> = batch.into_unsent().collect();
        if self.resumes {
            self.sent.take_back(unsent.len() as u64);
        }
        for part in unsent.into_iter().rev() {
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
        given_up
    }

    /// An earlier link took this request whole.
    pub(super) fn was_repeated(&self, seq: u64) -> bool {
        self.repeated.contains_key(&seq)
    }

    /// So many messages came to the peer. False if that cannot be.
    pub(super) fn came(&mut self, count: u64) -> bool {
        self.sent.came(count)
    }

    /// The peer that has so many messages is there again: it gets the others now. False if they are not known any more.
    pub(super) fn resume(&mut self, came: u64) -> bool {
        if !self.sent.came(came) {
            return false;
        }
        let rest = self.sent.take_rest();
        self.put_back_entries(rest);
        true
    }

    /// What was sent is not kept any more, but for what may be repeated: that is queued again.
    pub(super) fn start_over(&mut self, came: u64) {
        self.sent.restart(came);
        if !self.repeatable.is_empty() {
            let unsent = self.unsent();
            let again: Vec<u64> =
                self.repeatable.keys().copied().filter(|seq| !unsent.contains(seq)).collect();
            let mut entries = Vec::new();
            for seq in again {
                let tries = self.repeated.entry(seq).or_default();
                *tries += 1;
                if *tries >= TRIES {
                    // It may be what ends the links, after it was sent whole.
                    self.repeatable.remove(&seq);
                    self.repeated.remove(&seq);
                } else {
                    entries.extend(self.repeatable.get(&seq).cloned());
                }
            }
            self.put_back_entries(entries);
        }
    }

    fn put_back_entries(&mut self, entries: Vec<Entry>) {
        self.seal();
        for entry in entries.into_iter().rev() {
            match entry {
                Entry::Part(part) => {
                    self.queued.add(part.len());
                    self.parts.push_front(part);
                }
                Entry::Large(seq, mut chunks) => {
                    chunks.restart();
                    self.queued.add(chunks.len());
                    self.large.push_front((seq, chunks));
                }
            }
        }
    }

    /// So many messages came to the peer.
    pub(super) fn came_so_far(&self) -> u64 {
        self.sent.came_so_far()
    }

    /// Some of what was sent is to be repeated, should the link be lost.
    pub(super) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// The request with this number is not to be repeated any more.
    pub(super) fn never_repeat(&mut self, seq: u64) {
        if !self.repeatable.is_empty() {
            self.repeatable.remove(&seq);
            self.repeated.remove(&seq);
        }
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
        self.repeatable.remove(&seq);
        self.late_cancels.retain(|(large, _)| *large != seq);
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
        let unsent = self.never_sent();
        self.parts.retain(|part| part.seq.is_none());
        self.large.clear();
        self.sent.restart(0);
        self.repeated.clear();
        self.late_cancels.clear();
        self.kept.clear();
        self.repeatable.clear();
        (self.queued, self.answers) = (Amount::default(), Amount::default());
        unsent
    }

    /// The request may be repeated, or waits to be sent for the first time.
    pub(super) fn is_repeatable(&self, seq: u64) -> bool {
        self.repeatable.contains_key(&seq)
    }

    /// Numbers of what never left: no link, nor an earlier one, took it whole.
    pub(super) fn never_sent(&self) -> HashSet<u64> {
        let mut unsent = self.unsent();
        unsent.retain(|seq| !self.repeated.contains_key(seq));
        unsent
    }

    /// Numbers of what waits to be sent.
    fn unsent(&self) -> HashSet<u64> {
        let mut unsent: HashSet<u64> = self.large.iter().map(|(seq, _)| *seq).collect();
        unsent.extend(self.tail_seq..self.tail_seq + self.tail_messages);
        for part in &self.parts {
            unsent.extend(part.clone().split().filter_map(|message| message.seq));
        }
        unsent
    }
}
