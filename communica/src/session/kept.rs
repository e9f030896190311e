//! What a link with a store took: kept until the store has it, and a request until it is answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;

use super::amount::Amount;
use crate::wire::{Kind, Part};

#[derive(Default)]
pub(super) struct Kept {
    /// Messages that were handed out and not confirmed, by rising number.
    unconfirmed: VecDeque<Part>,
    amount: Amount,
    /// Messages of the current link that were confirmed.
    confirmed: u64,
    /// Requests that the store has and that have no answer.
    unanswered: BTreeMap<u64, Part>,
    /// Numbers of unconfirmed requests that need not be repeated: they have their answer, or nobody waits for it.
    over: BTreeSet<u64>,
    /// Numbers of answers, with what came with their requests.
    settles: VecDeque<(u64, NonZeroU64)>,
}

impl Kept {
    /// A link is given these messages.
    pub(super) fn take(&mut self, part: &Part) {
        for message in part.clone().split().filter(|message| message.seq.is_some()) {
            self.amount.add(message.len());
            self.unconfirmed.push_back(message);
        }
    }

    /// Once the message with this number is confirmed, what it answers is settled.
    pub(super) fn settle_after(&mut self, seq: u64, arrival: NonZeroU64) {
        self.settles.push_back((seq, arrival));
    }

    pub(super) fn confirmed(&mut self, count: u64, mut settle: impl FnMut(NonZeroU64)) {
        while self.confirmed < count {
            let Some(message) = self.unconfirmed.pop_front() else { return };
            self.confirmed += 1;
            self.amount.take(message.len());
            let Some(seq) = message.seq else { continue };
            // Answers with a smaller number never come: they were given up, and what tells so was sent instead.
            let mut is_answer = false;
            while self.settles.front().is_some_and(|(answer, _)| *answer <= seq) {
                let Some((answer, arrival)) = self.settles.pop_front() else { break };
                is_answer = answer == seq;
                settle(arrival);
            }
            if is_answer {
                continue;
            }
            if !self.over.remove(&seq)
                && message.metadata().is_some_and(|metadata| metadata.kind() == Kind::Request)
            {
                self.unanswered.insert(seq, message);
            }
        }
    }

    /// The store has the request with this number, which is not to be repeated. False if it is not known to have it.
    pub(super) fn forget_unanswered(&mut self, seq: u64) -> bool {
        self.unanswered.remove(&seq).is_some()
    }

    /// The request with this number is not to be repeated.
    pub(super) fn over(&mut self, seq: u64) {
        if self.unanswered.remove(&seq).is_none()
            && self.unconfirmed.front().and_then(|first| first.seq).is_some_and(|first| first <= seq)
        {
            self.over.insert(seq);
        }
    }

    /// Messages that a lost link may not have brought to the store, by rising number.
    pub(super) fn take_unconfirmed(&mut self) -> Vec<Part> {
        self.confirmed = 0;
        self.amount = Amount::default();
        let over = std::mem::take(&mut self.over);
        let lost = std::mem::take(&mut self.unconfirmed).into_iter();
        lost.filter(|message| message.seq.is_some_and(|seq| !over.contains(&seq))).collect()
    }

    /// Requests of no more than so many bytes that the store had, by rising number.
    pub(super) fn take_unanswered(&mut self, bytes: usize) -> Vec<Part> {
        let unanswered = std::mem::take(&mut self.unanswered);
        let (taken, kept) = unanswered.into_iter().partition(|(_, message)| message.bytes() <= bytes);
        self.unanswered = kept;
        let taken: BTreeMap<_, _> = taken;
        taken.into_values().collect()
    }

    /// What the store is not known to have.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = &Part> {
        self.unconfirmed.iter()
    }

    pub(super) fn amount(&self) -> Amount {
        self.amount
    }

    pub(super) fn clear(&mut self) {
        let confirmed = self.confirmed;
        *self = Self { confirmed, ..Self::default() };
    }
}
