//! Deliveries and when they are done with → acknowledgements, as few as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

#[derive(Default)]
pub(super) struct Acks(Mutex<State>);

#[derive(Default)]
struct State {
    /// Tags of what is being handled.
    open: BTreeMap<u64, What>,
    /// Whoever reads the queue next recognises no throw of these.
    throws_stay: bool,
    /// Tags of what is done with and not acknowledged.
    settled: BTreeSet<u64>,
    /// Some are left to others.
    left: bool,
    /// Some were given back: acknowledged with others, they would be lost.
    gave_back: bool,
    /// Who acknowledges.
    waker: Option<Waker>,
}

/// What is being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It has an id, so that its session recognises it if it comes again.
    Known,
    /// The same, and nobody waits for an answer.
    Throw,
    /// It has no id.
    Nameless,
}

impl State {
    /// It would be handled once more if it came again.
    fn stays(&self, what: What) -> bool {
        what == What::Nameless || what == What::Throw && self.throws_stay
    }
}

/// One acknowledgement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) tag: u64,
    /// Of everything up to the tag.
    pub(super) multiple: bool,
}

impl Acks {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn came(&self, tag: u64) {
        self.lock().open.insert(tag, What::Known);
    }

    /// What it was that came.
    pub(super) fn is(&self, tag: u64, what: What) {
        if let Some(known) = self.lock().open.get_mut(&tag) {
            *known = what;
        }
    }

    /// Throws stay until they were handled, too, as if they had no ids.
    pub(super) fn keep_throws(&self) {
        self.lock().throws_stay = true;
    }

    pub(super) fn settle(&self, tag: u64) {
        let waker = {
            let mut state = self.lock();
            if state.open.remove(&tag).is_some() {
                state.settled.insert(tag);
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nobody here handles this one, if it is still open: the broker gives it to somebody else when the channel closes.
    pub(super) fn leave(&self, tag: u64) {
        let waker = {
            let mut state = self.lock();
            state.left |= state.open.contains_key(&tag);
            if state.left { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Deliveries that are being handled. What is done with is acknowledged in a moment.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Something is being handled here that would not be recognised if it came again.
    pub(super) fn must_stay(&self) -> bool {
        let state = self.lock();
        !state.left && state.open.values().any(|what| state.stays(*what))
    }

    /// Gives up what would be recognised. Returns its tags, for it to come again.
    pub(super) fn give_back(&self) -> Vec<u64> {
        let mut state = self.lock();
        let (kept, given): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut state.open).into_iter().partition(|(_, what)| state.stays(*what));
        state.open = kept;
        state.gave_back |= !given.is_empty();
        given.into_keys().collect()
    }

    /// Deliveries that can be acknowledged now; when there are more, `waker` is woken.
    pub(super) fn settled(&self, waker: &Waker) -> usize {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.settled.len()
    }

    /// The acknowledgements for them.
    pub(super) fn take(&self) -> Vec<Ack> {
        let mut state = self.lock();
        if state.settled.is_empty() {
            return Vec::new();
        }
        let settled = std::mem::take(&mut state.settled);
        let first_open = match state.gave_back {
            true => 0,
            false => state.open.first_key_value().map_or(u64::MAX, |(tag, _)| *tag),
        };
        let up_to = settled.range(..first_open).next_back().map(|&tag| Ack { tag, multiple: true });
        let single = settled.range(first_open..).map(|&tag| Ack { tag, multiple: false });
        up_to.into_iter().chain(single).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ack(tag: u64, multiple: bool) -> Ack {
        Ack { tag, multiple }
    }

    #[test]
    fn what_is_done_in_a_row_takes_one_acknowledgement() {
        let acks = Acks::default();
        (1..=6).for_each(|tag| acks.came(tag));
        [2, 1, 3, 5].into_iter().for_each(|tag| acks.settle(tag));
        assert_eq!(acks.take(), [ack(3, true), ack(5, false)]);
        assert_eq!((acks.take(), acks.open()), (vec![], 2));
        [4, 4, 6, 9].into_iter().for_each(|tag| acks.settle(tag));
        assert_eq!(acks.take(), [ack(6, true)]);
        assert_eq!(acks.open(), 0);
    }

    #[test]
    fn what_would_be_recognised_is_given_back_and_the_rest_stays_until_it_is_done_with() {
        let acks = Acks::default();
        (1..=5).for_each(|tag| acks.came(tag));
        [1, 3, 5].into_iter().for_each(|tag| acks.is(tag, What::Nameless));
        acks.settle(2);
        assert!(acks.must_stay());
        assert_eq!(acks.give_back(), [4]);
        [3, 4, 5].into_iter().for_each(|tag| acks.settle(tag));
        assert_eq!(acks.take(), [ack(2, false), ack(3, false), ack(5, false)]);
        assert_eq!((acks.open(), acks.must_stay()), (1, true));
        // Nobody will be done with it.
        acks.leave(1);
        assert!(!acks.must_stay());
    }

    #[test]
    fn throws_stay_where_nobody_would_recognise_them() {
        let acks = Acks::default();
        (1..=3).for_each(|tag| acks.came(tag));
        [2, 3].into_iter().for_each(|tag| acks.is(tag, What::Throw));
        assert!(!acks.must_stay());
        acks.keep_throws();
        assert!(acks.must_stay());
        assert_eq!(acks.give_back(), [1]);
        [1, 2, 3].into_iter().for_each(|tag| acks.settle(tag));
        assert_eq!(acks.take(), [ack(2, false), ack(3, false)]);
    }

    #[test]
    fn what_was_given_back_is_not_acknowledged_with_what_stood_behind_it() {
        let acks = Acks::default();
        (1..=3).for_each(|tag| acks.came(tag));
        acks.is(3, What::Nameless);
        acks.settle(2);
        assert_eq!(acks.give_back(), [1]);
        assert_eq!(acks.take(), [ack(2, false)]);
    }

    #[test]
    fn what_is_done_with_keeps_no_window_full() {
        let acks = Acks::default();
        (1..=3).for_each(|tag| acks.came(tag));
        [1, 2].into_iter().for_each(|tag| acks.settle(tag));
        assert_eq!(acks.open(), 1);
    }
}
