//! Messages on their way out: encoded when they are queued, kept until a link took them whole.
//!
//! Each message has a number. What a broken link did not take goes back to the front, so that numbers in the queue
//! always rise. Messages above the chunk size wait beside the queue and go out a chunk at a time.

use std::collections::{BTreeSet, HashSet, VecDeque};

use bytes::{BufMut, BytesMut};

use crate::limits::Quota;
use crate::serializer::Payload;
use crate::wire::{Batch, Chunks, FRAME_HEAD, Kind, Metadata, Part, put_close, put_message, put_request};

/// A payload above this is not copied into the queue's buffer but handed over as it is.
const COPY_LIMIT: usize = 16 * 1024;

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
    messages: usize,
    bytes: usize,
}

impl Outbox {
    pub(super) fn new(chunk_size: usize) -> Self {
        Self {
            parts: VecDeque::new(),
            tail: BytesMut::new(),
            tail_seq: 0,
            next_seq: 0,
            large: VecDeque::new(),
            chunk_size,
            withdrawn: BTreeSet::new(),
            messages: 0,
            bytes: 0,
        }
    }

    /// The number the next message will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn push_request(
        &mut self,
        id: &str,
        kind: Kind,
        route: Option<&str>,
        more: &str,
        payload: Payload,
    ) {
        self.push(payload, |out| put_request(id, kind, route, more, out));
    }

    pub(super) fn push_answer(&mut self, request: &Metadata, kind: Kind, payload: Payload) {
        self.push(payload, |out| request.put_answer(kind, out));
    }

    /// The last thing on a link. It is not repeated on the next.
    pub(super) fn push_close(&mut self, reason: Option<&str>) {
        self.seal();
        let mut frame = BytesMut::new();
        put_close(&mut frame, reason);
        self.parts.push_back(Part::new(None, frame.freeze(), None));
    }

    fn push(&mut self, payload: Payload, put_metadata: impl FnOnce(&mut BytesMut)) {
        let (seq, size) = (self.next_seq, payload.len());
        self.next_seq += 1;
        self.messages += 1;
        if size > self.chunk_size {
            let mut metadata = BytesMut::new();
            put_metadata(&mut metadata);
            let chunks = Chunks::new(metadata.freeze(), payload.into_bytes(), self.chunk_size);
            self.bytes += chunks.len();
            self.large.push_back((seq, chunks));
            // The numbers of one part have no gaps.
            self.seal();
        } else if size > COPY_LIMIT {
            self.seal();
            let mut frame = BytesMut::new();
            put_message(&mut frame, size, put_metadata);
            let part = Part::new(Some(seq), frame.freeze(), Some(payload.into_bytes()));
            self.bytes += part.len();
            self.parts.push_back(part);
        } else {
            if self.tail.is_empty() {
                self.tail_seq = seq;
            }
            let before = self.tail.len();
            put_message(&mut self.tail, size, put_metadata);
            self.tail.put_slice(&payload);
            self.bytes += self.tail.len() - before;
        }
    }

    /// Ends the growing part, so that something else can stand behind it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let frames = self.tail.split().freeze();
            self.parts.push_back(Part::new(Some(self.tail_seq), frames, None));
        }
    }

    pub(super) fn meets(&self, quota: Quota) -> bool {
        quota.is_met_by(self.messages, self.bytes)
    }

    /// Nothing waits to be handed to a link.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tail.is_empty() && self.large.is_empty()
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, in_chunks: bool) {
        self.seal();
        self.drop_withdrawn();
        for part in self.parts.drain(..) {
            batch.push(part);
        }
        self.messages = self.large.len();
        self.bytes = self.large.iter().map(|(_, chunks)| chunks.len()).sum();
        if in_chunks {
            if let Some((_, chunks)) = self.large.front_mut() {
                let (head, piece) = chunks.cut();
                batch.push(Part::new(None, head, Some(piece)));
            }
            return;
        }
        for (seq, chunks) in self.large.drain(..) {
            let (metadata, payload) = chunks.whole();
            let mut frame = BytesMut::with_capacity(FRAME_HEAD + metadata.len());
            put_message(&mut frame, payload.len(), |out| out.put_slice(&metadata));
            batch.push(Part::new(Some(seq), frame.freeze(), Some(payload)));
        }
        (self.messages, self.bytes) = (0, 0);
    }

    pub(super) fn filled_was_sent(&mut self) {
        if self.large.front().is_some_and(|(_, chunks)| chunks.is_done()) {
            self.large.pop_front();
        }
    }

    /// Takes a message back. False when it is too late.
    pub(super) fn withdraw(&mut self, seq: u64) -> bool {
        if let Some(at) = self.large.iter().position(|(large, _)| *large == seq) {
            let whole = self.large[at].1.is_whole();
            if whole {
                self.large.remove(at);
            }
            return whole;
        }
        let first = self.parts.iter().find_map(|part| part.seq);
        let queued = first.or((!self.tail.is_empty()).then_some(self.tail_seq));
        let in_time = queued.is_some_and(|first| seq >= first);
        if in_time {
            self.withdrawn.insert(seq);
        }
        in_time
    }

    fn drop_withdrawn(&mut self) {
        if self.withdrawn.is_empty() {
            return;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let messages = std::mem::take(&mut self.parts).into_iter().flat_map(Part::split);
        self.parts = messages.filter(|part| part.seq.is_none_or(|seq| !withdrawn.contains(&seq))).collect();
    }

    /// Puts back what a link did not take. Returns the numbers of all messages that no link took whole.
    pub(super) fn link_lost(&mut self, batch: Batch) -> HashSet<u64> {
        self.seal();
        // A goodbye belongs to the link it was meant for.
        self.parts.retain(|part| part.seq.is_some());
        for part in batch.into_unsent().collect::<Vec<_>>().into_iter().rev() {
            self.messages += 1;
            self.bytes += part.len();
            self.parts.push_front(part);
        }
        if let Some((_, chunks)) = self.large.front_mut() {
            chunks.restart();
        }
        self.unsent()
    }

    /// Drops everything. Returns the numbers of what was dropped.
    pub(super) fn clear(&mut self) -> HashSet<u64> {
        self.seal();
        let unsent = self.unsent();
        self.parts.retain(|part| part.seq.is_none());
        self.large.clear();
        (self.messages, self.bytes) = (0, 0);
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
