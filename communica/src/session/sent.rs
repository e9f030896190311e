//! What a link took, in the order it took it: kept until the peer has it, and repeated on the next link if it has not.

use std::collections::{BTreeSet, VecDeque};

use super::amount::Amount;
use crate::lean;
use crate::limits::Quota;
use crate::wire::{Chunks, Metadata, Part};

#[derive(Default)]
pub(super) struct Sent {
    /// Numbers of those that go out in pieces.
    large_numbers: BTreeSet<u64>,
    /// Large messages that the peer has, and that are to be dropped where nobody waits for it.
    done: Vec<Chunks>,
    /// Messages that came to the peer, counted from the first of the two sessions.
    came: u64,
    /// Of `amount`, what goes out in pieces.
    large: Amount,
    amount: Amount,
    entries: VecDeque<Entry>,
}

/// A message, or several in one part.
#[derive(Clone)]
pub(super) enum Entry {
    Part(Part),
    /// One that goes out in pieces.
    Large(u64, Chunks),
}

impl Entry {
    fn messages(&self) -> u64 {
        match self {
            Self::Part(part) => part.messages,
            Self::Large(..) => 1,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Part(part) => part.len(),
            Self::Large(_, chunks) => chunks.len(),
        }
    }

    /// The same, one message each.
    fn split(self) -> Vec<Entry> {
        match self {
            Self::Part(part) => part.split().map(Entry::Part).collect(),
            large @ Self::Large(..) => vec![large],
        }
    }
}

impl Sent {
    pub(super) fn take(&mut self, entry: Entry) {
        if entry.messages() > 0 {
            self.amount.add_many(entry.messages(), entry.len());
            if let Entry::Large(number, _) = entry {
                self.large.add(entry.len());
                self.large_numbers.insert(number);
            }
            lean::push(&mut self.entries, entry);
        }
    }

    fn forget(&mut self, entry: &Entry) {
        self.amount.take_many(entry.messages(), entry.len());
        if let Entry::Large(number, _) = entry {
            self.large.take(entry.len());
            self.large_numbers.remove(number);
        }
    }

    /// The last so many messages did not go out after all.
    pub(super) fn take_back(&mut self, mut count: u64) {
        while count > 0 {
            let Some(last) = self.pop_back() else { return };
            if last.messages() <= count {
                count -= last.messages();
                continue;
            }
            for message in last.split() {
                self.take(message);
            }
        }
    }

    fn pop_back(&mut self) -> Option<Entry> {
        let last = self.entries.pop_back()?;
        self.forget(&last);
        Some(last)
    }

    /// So many messages came to the peer, counted from the first. False if that cannot be.
    pub(super) fn came(&mut self, count: u64) -> bool {
        if count.checked_sub(self.came).is_none_or(|new| new > self.amount.messages() as u64) {
            return false;
        }
        while let Some(new @ 1..) = count.checked_sub(self.came) {
            match self.entries.front() {
                None => self.came = count,
                Some(first) if first.messages() <= new => self.first_came(),
                Some(_) => self.beginning_came(new),
            }
        }
        true
    }

    /// The request with this number was answered. Then it came, and so did what went out before it. What stands in one part with it is
    /// taken for come with the last of them: to cut the others off takes longer than they are worth.
    pub(super) fn answered(&mut self, number: u64) {
        let Some((at, is_last)) = self.find(number) else { return };
        for _ in 0..at + usize::from(is_last) {
            self.first_came();
        }
    }

    /// The place of the entry with this message, and whether that is the last one there.
    fn find(&self, number: u64) -> Option<(usize, bool)> {
        if self.holds_large(number) {
            let is_it = |entry: &Entry| matches!(entry, Entry::Large(own, _) if *own == number);
            return self.entries.iter().position(is_it).map(|at| (at, true));
        }
        // Small ones stand in the order of their numbers, so the search ends at the first that is not before it.
        let mut parts = self.entries.iter().enumerate().filter_map(|(at, entry)| match entry {
            Entry::Part(part) => part.seq.map(|first| (at, first, first + part.messages)),
            Entry::Large(..) => None,
        });
        let (at, first, end) = parts.find(|(.., end)| number < *end)?;
        (first <= number).then_some((at, number + 1 == end))
    }

    fn first_came(&mut self) {
        let Some(first) = self.entries.pop_front() else { return };
        self.forget(&first);
        self.add_to_came(first.messages());
        if let Entry::Large(_, chunks) = first {
            self.done.push(chunks);
        }
    }

    /// The first so many messages of the first part came, and others of it did not.
    fn beginning_came(&mut self, messages: u64) {
        let Some(Entry::Part(part)) = self.entries.pop_front() else { return };
        self.add_to_came(messages);
        let before = part.len();
        let rest = part.without_first(messages);
        self.amount.take_many(messages, before - rest.len());
        self.entries.push_front(Entry::Part(rest));
    }

