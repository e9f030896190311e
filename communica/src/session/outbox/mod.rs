//! Messages on their way out: encoded when they are queued, kept until a link took them whole.
//!
//! Each message has a number. What a broken link did not take goes back to the front, so that numbers in the queue
//! always rise. Messages above the chunk size wait beside the queue and go out a chunk at a time.

mod large;
mod lost;
mod repeats;
mod stored;
mod too_large;
mod withdrawn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Buf, BufMut, BytesMut};
use large::{Large, LargeQueue};
pub(super) use too_large::TooLarge;

use super::amount::Amount;
use super::kept::Kept;
use super::sent::{Entry, Sent};
use crate::company::Company;
use crate::lean::Seldom;
use crate::limits::Quota;
use crate::serializer::Payload;
use crate::wire::{
    Batch, Chunks, Kind, Metadata, Mix, Origin, Part, parts_went, push_part, put_close, put_message,
    put_request,
};

/// A payload above this is not copied into the queue's buffer but handed over as it is.
const COPY_LIMIT: usize = 16 * 1024;
/// Bytes of a piece of a large message at most. Small messages wait for one piece at each end.
const PIECE: usize = 32 * 1024;
/// Bytes of small messages that go out between two pieces of a large one that came before them.
const BETWEEN_PIECES: usize = 8 * PIECE;
/// Bytes handed out at once, and the rest of a message: what is said of what came must not wait for all that waits.
const AT_ONCE: usize = 1024 * 1024;
/// A message of more bytes is a large one for the system, though it need not go out in pieces.
const MUCH: usize = 128 * 1024;
/// Frame head and metadata of most messages.
const TYPICAL_HEAD: usize = 160;
/// Bytes of a buffer for small messages.
const MIN_BUFFER: usize = 256;
const MAX_BUFFER: usize = 64 * 1024;
/// A message during which so many links broke is not tried again: most likely the peer does not take it.
const TRIES: u32 = 3;

/// What a message is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// A request, or what belongs to one, or a throw.
    Asks {
        /// It may be repeated though it was sent.
        repeatable: bool,
    },
    Answers,
}

struct CancelBehind {
    seq: u64,
    bytes: usize,
    /// Number of the request.
    request: u64,
    id: String,
}

pub(super) struct Outbox {
    chunk_size: usize,
    /// Numbers of queued messages that must not be sent any more.
    withdrawn: BTreeSet<u64>,
    /// The same of messages that a link has and may give back.
    withdrawn_late: BTreeSet<u64>,
    /// The message that was under way when the last link broke, and how many broke over it.
    broke_over: Option<(u64, u32)>,
    /// Numbers and ids of large requests that were given up when a part of them had gone out.
    late_cancels: Vec<(u64, String)>,
    /// Cancels of large requests that a link took whole and may have to take again.
    cancels_behind: Vec<CancelBehind>,
    /// Requests that may be repeated whatever became of them, until they are answered or given up.
    repeatable: BTreeMap<u64, Entry>,
    /// Those of them that were, and how often; and requests that a store may have had before they were queued again.
    repeated: BTreeMap<u64, u32>,
    origin: Origin,
    // What each message is about, see `Session`.
    /// Of links with a store.
    kept: Seldom<Kept>,
    company: Company,
    large: LargeQueue,
    /// What `sent` may hold.
    window: Quota,
    sent: Sent,
    parts: VecDeque<Part>,
    /// Whole small frames, still growing; they belong behind `parts`.
    tail: BytesMut,
    /// Number of the first message in `tail`, and how many there are.
    tail_seq: u64,
    tail_messages: u64,
    tail_answers: Amount,
    /// Bytes that the next buffer should have room for.
    room_ahead: usize,
    next_seq: u64,
    /// The highest number of a request that was answered.
    answered: u64,
    /// Small messages that wait.
    queued: Amount,
    /// Those of `queued` that are answers.
    answers: Amount,
    /// Small messages that a link was given, did not take whole yet, and may give back: they and the answers among them. None where they
    /// count as sent.
    handed: Amount,
    handed_answers: Amount,
    /// A link has what was filled last.
    handed_out: bool,
    /// The link has a store.
    stored: bool,
    /// What the link takes is kept until the peer has it.
    resumes: bool,
}

