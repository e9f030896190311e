//! Whether to look for the next message at once, again and again, before the thread may sleep.
//!
//! Where processors sleep, to wake one takes longer than a whole call does where none sleeps, and costs more: falling asleep
//! and being woken are system calls, too, and on a virtual machine those of its host. Where they are busy, waking costs
//! little, and who looks takes the processor from the peer. Which of the two it is can be measured and changes, so
//! rows of messages go now one way, now the other, and the faster one stays.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Messages whose gaps are compared; what comes at once is one.
const ROW: u32 = 64;
/// Rows of the way that is usual, until one goes the other way.
const USUAL_ROWS: u32 = 16;
/// A gap counts as no more than this: what is longer was decided by others.
const LONGEST_GAP: Duration = Duration::from_micros(250);
/// After so many watches in vain there are no more in that row.
const MISSES: u32 = 4;

thread_local! {
    /// The link that this thread watches: the one on which a message came last. Others that wait here cost nothing.
    static WATCHED: Cell<usize> = const { Cell::new(0) };
}

/// The watch over one link: for a moment after each message, in rows that are watched.
pub(super) struct BusyPoll {
    /// Of the link, as others on this thread have theirs.
    id: usize,
    time: Duration,
    /// When the last message came.
    last: Instant,
    is_watching: bool,
    /// Rows are watched, but for those that try the other way.
    usually: bool,
    usual_gaps: Duration,
    /// Usual rows before the next try; at 0 the row tries.
    until_try: u32,
    messages: u32,
    gaps: Duration,
    misses: u32,
}

impl BusyPoll {
    /// `id`: a number that no other link has. `time`: how long a moment is; zero for no watch at all.
    pub(super) fn new(id: usize, time: Duration, now: Instant) -> Self {
        Self {
            id,
            time,
            last: now,
            is_watching: false,
            usually: false,
            usual_gaps: Duration::ZERO,
            until_try: 1,
            messages: 0,
            gaps: Duration::ZERO,
            misses: 0,
        }
    }

    /// After a turn in which messages `came` or not: whether to take the next turn without being woken.
    pub(super) fn goes_on(&mut self, came: bool, now: impl FnOnce() -> Instant) -> bool {
        if self.time.is_zero() || !came && !self.is_watching {
            return false;
        }
        let now = now();
        let gap = now.saturating_duration_since(self.last);
        if came {
            self.last = now;
            self.note(gap);
            self.is_watching = (self.usually ^ self.is_try()) && self.misses < MISSES;
            if self.is_watching {
                WATCHED.set(self.id);
            }
        } else if WATCHED.get() != self.id {
            self.is_watching = false;
        } else if gap >= self.time {
            self.is_watching = false;
            self.misses += 1;
        }
        self.is_watching
    }

    fn is_try(&self) -> bool {
        self.until_try == 0
    }

    fn note(&mut self, gap: Duration) {
        self.messages += 1;
        self.gaps += gap.min(LONGEST_GAP);
        if self.messages == ROW {
            self.end_row();
            (self.messages, self.gaps, self.misses) = Default::default();
        }
    }

    fn end_row(&mut self) {
        let in_vain = self.misses == MISSES;
        if !self.is_try() {
            self.usual_gaps = self.gaps;
            self.usually &= !in_vain;
            self.until_try -= 1;
            return;
        }
        // What is hardly faster may be luck.
        if self.gaps * 8 < self.usual_gaps * 7 && !in_vain {
            self.usually = !self.usually;
        }
        self.until_try = USUAL_ROWS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(50);

    struct Link {
        poll: BusyPoll,
        now: Instant,
    }

    impl Link {
        fn new(id: usize) -> Self {
            let now = Instant::now();
            Self { poll: BusyPoll::new(id, TIME, now), now }
        }

        /// A message comes. Whether it is watched for the next.
        fn comes(&mut self) -> bool {
            self.poll.goes_on(true, || self.now)
        }

        fn looks_after(&mut self, time: Duration) -> bool {
            self.now += time;
            self.poll.goes_on(false, || self.now)
        }

        /// How many of these messages were watched for. Each takes so many µs to come, `watched` or not.
        fn carry(&mut self, messages: u32, watched: u64, not_watched: u64) -> u32 {
            let mut watches = 0;
            for _ in 0..messages {
                let is_watched = self.comes();
                watches += u32::from(is_watched);
                let gap = Duration::from_micros(if is_watched { watched } else { not_watched });
                if is_watched && self.looks_after(gap.min(TIME)) {
                    assert!(gap < TIME);
                } else if is_watched {
                    self.now += gap - gap.min(TIME);
                } else {
                    self.now += gap;
                }
            }
            watches
        }
    }

    #[test]
    fn where_waking_takes_long_a_link_is_watched() {
        let mut link = Link::new(1);
        link.carry(2 * ROW, 15, 60);
        let watches = link.carry(100 * ROW, 15, 60);
        assert!(watches > 90 * ROW, "{watches}");
    }

    #[test]
    fn where_watching_takes_long_it_is_only_tried() {
        let mut link = Link::new(1);
        let watches = link.carry(170 * ROW, 40, 25);
        assert!((9 * ROW..=11 * ROW).contains(&watches), "{watches}");
    }

    #[test]
    fn the_way_changes_with_the_machine() {
        let mut link = Link::new(1);
        link.carry(10 * ROW, 15, 60);
        link.carry(17 * ROW, 40, 25);
        let watches = link.carry(17 * ROW, 40, 25);
        assert!(watches <= 2 * ROW, "{watches}");
        link.carry(17 * ROW, 15, 60);
        let watches = link.carry(17 * ROW, 15, 60);
        assert!(watches >= 15 * ROW, "{watches}");
    }

    #[test]
    fn watches_in_vain_are_few() {
        let mut link = Link::new(1);
        let watches = link.carry(1_700 * ROW, 1_000, 1_000);
        assert!((1..=101 * MISSES).contains(&watches), "{watches}");
        // Neither do they stay where messages came soon before.
        link.carry(20 * ROW, 15, 60);
        let watches = link.carry(1_700 * ROW, 1_000, 1_000);
        assert!(watches <= ROW + 102 * MISSES, "{watches}");
    }

    #[test]
    fn a_moment_has_an_end() {
        let mut link = Link::new(1);
        while !link.comes() {}
        assert!(link.looks_after(TIME / 2));
        assert!(!link.looks_after(TIME / 2));
        assert!(!link.looks_after(Duration::ZERO), "and it stays over");
    }

    #[test]
    fn a_thread_watches_one_link() {
        let (mut first, mut second) = (Link::new(1), Link::new(2));
        first.carry(ROW, 15, 60);
        second.carry(ROW, 15, 60);
        assert!(first.comes());
        assert!(second.comes());
        assert!(!first.looks_after(Duration::ZERO));
        assert!(second.looks_after(Duration::ZERO));
        // That is no miss: its next message is followed by a watch.
        assert!(first.comes());
        assert_eq!(first.poll.misses, 0);
    }

    #[test]
    fn without_a_time_there_is_no_watch() {
        let mut link = Link::new(1);
        link.poll.time = Duration::ZERO;
        assert_eq!(link.carry(100 * ROW, 15, 60), 0);
    }
}
