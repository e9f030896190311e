//! Large messages: whole ones in; out goes a chunk at a time, or all of it in its order.

use bytes::{BufMut, BytesMut};

use super::Outbox;
use crate::session::amount::Amount;
use crate::session::sent::Entry;
use crate::wire::{Batch, FRAME_HEAD, Part, put_message};

impl Outbox {
    /// The next piece of a large message, behind everything small.
    pub(super) fn cut_chunk(&mut self, batch: &mut Batch) {
        let Some((seq, chunks)) = self.large.front_mut() else { return };
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
        self.push_late_cancels();
    }

    /// Queues the cancels that waited for what they are about; where that is still on its way, they wait on.
    pub(super) fn push_late_cancels(&mut self) {
        for (seq, id) in std::mem::take(&mut self.late_cancels) {
            self.push_cancel(seq, &id);
        }
    }

    pub(super) fn large_amount(&self) -> Amount {
        let mut amount = Amount::default();
        self.large.iter().for_each(|(_, chunks)| amount.add(chunks.len()));
        amount
    }
}
