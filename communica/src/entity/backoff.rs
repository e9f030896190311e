//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Waits between attempts to connect: they grow, and chance keeps clients of one server apart.
///
/// The default starts at 50 ms, doubles, and ends at 5 s; each wait is between half of that and the whole. It starts
/// anew after a connection of two seconds; one that ended sooner may be about to do so again.
#[derive(Clone, Debug)]
pub struct Backoff {
    start: Duration,
    max: Duration,
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(5))
    }
}

impl Backoff {
    /// The first wait and the longest, each a day at most. A first wait of nothing is followed by one of a millisecond at most.
    #[must_use]
    pub fn new(start: Duration, max: Duration) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let start = start.min(DAY);
        Self { start, max: max.clamp(start, DAY), next: start }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        // Nothing, doubled, would stay nothing.
        self.next = (wait * 2).max(Duration::from_millis(1)).min(self.max);
        wait.mul_f64(0.5 + crate::random::fraction() / 2.0)
    }

    /// A link was open: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.next = self.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_start_over() {
        let (start, max) = (Duration::from_millis(100), Duration::from_millis(350));
        let mut backoff = Backoff::new(start, max);
        for whole in [100, 200, 350, 350] {
            let (wait, whole) = (backoff.next(), Duration::from_millis(whole));
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= start);
    }

    #[test]
    fn waits_grow_from_nothing_too() {
        let max = Duration::from_secs(5);
        let mut backoff = Backoff::new(Duration::ZERO, max);
        assert_eq!(backoff.next(), Duration::ZERO);
        for whole in [1, 2, 4] {
            let (wait, whole) = (backoff.next(), Duration::from_millis(whole));
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        assert!((0..20).any(|_| backoff.next() >= max / 2), "it ends at the longest");

        let mut none = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..20).all(|_| none.next().is_zero()), "who wants no waits has none");
    }
}
