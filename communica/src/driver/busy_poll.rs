//! Looking for the next message at once, again and again, before the thread may sleep.
//!
//! Where processors sleep, to wake one takes longer than a whole call does where none sleeps, and more processor time than to look.
//! Where they are busy, to be woken is cheap, and who looks takes the processor from the peer. So users choose.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// The link that this thread watches: the one on which a message came last. Others that wait here cost nothing.
    static WATCHED: Cell<usize> = const { Cell::new(0) };
}

/// The watch over one link, for a moment after each message.
pub(super) struct BusyPoll {
    /// Of the link, as others on this thread have theirs.
    id: usize,
    time: Duration,
    /// When the last message came, if the next one is watched for.
    since: Option<Instant>,
}

impl BusyPoll {
    /// `id`: a number that no other link has. `time`: how long a moment is; zero for no watch at all.
    pub(super) fn new(id: usize, time: Duration) -> Self {
        Self { id, time, since: None }
    }

    /// After a turn in which messages `came` or not: whether to take the next turn without being woken.
    pub(super) fn goes_on(&mut self, came: bool, now: impl FnOnce() -> Instant) -> bool {
        if self.time.is_zero() {
            return false;
        }
        if came {
            self.since = Some(now());
            WATCHED.set(self.id);
            return true;
        }
        let Some(since) = self.since else { return false };
        let goes_on = WATCHED.get() == self.id && now().saturating_duration_since(since) < self.time;
        self.since = self.since.filter(|_| goes_on);
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(50);

    #[test]
    fn a_link_is_watched_for_a_moment_after_each_message() {
        let (mut watch, mut now) = (BusyPoll::new(1, TIME), Instant::now());
        assert!(!watch.goes_on(false, || now), "nothing came yet");
        for _ in 0..10 {
            assert!(watch.goes_on(true, || now));
            now += TIME * 2 / 3;
            assert!(watch.goes_on(false, || now));
        }
        now += TIME / 2;
        assert!(!watch.goes_on(false, || now), "the moment is over");
        assert!(!watch.goes_on(false, || panic!("the clock is not read any more")));
    }

    #[test]
    fn a_thread_watches_one_link() {
        let (mut first, mut second, now) = (BusyPoll::new(1, TIME), BusyPoll::new(2, TIME), Instant::now());
        assert!(first.goes_on(true, || now));
        assert!(second.goes_on(true, || now));
        assert!(!first.goes_on(false, || now));
        assert!(second.goes_on(false, || now));
        assert!(first.goes_on(true, || now));
    }

    #[test]
    fn without_a_time_there_is_no_watch() {
        let mut watch = BusyPoll::new(1, Duration::ZERO);
        assert!(!watch.goes_on(true, || panic!("the clock is not read")));
    }
}
