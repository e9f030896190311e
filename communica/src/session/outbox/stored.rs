//! What a link with a store took: what the store has in, what it may not have back in the queue out.

use std::num::NonZeroU64;

use super::Outbox;
use super::lost::with_answers;
use crate::connector::Delivery;
use crate::session::amount::Amount;
use crate::session::kept::Kept;
use crate::session::sent::Entry;
use crate::wire::{Kind, Part};

impl Outbox {
    /// What a link takes from now on has this fate.
    pub(in crate::session) fn link_up(&mut self, delivery: Delivery, resumes: bool) {
        self.resumes = resumes;
        self.stored = matches!(delivery, Delivery::Stored { .. });
        if matches!(delivery, Delivery::Stored { fresh: true, .. }) {
            // Whatever the store had of these messages, what is sent now is no copy of it: the answer may be lost, too.
            self.origin.round += 1;
            self.repeat_unanswered(usize::MAX);
        }
    }

    /// The store may have lost or forgotten requests of no more than so many bytes.
    pub(in crate::session) fn repeat_unanswered(&mut self, bytes: usize) {
        if let Some(kept) = self.kept.get_mut() {
            let lost = kept.take_unanswered(bytes);
            self.put_back_stored(lost);
        }
    }

    /// So many messages of this link are in its store; `settle` is called for what their answers settle.
    pub(in crate::session) fn confirmed(&mut self, count: u64, settle: impl FnMut(NonZeroU64)) {
        if let Some(kept) = self.kept.get_mut() {
            kept.confirmed(count, settle);
        }
    }

    /// Something is not in the store yet.
    pub(in crate::session) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed().messages() > 0
    }

    /// So much of what a link took is not in its store yet.
    pub(super) fn unconfirmed(&self) -> Amount {
        self.kept.get().map_or_else(Amount::default, Kept::amount)
    }

    /// Requests among these may have run, whatever becomes of them now.
    fn put_back_stored(&mut self, lost: Vec<Part>) {
        let asks = |part: &&Part| part.metadata().is_some_and(|metadata| metadata.kind() == Kind::Request);
        for seq in lost.iter().filter(asks).filter_map(|part| part.seq) {
            self.repeated.entry(seq).or_default();
        }
        let before = lost.last().and_then(|last| self.take_before(last.seq?));
        let mut all: Vec<Part> = before.into_iter().flatten().chain(lost).collect();
        all.sort_by_key(|part| part.seq);
        self.put_back(all.into_iter().map(Entry::Part));
    }

    /// Takes what is queued with a smaller number than this out: numbers in the queue rise.
    fn take_before(&mut self, seq: u64) -> Option<Vec<Part>> {
        self.seal();
        let is_before = |part: &Part| part.seq.is_some_and(|first| first < seq);
        if !self.parts.front().is_some_and(is_before) {
            return None;
        }
        self.drop_withdrawn();
        let mut taken = Vec::new();
        while self.parts.front().is_some_and(is_before) {
            taken.extend(self.parts.pop_front().into_iter().flat_map(Part::split).map(with_answers));
        }
        for part in &taken {
            self.queued.take(part.len());
            self.answers.take_many(part.answers.0, part.answers.1);
        }
        Some(taken)
    }

    /// Puts back what the store may not have. `refused`: it did not accept a message, which is most likely the first of
    /// them. Returns the number of one that is given up.
    pub(in crate::session) fn stored_link_lost(&mut self, refused: bool) -> Option<u64> {
        self.seal();
        self.parts.retain(|part| part.seq.is_some());
        self.handed_out = false;
        let lost = self.kept.get_mut().map_or_else(Vec::new, Kept::take_unconfirmed);
        let first = lost.first().and_then(|message| message.seq);
        self.put_back_stored(lost);
        let given_up = self.count_try(first.filter(|_| refused));
        if let Some(seq) = given_up {
            self.give_up(
                seq,
                "the broker refused it that often, so it may be larger than it takes",
                usize::MAX,
            );
        }
        given_up
    }
}
