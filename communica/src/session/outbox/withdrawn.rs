//! What is not to be sent any more: the number of a message in, whether it was unsent out.

use std::collections::HashSet;

use super::Outbox;
use super::large::LargeQueue;
use super::lost::with_answers;
use crate::session::amount::Amount;
use crate::session::kept::Kept;
use crate::wire::{Kind, Part};

impl Outbox {
    /// Takes a message of so many bytes back. False when a link has it already; if that gives it back, it is not
    /// sent again either.
    pub(in crate::session) fn withdraw(&mut self, seq: u64, bytes: usize) -> bool {
        if let Some(chunks) = self.large.find(seq) {
            let whole = chunks.is_whole();
            if whole {
                self.large.remove(seq);
            } else {
                self.large.give_up(seq);
            }
            return whole && !self.repeated.contains_key(&seq);
        }
        if self.stored && self.kept.get_mut().is_some_and(|kept| kept.forget_unanswered(seq)) {
            // The store has it, whatever was put back behind it.
            return false;
        }
        let first = self.parts.iter().find_map(|part| part.seq);
        let first = first.or((!self.tail.is_empty()).then_some(self.tail_seq));
        if first.is_some_and(|first| seq >= first) {
            self.withdrawn.insert(seq);
            self.queued.take(bytes);
            // While no link empties the queue, what was taken back must not fill memory, nor look as if there were
            // something to send.
            if self.queued.messages() == 0 || self.withdrawn.len() > self.queued.messages().max(64) {
                self.seal();
                self.drop_withdrawn();
            }
            return !self.repeated.contains_key(&seq);
        }
        if self.stored {
            if let Some(kept) = self.kept.get_mut() {
                kept.over(seq);
            }
        } else if self.handed_out {
            self.withdrawn_late.insert(seq);
        }
        false
    }

    pub(super) fn drop_withdrawn(&mut self) {
        if self.withdrawn.is_empty() {
            return;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let messages = std::mem::take(&mut self.parts).into_iter().flat_map(Part::split);
        let kept = messages.filter(|part| part.seq.is_none_or(|seq| !withdrawn.contains(&seq)));
        self.parts = kept.map(with_answers).collect();
    }

    /// Throws that no peer and no store is known to have.
    pub(in crate::session) fn throws(&mut self) -> usize {
        self.seal();
        let queued = self.parts.iter().flat_map(|part| part.clone().split());
        let waiting = queued.chain(self.kept.get().into_iter().flat_map(Kept::unconfirmed).cloned());
        // One that is with the link whole, but for its last piece, stands in both places.
        let large = self.large.unsent_metadata();
        let metadata = waiting.filter_map(|part| part.metadata()).chain(large);
        metadata.filter(|metadata| metadata.kind() == Kind::Throw).count() + self.sent_throws()
    }

    /// A request with this number was answered.
    pub(in crate::session) fn was_answered(&mut self, seq: u64) {
        self.answered = self.answered.max(seq);
        if !self.was_repeated(seq) {
            // Of one that was, the answer may be to the first that went out.
            self.sent.answered(seq);
        }
    }

    /// Those of them that a link took. What stood before a request that was answered came.
    pub(in crate::session) fn sent_throws(&self) -> usize {
        self.sent.metadata(self.answered).filter(|metadata| metadata.kind() == Kind::Throw).count()
    }

    /// Drops everything. Returns the numbers of what was dropped.
    pub(in crate::session) fn clear(&mut self) -> HashSet<u64> {
        self.seal();
        let unsent = self.never_sent();
        self.parts.retain(|part| part.seq.is_none());
        self.large = LargeQueue::default();
        self.sent.restart(0);
        self.repeated.clear();
        self.late_cancels.clear();
        self.cancels_behind.clear();
        if let Some(kept) = self.kept.get_mut() {
            kept.clear();
        }
        self.repeatable.clear();
        (self.queued, self.answers) = (Amount::default(), Amount::default());
        self.no_more_handed();
        unsent
    }
}