    /// It began where the peer said in its hello, which may be anywhere.
    fn add_to_came(&mut self, messages: u64) {
        self.came = self.came.saturating_add(messages);
    }

    /// The large message with this number may have to be repeated.
    pub(super) fn holds_large(&self, number: u64) -> bool {
        self.large_numbers.contains(&number)
    }

    /// Large messages that the peer has. Giving their memory back to the system takes milliseconds, which nobody should
    /// spend who holds a lock or a link.
    pub(super) fn take_done(&mut self) -> Vec<Chunks> {
        std::mem::take(&mut self.done)
    }

    /// What did not come, one message each, in order.
    pub(super) fn take_rest(&mut self) -> Vec<Entry> {
        (self.amount, self.large, self.large_numbers) = Default::default();
        std::mem::take(&mut self.entries).into_iter().flat_map(Entry::split).collect()
    }

    pub(super) fn restart(&mut self, came: u64) {
        *self = Self { came, ..Self::default() };
    }

    /// What those say of themselves that may have to be repeated; of small ones, from this number on.
    pub(super) fn metadata(&self, from: u64) -> impl Iterator<Item = Metadata> {
        self.entries.iter().cloned().flat_map(Entry::split).filter_map(move |entry| match entry {
            Entry::Part(part) if part.seq.is_some_and(|seq| seq < from) => None,
            Entry::Part(part) => part.metadata(),
            Entry::Large(_, chunks) => chunks.metadata(),
        })
    }

    pub(super) fn came_so_far(&self) -> u64 {
        self.came
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// So much may have to be repeated that no more should. A single large message does not count: small ones must not
    /// wait until all of it came.
    pub(super) fn meets(&self, quota: Quota) -> bool {
        let mut amount = self.amount;
        if self.large.messages() == 1 {
            amount.subtract(self.large);
        }
        amount.meets(quota)
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::wire::put_message;

    const QUOTA: Quota = Quota { messages: 10, bytes: 1000 };

    fn large() -> Entry {
        Entry::Large(0, Chunks::new(Bytes::new(), Bytes::from(vec![0; 2000]), 100))
    }

    fn small() -> Entry {
        Entry::Part(Part::new(Some(0), Bytes::from(vec![0; 600]), None))
    }

    #[test]
    fn small_messages_go_on_behind_a_single_large_one() {
        let mut sent = Sent::default();
        sent.take(large());
        assert!(!sent.meets(QUOTA));
        sent.take(small());
        assert!(!sent.meets(QUOTA));
        sent.take(small());
        assert!(sent.meets(QUOTA), "small ones count beside it");
    }

    #[test]
    fn two_large_ones_fill_the_window() {
        let mut sent = Sent::default();
        sent.take(large());
        sent.take(large());
        assert!(sent.meets(QUOTA));
        assert!(sent.came(1));
        assert!(!sent.meets(QUOTA));
        assert_eq!(sent.take_done().len(), 1);
        assert!(sent.take_done().is_empty());
    }

    /// Whole frames without anything in them.
    fn together(first: u64, messages: u64) -> Entry {
        let mut frames = BytesMut::new();
        (0..messages).for_each(|_| put_message(&mut frames, 0, |_| {}));
        Entry::Part(Part::many(first, messages, frames.freeze()))
    }

    #[test]
    fn what_went_out_before_a_request_that_was_answered_came() {
        let mut sent = Sent::default();
        // A large one with an early number whose last piece went out late.
        for entry in
            [together(1, 3), Entry::Large(0, Chunks::new(Bytes::new(), Bytes::new(), 1)), together(4, 2)]
        {
            sent.take(entry);
        }
        sent.answered(2);
        assert_eq!(sent.came_so_far(), 0, "others stand together with it");
        sent.answered(9);
        assert_eq!(sent.came_so_far(), 0, "it did not go out");
        sent.answered(4);
        assert_eq!((sent.came_so_far(), sent.take_done().len()), (4, 1), "all that stood before them");
        sent.answered(3);
        assert_eq!(sent.came_so_far(), 4, "that was known");
        assert!(!sent.came(3), "nothing comes back");
        assert!(sent.came(5), "the peer says more");
        sent.answered(5);
        assert_eq!(sent.came_so_far(), 6);
        assert!(sent.is_empty() && sent.amount.messages() == 0);
    }

    #[test]
    fn a_peer_may_count_from_any_number() {
        let mut sent = Sent::default();
        sent.restart(u64::MAX);
        sent.take(together(1, 2));
        sent.take(together(3, 2));
        sent.answered(2);
        sent.answered(4);
        assert!(sent.is_empty());
    }

    #[test]
    fn a_large_request_that_was_answered_came() {
        let mut sent = Sent::default();
        sent.take(together(3, 1));
        sent.take(Entry::Large(2, Chunks::new(Bytes::new(), Bytes::new(), 1)));
        sent.take(together(4, 1));
        sent.answered(2);
        assert_eq!(sent.came_so_far(), 2);
        assert_eq!(sent.take_done().len(), 1);
    }
}
