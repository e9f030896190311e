//! What a link took, in the order it took it: kept until the peer has it, and repeated on the next link if it has not.

use std::collections::{HashSet, VecDeque};

use super::amount::Amount;
use crate::lean;
use crate::limits::Quota;
use crate::wire::{Chunks, Metadata, Part};

#[derive(Default)]
pub(super) struct Sent {
    entries: VecDeque<Entry>,
    amount: Amount,
    /// Those of them that go out in pieces.
    large: Amount,
    /// Their numbers.
    large_numbers: HashSet<u64>,
    /// Messages that came to the peer, counted from the first of the two sessions.
    came: u64,
    /// Large messages that the peer has, and that are to be dropped where nobody waits for it.
    done: Vec<Chunks>,
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
        let Some(new) = count.checked_sub(self.came) else { return false };
        if new > self.amount.messages() as u64 {
            return false;
        }
        self.came = count;
        let mut new = new;
        while new > 0 {
            let Some(first) = self.entries.pop_front() else { break };
            self.forget(&first);
            match first {
                Entry::Part(part) if part.messages > new => {
                    let rest = part.without_first(new);
                    self.amount.add_many(rest.messages, rest.len());
                    self.entries.push_front(Entry::Part(rest));
                    break;
                }
                Entry::Large(_, chunks) => {
                    new -= 1;
                    self.done.push(chunks);
                }
                whole @ Entry::Part(_) => new -= whole.messages(),
            }
        }
        true
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
    use bytes::Bytes;

    use super::*;

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
}
