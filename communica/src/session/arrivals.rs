//! Receipts of what came from a store: each message is handled once, and settled when it is done with.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU64;

use crate::wire::Receipt;

pub(super) struct Arrivals {
    /// Messages that are being handled, with the receipts of all their copies.
    open: HashMap<NonZeroU64, Vec<Receipt>>,
    /// The same by key.
    numbers: HashMap<String, NonZeroU64>,
    /// Keys of the last messages that were settled, oldest first.
    settled: VecDeque<String>,
    is_settled: HashSet<String>,
    next: NonZeroU64,
    /// Keys to remember.
    limit: usize,
}

impl Arrivals {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            open: HashMap::new(),
            numbers: HashMap::new(),
            settled: VecDeque::new(),
            is_settled: HashSet::new(),
            next: NonZeroU64::MIN,
            limit,
        }
    }

    /// A number for a new message; `None` if it is a copy of one that came before.
    pub(super) fn arrive(&mut self, receipt: Receipt) -> Option<NonZeroU64> {
        if let Some(key) = receipt.key() {
            if self.is_settled.contains(key) {
                receipt.settle();
                return None;
            }
            if let Some(number) = self.numbers.get(key) {
                // However often a sender repeats it, no more is kept than the store waits for.
                if receipt.is_awaited() {
                    self.open.entry(*number).or_default().push(receipt);
                }
                return None;
            }
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if let Some(key) = receipt.key() {
            self.numbers.insert(key.to_owned(), number);
        }
        self.open.insert(number, vec![receipt]);
        Some(number)
    }

    /// It came before, and is handled here.
    pub(super) fn knows(&self, receipt: &Receipt) -> bool {
        receipt.key().is_some_and(|key| self.is_settled.contains(key) || self.numbers.contains_key(key))
    }

    /// The message is done with.
    pub(super) fn settle(&mut self, number: NonZeroU64) {
        let Some(receipts) = self.open.remove(&number) else { return };
        if let Some(key) = receipts.first().and_then(Receipt::key) {
            self.numbers.remove(key);
            self.remember(key.to_owned());
        }
        // Those of links that are gone do nothing.
        receipts.into_iter().for_each(Receipt::settle);
    }

    fn remember(&mut self, key: String) {
        if self.settled.len() >= self.limit {
            if let Some(oldest) = self.settled.pop_front() {
                self.is_settled.remove(&oldest);
            }
        }
        self.is_settled.insert(key.clone());
        self.settled.push_back(key);
    }

    #[cfg(test)]
    pub(super) fn receipts(&self) -> usize {
        self.open.values().map(Vec::len).sum()
    }

    /// Somebody else handles what is open here.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.numbers.clear();
    }
}
