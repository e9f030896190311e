//! Looking for the next message at once, again and again, before the thread may sleep: as long as that pays.
//!
//! Where processors sleep, to wake one takes longer than a whole call does where none sleeps, and more processor time than to look.
//! Where they are busy, to be woken is cheap, and who looks takes the processor from whoever it waits for. How long a sleeping thread waits
//! for messages tells one from the other, and a look that comes late tells that the processor is wanted.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Where a sleeping thread waits no longer than this for a message, to look would hardly be faster …
const CHEAP_SLEEP: Duration = Duration::from_micros(25);
/// … and of what it waits longer, so much may be because two processors slept, one after the other.
const TWO_SLEEPS: Duration = Duration::from_micros(130);
/// Messages that are waited for asleep on a new link before it may look, …
const FIRST_SLEEPS: u32 = 32;
/// … and after looks that did not pay.
const SLEEPS: u32 = 256;
/// Messages that are looked for in vain, one after the other, before it is clear that this does not pay: the peer may need as many to begin
/// to look, too.
const TRIES: u32 = 32;
/// A look that comes so long after the message or the look before found the processor in other hands.
const LATE: Duration = Duration::from_micros(100);
/// After each such look it sleeps twice as often as after the last one; no more than so many times.
const MAX_LATE: u32 = 6;

thread_local! {
    /// The link that this thread watches: the one on which a message came last. Others that wait here cost nothing.
    static WATCHED: Cell<usize> = const { Cell::new(0) };
}

/// The watch over one link. Times are microseconds: each link has one of these for as long as it lives.
pub(super) struct BusyPoll {
    /// Of the link, as others on this thread have theirs.
    id: usize,
    /// How long it may look for a message.
    time: u32,
    /// Late looks, since there was another reason to stop looking.
    late: u32,
    state: State,
}

enum State {
    /// The thread may sleep between messages, and how long it waits for them is measured.
    Sleeps {
        /// When the last one came.
        since: Option<Instant>,
        waits: u32,
        slept: u32,
        /// Waits before it is known whether to look.
        enough: u32,
    },
    Looks {
        /// When the last one came, if the next one is looked for.
        since: Option<Instant>,
        /// The last look, so long after that.
        looked: u32,
        /// Messages that were looked for in vain, one after the other.
        vain: u32,
    },
}

impl State {
    fn sleeps(enough: u32) -> Self {
        Self::Sleeps { since: None, waits: 0, slept: 0, enough }
    }

    fn looks(since: Option<Instant>, vain: u32) -> Self {
        Self::Looks { since, looked: 0, vain }
    }
}

impl BusyPoll {
    /// `id`: a number that no other link has. `time`: how long to look for a message at most; zero for no watch at all.
    pub(super) fn new(id: usize, time: Duration) -> Self {
        Self { id, time: micros(time), late: 0, state: State::sleeps(FIRST_SLEEPS) }
    }

    /// After a turn in which messages `came` or not: whether to take the next turn without being woken.
    pub(super) fn goes_on(&mut self, came: bool, now: impl FnOnce() -> Instant) -> bool {
        if self.time == 0 {
            return false;
        }
        if came {
            return self.message_came(now());
        }
        let State::Looks { since: Some(since), looked, vain } = self.state else { return false };
        if WATCHED.get() != self.id {
            self.state = State::looks(None, vain);
            return false;
        }
        let waited = micros(now().saturating_duration_since(since));
        if waited - looked.min(waited) > micros(LATE) {
            self.late = (self.late + 1).min(MAX_LATE);
            self.state = State::sleeps(SLEEPS << self.late);
        } else if waited < self.time {
            self.state = State::Looks { since: Some(since), looked: waited, vain };
            return true;
        } else if vain + 1 < TRIES {
            self.state = State::looks(None, vain + 1);
        } else {
            self.late = 0;
            self.state = State::sleeps(SLEEPS);
        }
        false
    }

    fn message_came(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Sleeps { since, waits, slept, enough } => {
                // Longer waits say no more than that.
                let longest = self.time.saturating_add(micros(TWO_SLEEPS));
                let Some(since) = since.replace(now) else { return false };
                let wait =
                    micros(now.saturating_duration_since(since)).min(longest.saturating_add(longest / 3));
                (*waits, *slept) = (*waits + 1, slept.saturating_add(wait));
                if waits < enough {
                    return false;
                }
                let mean = *slept / *waits;
                if mean < micros(CHEAP_SLEEP) || mean > longest {
                    self.state = State::sleeps(SLEEPS);
                    return false;
                }
                self.state = State::looks(Some(now), 0);
            }
            State::Looks { since, vain, .. } => {
                let vain = if since.is_some() { 0 } else { *vain };
                self.state = State::looks(Some(now), vain);
            }
        }
        WATCHED.set(self.id);
        true
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(20);
    const LOOK: Duration = Duration::from_micros(1);

    /// A link on a thread, and a clock.
    struct Thread {
        watch: BusyPoll,
        now: Instant,
    }

