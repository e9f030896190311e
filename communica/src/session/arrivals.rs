//! Receipts of what came from a store: each message is handled once, and settled when it is done with.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU64;

use crate::wire::{Kind, Receipt};

pub(super) struct Arrivals {
    /// Messages that are being handled.
    open: HashMap<NonZeroU64, Open>,
    /// The same by key.
    numbers: HashMap<String, NonZeroU64>,
    /// Who asked may ask again behind everything it said since. So throws, however many, push no request out.
    requests: Settled,
    throws: Settled,
    next: NonZeroU64,
}

struct Open {
    is_request: bool,
    /// Nobody else can have begun it.
    is_first: bool,
    /// Of all its copies.
    receipts: Vec<Receipt>,
}

/// Keys of the last messages that were settled.
struct Settled {
    oldest_first: VecDeque<String>,
    all: HashSet<String>,
    /// So many are remembered.
    limit: usize,
}

impl Settled {
    fn new(limit: usize) -> Self {
        Self { oldest_first: VecDeque::new(), all: HashSet::new(), limit }
    }

    fn has(&self, key: &str) -> bool {
        self.all.contains(key)
    }

    fn remember(&mut self, key: String) {
        if self.oldest_first.len() >= self.limit {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.all.remove(&oldest);
            }
        }
        self.all.insert(key.clone());
        self.oldest_first.push_back(key);
    }
}

impl Arrivals {
    /// `limit`: of keys of each kind to remember.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            open: HashMap::new(),
            numbers: HashMap::new(),
            requests: Settled::new(limit),
            throws: Settled::new(limit),
            next: NonZeroU64::MIN,
        }
    }

    /// A number for a new message; `None` if it is a copy of one that came before.
    pub(super) fn arrive(&mut self, receipt: Receipt, kind: Kind) -> Option<NonZeroU64> {
        let receipt = receipt.arrived();
        if let Some(key) = receipt.key() {
            if self.is_settled(key) {
                receipt.settle();
                return None;
            }
            if let Some(number) = self.numbers.get(key) {
                // However often a sender repeats it, no more is kept than the store waits for.
                if let Some(open) = self.open.get_mut(number).filter(|_| receipt.is_awaited()) {
                    open.receipts.push(receipt);
                }
                return None;
            }
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if let Some(key) = receipt.key() {
            self.numbers.insert(key.to_owned(), number);
        }
        let (is_request, is_first) = (kind == Kind::Request, receipt.is_first());
        self.open.insert(number, Open { is_request, is_first, receipts: vec![receipt] });
        Some(number)
    }

    /// It came before, and is handled here.
    pub(super) fn knows(&self, receipt: &Receipt) -> bool {
        receipt.key().is_some_and(|key| self.is_settled(key) || self.numbers.contains_key(key))
    }

    fn is_settled(&self, key: &str) -> bool {
        self.requests.has(key) || self.throws.has(key)
    }

    /// The message is not begun here: it is settled, if nobody else can have begun it.
    pub(super) fn settle_unbegun(&mut self, number: NonZeroU64) -> bool {
        let unbegun = self.open.get(&number).is_some_and(|open| open.is_first && open.receipts.len() == 1);
        if unbegun {
            self.settle(number);
        }
        unbegun
    }

    /// What is open may have gone to somebody else meanwhile, and come back.
    pub(super) fn link_lost(&mut self) {
        self.open.values_mut().for_each(|open| open.is_first = false);
    }

    /// The message is done with.
    pub(super) fn settle(&mut self, number: NonZeroU64) {
        let Some(Open { is_request, receipts, .. }) = self.open.remove(&number) else { return };
        if let Some(key) = receipts.first().and_then(Receipt::key) {
            self.numbers.remove(key);
            let settled = if is_request { &mut self.requests } else { &mut self.throws };
            settled.remember(key.to_owned());
        }
        // Those of links that are gone do nothing.
        receipts.into_iter().for_each(Receipt::settle);
    }

    #[cfg(test)]
    pub(super) fn receipts(&self) -> usize {
        self.open.values().map(|open| open.receipts.len()).sum()
    }

    /// Somebody else handles what is open here.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.numbers.clear();
    }

    /// Somebody else does what is asked for here.
    pub(super) fn forget_requests(&mut self) {
        let Self { open, numbers, .. } = self;
        open.retain(|_, open| !open.is_request);
        numbers.retain(|_, number| open.contains_key(number));
    }
}
