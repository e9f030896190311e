//! How long the handlers of a route compute before they wait or are done → where the next one starts.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// One that computes for longer holds up the others of its connection, and is worth a task of its own.
const LONG: Duration = Duration::from_millis(1);
/// After one that did, so many in a row must be quick before they start in place again.
const QUICK_AGAIN: u32 = 1000;
/// A thread that was without the processor for a moment looks the same. So the next one starts aside, and clears the route of
/// the suspicion if it is quick.
const SUSPECTED: u32 = 1;
/// One that held up its connection for so long does what nobody may do there, and is told of.
const TOLD: Duration = Duration::from_secs(1);

/// What is known of one route. Noting a quick one writes nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// So many have to be quick before they start in place.
    aside: AtomicU32,
    was_told: AtomicBool,
}

impl Pace {
    /// Handlers of this route should not start where messages are read.
    pub(crate) fn is_long(&self) -> bool {
        self.aside.load(Ordering::Relaxed) > 0
    }

    /// One that started in place took so long. True if that is to be told: once, and only of one that took very long.
    #[must_use]
    pub(crate) fn took_in_place(&self, time: Duration) -> bool {
        if time <= LONG {
            return false;
        }
        self.aside.fetch_max(SUSPECTED, Ordering::Relaxed);
        time >= TOLD && !self.was_told.swap(true, Ordering::Relaxed)
    }

    /// One that started aside took so long. `got_on`: whether it is known that its thread did not just wait for the processor.
    pub(crate) fn took_aside(&self, time: Duration, got_on: impl FnOnce() -> bool) {
        if time <= LONG {
            let less = |left: u32| left.checked_sub(1);
            // At nought already: somebody else counted the last one.
            let _ = self.aside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        } else if got_on() {
            self.aside.store(QUICK_AGAIN, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::ZERO;

    #[test]
    fn a_long_run_in_place_takes_the_next_aside_and_a_quick_one_there_clears_the_route() {
        let pace = Pace::default();
        assert!(!pace.took_in_place(LONG));
        assert!(!pace.is_long());
        assert!(!pace.took_in_place(LONG * 2));
        assert!(pace.is_long());
        pace.took_aside(LONG * 2, || false);
        assert!(pace.is_long(), "it may have been long");
        pace.took_aside(QUICK, || false);
        assert!(!pace.is_long());
    }

    #[test]
    fn a_route_that_is_long_stays_aside_until_enough_were_quick() {
        let pace = Pace::default();
        pace.took_aside(LONG * 2, || true);
        (1..QUICK_AGAIN).for_each(|_| pace.took_aside(QUICK, || false));
        assert!(!pace.took_in_place(LONG * 2));
        pace.took_aside(LONG * 2, || true);
        for _ in 0..QUICK_AGAIN {
            assert!(pace.is_long());
            pace.took_aside(QUICK, || false);
        }
        assert!(!pace.is_long());
        pace.took_aside(QUICK, || false);
        assert!(!pace.is_long());
    }

    #[test]
    fn what_held_up_its_connection_is_told_once() {
        let pace = Pace::default();
        assert!(!pace.took_in_place(TOLD / 2));
        assert!(pace.took_in_place(TOLD));
        assert!(!pace.took_in_place(TOLD * 2));
        assert!(Pace::default().took_in_place(TOLD * 2), "another route");
    }
}