    impl Thread {
        fn new(id: usize, time: Duration) -> Self {
            Self { watch: BusyPoll::new(id, time), now: Instant::now() }
        }

        /// A message comes `after` the last one, to a thread that sleeps or looks.
        fn message(&mut self, after: Duration) -> bool {
            self.now += after;
            self.watch.goes_on(true, || self.now)
        }

        fn look(&mut self, after: Duration) -> bool {
            self.now += after;
            self.watch.goes_on(false, || self.now)
        }

        /// Messages come so often, each so long after the last; how many until it looks for the next one.
        fn messages_until_it_looks(&mut self, each: Duration, most: u32) -> Option<u32> {
            (1..=most).find(|_| self.message(each))
        }

        /// Looks for a message in vain. How long?
        fn looks_in_vain(&mut self) -> Duration {
            let since = self.now;
            while self.look(LOOK) {}
            self.now - since
        }
    }

    fn looking(id: usize) -> Thread {
        let mut thread = Thread::new(id, TIME);
        assert_eq!(thread.messages_until_it_looks(Duration::from_micros(60), 100), Some(FIRST_SLEEPS + 1));
        thread
    }

    #[test]
    fn it_looks_where_sleeping_takes_long() {
        let mut thread = looking(1);
        for _ in 0..1000 {
            assert!(thread.look(TIME / 2));
            assert!(thread.message(TIME / 4));
        }
    }

    #[test]
    fn it_sleeps_where_that_takes_no_time_and_where_messages_are_rare() {
        for each in [0, 24, 160, 1_000_000, 3_600_000_000] {
            let mut thread = Thread::new(1, TIME);
            assert_eq!(thread.messages_until_it_looks(Duration::from_micros(each), 10_000), None, "{each}");
            assert!(!thread.look(LOOK));
        }
        for each in [26, 149] {
            let mut thread = Thread::new(1, TIME);
            assert!(thread.messages_until_it_looks(Duration::from_micros(each), 100).is_some(), "{each}");
        }
    }

    #[test]
    fn one_long_wait_among_many_says_little() {
        let mut thread = Thread::new(1, TIME);
        assert!(!thread.message(Duration::ZERO));
        assert!(!thread.message(Duration::from_secs(1000)));
        assert!(thread.messages_until_it_looks(Duration::from_micros(60), 100).is_some());
    }

    #[test]
    fn looks_in_vain_end_after_their_time_and_then_for_long() {
        let mut thread = looking(1);
        for _ in 1..TRIES {
            assert_eq!(thread.looks_in_vain(), TIME);
            assert!(thread.message(Duration::from_millis(1)), "it may have been chance");
        }
        assert_eq!(thread.looks_in_vain(), TIME);
        let again = thread.messages_until_it_looks(Duration::from_micros(60), 10_000);
        assert_eq!(again, Some(SLEEPS + 1));
    }

    #[test]
    fn who_finds_one_in_time_may_look_in_vain_again() {
        let mut thread = looking(1);
        for _ in 0..10 {
            for _ in 1..TRIES {
                assert_eq!(thread.looks_in_vain(), TIME);
                assert!(thread.message(Duration::from_millis(1)));
            }
            assert!(thread.message(TIME / 2));
        }
    }

    #[test]
    fn who_looks_late_sleeps_longer_each_time() {
        let mut thread = looking(1);
        for late in [1, 2, 3, 4, 5, 6, 6] {
            assert!(!thread.look(LATE + LOOK));
            let again = thread.messages_until_it_looks(Duration::from_micros(60), 100_000);
            assert_eq!(again, Some((SLEEPS << late) + 1));
        }
        // Looks in vain are no reason for that.
        while thread.message(Duration::from_millis(1)) {
            thread.looks_in_vain();
        }
        assert_eq!(thread.messages_until_it_looks(Duration::from_micros(60), 10_000), Some(SLEEPS));
        assert!(!thread.look(LATE + LOOK));
        assert_eq!(thread.messages_until_it_looks(Duration::from_micros(60), 10_000), Some(SLEEPS * 2 + 1));
    }

    #[test]
    fn a_thread_watches_one_link() {
        let (mut first, mut second) = (looking(1), looking(2));
        assert!(first.message(LOOK));
        assert!(second.message(LOOK));
        assert!(!first.look(LOOK), "the other one's message came later");
        assert!(second.look(LOOK));
        assert!(first.message(LOOK));
        assert!(!second.look(LOOK));
    }

    #[test]
    fn without_a_time_there_is_no_watch() {
        let mut watch = BusyPoll::new(1, Duration::ZERO);
        assert!(!watch.goes_on(true, || panic!("the clock is not read")));
    }

    #[test]
    fn no_time_is_too_long() {
        let mut thread = Thread::new(1, Duration::MAX);
        assert!(thread.messages_until_it_looks(Duration::from_secs(5000), 100).is_some());
        assert!(thread.look(LATE));
    }
}
