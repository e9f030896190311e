//! Things that go wrong again and again → those of them that the log is told, which they must not fill.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many are told one by one; after that every power of two.
const TOLD: u64 = 8;

#[derive(Debug, Default)]
pub(crate) struct Sparingly(AtomicU64);

impl Sparingly {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more: how many that makes, if it is to be told.
    pub(crate) fn one_more(&self) -> Option<u64> {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        (count <= TOLD || count.is_power_of_two()).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_then_ever_fewer() {
        let sparingly = Sparingly::new();
        let told: Vec<_> = (0..100).filter_map(|_| sparingly.one_more()).collect();
        assert_eq!(told, [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]);
    }
}