impl Outbox {
    /// `window`: what may be on its way to a peer that repeats are kept for.
    pub(super) fn new(session: &str, chunk_size: usize, window: Quota) -> Self {
        Self {
            parts: VecDeque::new(),
            tail: BytesMut::new(),
            tail_seq: 0,
            tail_messages: 0,
            tail_answers: Amount::default(),
            room_ahead: 0,
            next_seq: 0,
            answered: 0,
            large: LargeQueue::default(),
            company: Company::new(),
            chunk_size,
            withdrawn: BTreeSet::new(),
            withdrawn_late: BTreeSet::new(),
            handed_out: false,
            broke_over: None,
            queued: Amount::default(),
            answers: Amount::default(),
            handed: Amount::default(),
            handed_answers: Amount::default(),
            stored: false,
            late_cancels: Vec::new(),
            cancels_behind: Vec::new(),
            kept: Seldom::default(),
            resumes: false,
            sent: Sent::default(),
            window,
            repeatable: BTreeMap::new(),
            repeated: BTreeMap::new(),
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
        self.push(payload, Sort::Asks { repeatable }, |out| put_request(id, kind, route, more, out))
    }

    /// Queues the word that nobody waits for the answer to this request. It must not overtake what it is about.
    pub(super) fn push_cancel(&mut self, seq: u64, id: &str) {
        if self.large.find(seq).is_some() {
            self.late_cancels.push((seq, id.to_owned()));
            return;
        }
        let own = self.next_seq;
        let bytes = self.push(Vec::new().into(), Sort::Asks { repeatable: false }, |out| {
            put_request(id, Kind::Cancel, None, "", out)
        });
        if self.sent.holds_large(seq) {
            let sent = &self.sent;
            self.cancels_behind.retain(|cancel| sent.holds_large(cancel.request));
            self.cancels_behind.push(CancelBehind { seq: own, bytes, request: seq, id: id.to_owned() });
        }
    }

    pub(super) fn push_answer(&mut self, request: &Metadata, kind: Kind, payload: Payload) {
        if let Some(arrival) = request.arrival() {
            self.kept.get_or_make(Kept::default).settle_after(self.next_seq, arrival);
        }
        self.push(payload, Sort::Answers, |out| request.put_answer(kind, out));
    }

    /// The last thing on a link. It is not repeated on the next.
    pub(super) fn push_close(&mut self, reason: Option<&str>) {
        self.seal();
        let mut frame = BytesMut::new();
        put_close(&mut frame, reason);
        self.parts.push_back(Part::new(None, frame.freeze(), None));
    }

    fn push(&mut self, payload: Payload, sort: Sort, put_metadata: impl FnOnce(&mut BytesMut)) -> usize {
        let (seq, size) = (self.next_seq, payload.len());
        let (keep, is_answer) = (sort == Sort::Asks { repeatable: true }, sort == Sort::Answers);
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
            self.large.push_back(Large::new(seq, chunks, is_answer));
            return bytes;
        } else if size > COPY_LIMIT || keep {
            self.seal();
            let mut frame = BytesMut::new();
            put_message(&mut frame, size, put_metadata);
            let mut part = Part::new(Some(seq), frame.freeze(), Some(payload.into_bytes()));
            let bytes = part.len();
            if is_answer {
                part.answers = (1, bytes);
            }
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
            let bytes = self.tail.len() - before;
            if is_answer {
                self.tail_answers.add(bytes);
            }
            if self.tail.len() >= MAX_BUFFER {
                self.seal();
            }
            bytes
        };
        self.queued.add(bytes);
        if is_answer {
            self.answers.add(bytes);
        }
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
            let mut part = Part::many(self.tail_seq, messages, frames);
            part.answers = std::mem::take(&mut self.tail_answers).as_pair();
            push_part(&mut self.parts, part);
        }
    }

    /// No more fits, or nothing goes out for now.
    pub(super) fn meets(&self, quota: Quota) -> bool {
        self.holds(quota) || self.window_is_full()
    }

    /// So much waits to go out. The large message that is under way does not count, nor does what a link was given, up to as much again:
    /// what is more came back from links that broke.
    pub(super) fn holds(&self, quota: Quota) -> bool {
        let small = self.queued.with(self.handed.beyond(quota));
        small.with(self.large.waiting()).with(self.unconfirmed()).meets(quota)
    }

    /// So much is on its way that nothing more goes out before the peer says what came.
    pub(super) fn window_is_full(&self) -> bool {
        self.sent.meets(self.window)
    }

    /// So many answers wait that handlers should not make more. The large one that is under way does not count.
    pub(super) fn answers_meet(&self, quota: Quota) -> bool {
        let answers = self.answers.with(self.handed_answers.beyond(quota)).with(self.large.waiting_answers());
        answers.with(self.unconfirmed()).meets(quota)
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
        let (mut filled, mut overtook, mut largest) = (0, 0, 0);
        while let Some(part) = self.parts.pop_front() {
            if self.stored {
                self.kept.get_or_make(Kept::default).take(&part);
            } else if self.resumes {
                self.sent.take(Entry::Part(part.clone()));
            } else {
                self.handed.add_many(part.messages, part.len());
                self.handed_answers.add_many(part.answers.0, part.answers.1);
            }
            self.queued.take_many(part.messages, part.len());
            self.answers.take_many(part.answers.0, part.answers.1);
            filled += part.len();
            largest = part.len().max(largest);
            overtook += if self.large.is_older_than(&part) { part.len() } else { 0 };
            batch.push(part);
            if self.window_is_full() || filled >= AT_ONCE || overtook > BETWEEN_PIECES {
                break;
            }
        }
        if self.parts.is_empty() {
            (self.queued, self.answers) = (Amount::default(), Amount::default());
            parts_went(&mut self.parts);
        }
        if self.parts.front().is_none_or(|next| self.large.is_older_than(next)) {
            self.cut_chunk(batch);
        }
        self.handed_out = !batch.is_empty();
        let has_large = largest > MUCH || !self.large.is_empty();
        self.note_mix(batch, has_large, overtook > 0);
    }

    fn no_more_handed(&mut self) {
        (self.handed, self.handed_answers) = (Amount::default(), Amount::default());
    }

    fn note_mix(&mut self, batch: &mut Batch, has_large: bool, overtaken: bool) {
        match overtaken {
            true => self.company.came(),
            false => self.company.passed(batch.remaining()),
        }
        batch.set_mix(match self.company.is_likely() {
            true => Mix::Both,
            false if has_large => Mix::Large,
            false => Mix::Small,
        });
    }

    /// The link took all of what was filled last.
    pub(super) fn filled_was_sent(&mut self) {
        self.handed_out = false;
        self.no_more_handed();
        self.withdrawn_late.clear();
        if self.large.front().is_some_and(|large| large.chunks.is_done()) {
            self.large.pop_front();
            self.push_late_cancels();
        }
    }
}
