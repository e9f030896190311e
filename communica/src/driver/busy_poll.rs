//! Whether to look for the next message at once, again and again, before the thread may sleep.
//!
//! Where a thread sleeps, to wake it takes longer than a whole call does where none sleeps, and costs both processes more than to
//! look for as long: falling asleep and being woken are system calls, too, and on a virtual machine those of its host.
//! So after a message came a link is watched for a moment, but only if that paid before.

use std::cell::Cell;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// After so many moments in vain, one after the other, the next one is not shorter, nor rarer.
const MOST_MISSES: u32 = 8;

thread_local! {
    /// The link that this thread watches: the one on which a message came last. Others that wait here cost nothing.
    static WATCHED: Cell<usize> = const { Cell::new(0) };
}

/// The watch over one link. In a row of calls each message comes within a moment of the last one, and every watch is
/// worth it. Where it was not, twice as many messages pass before the next.
pub(super) struct BusyPoll {
    /// Of the link, as others on this thread have theirs.
    id: usize,
    time: Duration,
    /// When the last message came, if what comes next is watched for.
    since: Option<Instant>,
    /// Watches in vain since the last that was not.
    misses: u32,
    /// Messages after which there is no watch.
    skip: u32,
}

impl BusyPoll {
    pub(super) fn new(id: usize, time: Duration) -> Self {
        Self { id, time, since: None, misses: 0, skip: 0 }
    }

    /// Where there is one processor, the peer could not go on as long as this side looks whether it did.
    pub(super) fn is_of_use() -> bool {
        static PROCESSORS: OnceLock<usize> = OnceLock::new();
        *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)) > 1
    }

    /// After a turn in which a message `came` or not: whether to take the next turn without being woken.
    pub(super) fn goes_on(&mut self, came: bool, now: Instant) -> bool {
        if self.time.is_zero() {
            return false;
        }
        if came {
            return self.begin(now);
        }
        let Some(since) = self.since else { return false };
        if WATCHED.get() != self.id {
            self.since = None;
            return false;
        }
        if now.saturating_duration_since(since) < self.time {
            return true;
        }
        self.since = None;
        self.misses = (self.misses + 1).min(MOST_MISSES);
        self.skip = (1 << self.misses) - 1;
        false
    }

    fn begin(&mut self, now: Instant) -> bool {
        if self.since.take().is_some() {
            self.misses = 0;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.since = Some(now);
        WATCHED.set(self.id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(50);
    const SOON: Duration = Duration::from_micros(10);

    fn watch(id: usize) -> BusyPoll {
        BusyPoll::new(id, TIME)
    }

    #[test]
    fn a_link_is_watched_for_a_moment_after_each_message() {
        let (mut watch, mut now) = (watch(1), Instant::now());
        assert!(!watch.goes_on(false, now), "nothing came yet");
        for _ in 0..100 {
            assert!(watch.goes_on(true, now));
            now += SOON;
            assert!(watch.goes_on(false, now));
        }
        now += TIME;
        assert!(!watch.goes_on(false, now), "the moment is over");
        assert!(!watch.goes_on(false, now), "and stays so");
    }

    #[test]
    fn watches_in_vain_become_rare_and_one_that_pays_brings_them_back() {
        let (mut watch, mut now) = (watch(1), Instant::now());
        let watches = |watch: &mut BusyPoll, now: &mut Instant, messages: u32| {
            let mut watches = 0;
            for _ in 0..messages {
                watches += u32::from(watch.goes_on(true, *now));
                *now += TIME;
                assert!(!watch.goes_on(false, *now));
            }
            watches
        };
        // After 1, 2, 4 … messages more.
        assert_eq!(watches(&mut watch, &mut now, 255), 8);
        assert_eq!(watches(&mut watch, &mut now, 2_560), 10);
        while !watch.goes_on(true, now) {}
        assert!(watch.goes_on(true, now + SOON), "that one paid");
        assert!(watch.goes_on(true, now + SOON * 2));
    }

    #[test]
    fn a_thread_watches_one_link() {
        let (mut first, mut second, now) = (watch(1), watch(2), Instant::now());
        assert!(first.goes_on(true, now));
        assert!(second.goes_on(true, now));
        assert!(!first.goes_on(false, now));
        assert!(second.goes_on(false, now));
        // That says nothing about the first one: its next message is followed by a watch.
        assert!(first.goes_on(true, now + TIME * 2));
    }

    #[test]
    fn without_a_time_there_is_no_watch() {
        let mut watch = BusyPoll::new(1, Duration::ZERO);
        assert!(!watch.goes_on(true, Instant::now()));
    }
}
