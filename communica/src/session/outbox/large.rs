//! Large messages: whole ones in; out goes a chunk at a time, or all of it in its order.

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};

use super::Outbox;
use crate::session::amount::Amount;
use crate::session::sent::Entry;
use crate::wire::{Batch, Chunks, FRAME_HEAD, Metadata, Part, put_message};

pub(super) struct Large {
    pub(super) seq: u64,
    pub(super) chunks: Chunks,
    pub(super) is_answer: bool,
    /// Nobody waits for it any more, but a part of it went out.
    given_up: bool,
}

impl Large {
    pub(super) fn new(seq: u64, chunks: Chunks, is_answer: bool) -> Self {
        Self { seq, chunks, is_answer, given_up: false }
    }
}

/// Those that wait, the one under way in front.
#[derive(Default)]
pub(super) struct LargeQueue {
    messages: VecDeque<Large>,
    amount: Amount,
    /// Those of `amount` that are answers.
    answers: Amount,
}

impl LargeQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Large> {
        self.messages.front()
    }

    /// The one under way was queued before this.
    pub(super) fn is_older_than(&self, part: &Part) -> bool {
        self.front().is_some_and(|large| part.seq.is_some_and(|seq| large.seq < seq))
    }

    pub(super) fn find(&self, seq: u64) -> Option<&Chunks> {
        self.messages.iter().find(|large| large.seq == seq).map(|large| &large.chunks)
    }

    /// Numbers of those that are not with a link whole.
    pub(super) fn unsent(&self) -> impl Iterator<Item = u64> {
        self.messages.iter().filter(|large| !large.chunks.is_done()).map(|large| large.seq)
    }

    /// What they say of themselves, those that are not with a link whole.
    pub(super) fn unsent_metadata(&self) -> impl Iterator<Item = Metadata> {
        self.messages
            .iter()
            .filter(|large| !large.chunks.is_done())
            .filter_map(|large| large.chunks.metadata())
    }

    /// Their numbers, and the bytes of their payloads.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (u64, usize)> {
        self.messages.iter().map(|large| (large.seq, large.chunks.payload_len()))
    }

    /// Should the link break over it, it does not go out again.
    pub(super) fn give_up(&mut self, seq: u64) {
        if let Some(large) = self.messages.iter_mut().find(|large| large.seq == seq) {
            large.given_up = true;
        }
    }

    /// The link broke: the one that was under way begins again, unless nobody waits for it. Returns the number of one
    /// that is dropped.
    pub(super) fn restart(&mut self) -> Option<u64> {
        let front = self.messages.front_mut()?;
        front.chunks.restart();
        let given_up = front.given_up.then_some(front.seq)?;
        self.pop_front().map(|_| given_up)
    }

    pub(super) fn push_back(&mut self, large: Large) {
        self.count(&large);
        self.messages.push_back(large);
    }

    pub(super) fn push_front(&mut self, large: Large) {
        self.count(&large);
        self.messages.push_front(large);
    }

    fn count(&mut self, large: &Large) {
        self.amount.add(large.chunks.len());
        if large.is_answer {
            self.answers.add(large.chunks.len());
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Large> {
        let first = self.front()?.seq;
        self.remove(first)
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Large> {
        let at = self.messages.iter().position(|large| large.seq == seq)?;
        let large = self.messages.remove(at)?;
        self.amount.take(large.chunks.len());
        if large.is_answer {
            self.answers.take(large.chunks.len());
        }
        Some(large)
    }

    /// What waits beside the one under way, which takes as long as it takes: the small ones that pass it must not wait
    /// for it.
    pub(super) fn waiting(&self) -> Amount {
        let mut waiting = self.amount;
        if let Some(front) = self.front() {
            waiting.take(front.chunks.len());
        }
        waiting
    }

    /// Those of [`waiting`](Self::waiting) that are answers.
    pub(super) fn waiting_answers(&self) -> Amount {
        let mut waiting = self.answers;
        if let Some(front) = self.front().filter(|front| front.is_answer) {
            waiting.take(front.chunks.len());
        }
        waiting
    }
}

impl Outbox {
    #[cfg(test)]
    pub(in crate::session) fn large_waits(&self) -> bool {
        !self.large.is_empty()
    }

    /// The next piece of a large message, behind what was filled.
    pub(super) fn cut_chunk(&mut self, batch: &mut Batch) {
        let Some(Large { seq, chunks, .. }) = self.large.messages.front_mut() else { return };
        let (head, piece) = chunks.cut();
        batch.push(Part::new(None, head, Some(piece)));
        if self.resumes && chunks.is_done() {
            self.sent.take(Entry::Large(*seq, chunks.clone()));
        }
    }

    /// A road that carries whole messages gets all in the order of their numbers.
    pub(super) fn put_large_in_order(&mut self) {
        if self.large.is_empty() {
            return;
        }
        let LargeQueue { messages, .. } = std::mem::take(&mut self.large);
        let mut parts = std::mem::take(&mut self.parts).into_iter().peekable();
        for Large { seq, chunks, is_answer, .. } in messages {
            while let Some(earlier) = parts.next_if(|part| part.seq.is_some_and(|other| other < seq)) {
                self.parts.push_back(earlier);
            }
            let (metadata, payload) = chunks.whole();
            let mut frame = BytesMut::with_capacity(FRAME_HEAD + metadata.len());
            put_message(&mut frame, payload.len(), |out| out.put_slice(&metadata));
            let mut part = Part::new(Some(seq), frame.freeze(), Some(payload));
            if is_answer {
                part.answers = (1, part.len());
            }
            self.queued.add(part.len());
            self.answers.add_many(part.answers.0, part.answers.1);
            self.parts.push_back(part);
        }
        self.parts.extend(parts);
        self.push_late_cancels();
    }

    /// Queues the cancels that waited for what they are about; where that is still on its way, they wait on.
    pub(super) fn push_late_cancels(&mut self) {
        for (seq, id) in std::mem::take(&mut self.late_cancels) {
            self.push_cancel(seq, &id);
        }
    }
}
