//! How long the handlers of a route compute before they wait or are done → where the next one starts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// One that computes for longer holds up the others of its connection, and is worth a task of its own.
const LONG: Duration = Duration::from_millis(1);
/// So many in a row must be quick before they start in place again: a moment without the processor looks the same as
/// a long computation, and should not cost a route a task for ever.
const QUICK_AGAIN: u32 = 1000;

/// What is known of one route. Alone with its atomic, so that noting a quick one writes nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    /// Handlers of this route should not start where messages are read.
    pub(crate) fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// One computed for so long.
    pub(crate) fn note(&self, took: Duration) {
        if took > LONG {
            self.0.store(QUICK_AGAIN, Ordering::Relaxed);
        } else if self.is_long() {
            let less = |left: u32| left.checked_sub(1);
            // At nought already: somebody else counted the last one.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_run_takes_a_route_aside_until_enough_were_quick() {
        let pace = Pace::default();
        pace.note(LONG);
        assert!(!pace.is_long());
        pace.note(LONG * 2);
        for _ in 0..QUICK_AGAIN {
            assert!(pace.is_long());
            pace.note(Duration::ZERO);
        }
        assert!(!pace.is_long());
    }

    #[test]
    fn a_long_run_in_between_starts_the_count_again() {
        let pace = Pace::default();
        pace.note(LONG * 2);
        (1..QUICK_AGAIN).for_each(|_| pace.note(Duration::ZERO));
        pace.note(LONG * 2);
        (1..QUICK_AGAIN).for_each(|_| pace.note(Duration::ZERO));
        assert!(pace.is_long());
    }
}
