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
/// A look that comes so long after the message or the look before found the processor in other hands. Less is what a thread of this very
/// runtime takes, as it goes on with callers.
const LATE: Duration = Duration::from_micros(500);
/// A task that keeps the thread for so long may do so for longer: then what comes had better wake another, …
const KEPT: Duration = Duration::from_micros(200);
/// … until so many messages were found in time. So it is at first, too: to change it costs as much as a call.
const DOUBTS: u32 = 8;
/// Such a part of the time others may have, …
const PART_OF_OTHERS: u32 = 8;
/// … and who lost so much more has more company than there are processors: it stops looking.
const LOST: Duration = Duration::from_millis(4);
const TOO_MUCH: u32 = LOST.as_micros() as u32 * PART_OF_OTHERS;
/// Each time it sleeps twice as often as the last time; no more than so many times.
const MAX_LOSSES: u32 = 6;

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
    /// How often it stopped because of others. Each is forgotten when it looked for as many messages as it would sleep for.
    losses: u32,
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
        /// Messages to be found before none needs to wake anybody.
        doubts: u32,
        /// Messages that were looked for since a loss was forgotten.
        found: u32,
        /// So much time must pass until what others had was no more than their part of it.
        owed: u32,
    },
}

impl State {
    fn sleeps(enough: u32) -> Self {
        Self::Sleeps { since: None, waits: 0, slept: 0, enough }
    }

    fn looks(since: Option<Instant>) -> Self {
        Self::Looks { since, looked: 0, vain: 0, doubts: DOUBTS, found: 0, owed: 0 }
    }
}

impl BusyPoll {
    /// `id`: a number that no other link has. `time`: how long to look for a message at most; zero for no watch at all.
    pub(super) fn new(id: usize, time: Duration) -> Self {
        Self { id, time: micros(time), losses: 0, state: State::sleeps(FIRST_SLEEPS) }
    }

    /// The next message is looked for: nobody has to be woken when it comes.
    pub(super) fn needs_no_wake(&self) -> bool {
        matches!(self.state, State::Looks { since: Some(_), doubts: 0, .. })
    }

    /// Before each turn: others may have had the processor since the last one. `kept`: or just the thread, and no other one could go on here.
    pub(super) fn turn_begins(&mut self, kept: bool, now: impl FnOnce() -> Instant) {
        let State::Looks { since: Some(message), looked, doubts, owed, .. } = &mut self.state else {
            return;
        };
        let waited = micros(now().saturating_duration_since(*message));
        let late = waited.saturating_sub(*looked);
        if kept && late > micros(KEPT) {
            *doubts = DOUBTS;
        }
        if late > micros(LATE) {
            *owed = owed.saturating_add(late.saturating_mul(PART_OF_OTHERS));
        }
        *looked = waited;
    }

    /// After a turn in which messages `came` or not: whether to take the next turn without being woken.
    pub(super) fn goes_on(&mut self, came: bool, now: impl FnOnce() -> Instant) -> bool {
        if self.time == 0 {
            return false;
        }
        if came {
            return self.message_came(now());
        }
        self.looks_again(now)
    }

    fn looks_again(&mut self, now: impl FnOnce() -> Instant) -> bool {
        let State::Looks { since, looked, vain, doubts, owed, .. } = &mut self.state else {
            return false;
        };
        let Some(message) = *since else { return false };
        if WATCHED.get() != self.id {
            // They would take turns with what it costs to change that.
            (*since, *doubts) = (None, DOUBTS);
            return false;
        }
        let waited = micros(now().saturating_duration_since(message));
        *looked = waited;
        if *owed > TOO_MUCH {
            self.lose();
            return false;
        }
        if waited < self.time {
            return true;
        }
        (*since, *vain) = (None, *vain + 1);
        if *vain >= TRIES {
            self.sleep();
        }
        false
    }

    fn lose(&mut self) {
        self.losses = (self.losses + 1).min(MAX_LOSSES);
        self.sleep();
    }

    fn sleep(&mut self) {
        self.state = State::sleeps(SLEEPS << self.losses);
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
                self.state = State::looks(Some(now));
            }
            State::Looks { since, looked, vain, doubts, found, owed } => {
                if let Some(message) = since.replace(now) {
                    *owed = owed.saturating_sub(micros(now.saturating_duration_since(message)));
                    (*vain, *found) = (0, *found + 1);
                    *doubts = doubts.saturating_sub(1);
                }
                *looked = 0;
                if *owed > TOO_MUCH {
                    self.lose();
                    return false;
                }
                if *found >= SLEEPS << self.losses {
                    self.losses = self.losses.saturating_sub(1);
                    *found = 0;
                }
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
            self.message_and_work(after, Duration::ZERO)
        }

        /// And there is so much to do because of it.
        fn message_and_work(&mut self, after: Duration, work: Duration) -> bool {
            self.now += after;
            self.watch.turn_begins(true, || self.now);
            self.now += work;
            self.watch.goes_on(true, || self.now)
        }

        fn look(&mut self, after: Duration) -> bool {
            self.now += after;
            self.watch.turn_begins(true, || self.now);
            self.watch.goes_on(false, || self.now)
        }

        /// Messages come so often, each so long after the last; how many until it looks for the next one.
        fn messages_until_it_looks(&mut self, each: Duration, most: u32) -> Option<u32> {
            (1..=most).find(|_| self.message(each))
        }

        /// How many messages wake it until it looks again, where sleeping takes long?
        fn sleeps(&mut self) -> u32 {
            self.messages_until_it_looks(Duration::from_micros(60), 100_000).map_or(0, |all| all - 1)
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

    /// So many messages that are found in time, and then no longer.
    fn needs_a_wake_for(messages: u32, thread: &mut Thread) {
        for _ in 0..messages {
            assert!(!thread.watch.needs_no_wake());
            assert!(thread.look(TIME / 2) && thread.message(TIME / 4));
        }
        assert!(thread.watch.needs_no_wake());
    }

    fn without_doubts(id: usize) -> Thread {
        let mut thread = looking(id);
        needs_a_wake_for(DOUBTS, &mut thread);
        thread
    }

    #[test]
    fn who_looks_needs_no_wake_until_that_is_in_vain() {
        let mut thread = without_doubts(1);
        for _ in 0..3 {
            thread.looks_in_vain();
            assert!(!thread.watch.needs_no_wake());
            assert!(thread.message(TIME) && thread.watch.needs_no_wake());
            assert!(thread.look(TIME / 2) && thread.watch.needs_no_wake());
        }
    }

    #[test]
    fn who_shares_its_thread_with_another_link_needs_it_for_a_while() {
        let (mut thread, mut other) = (without_doubts(1), looking(2));
        assert!(other.message(TIME / 2));
        assert!(!thread.look(LOOK));
        assert!(thread.message(TIME));
        needs_a_wake_for(DOUBTS, &mut thread);
    }

    #[test]
    fn so_does_who_waits_for_its_thread_but_not_where_no_other_could_go_on() {
        let mut thread = without_doubts(1);
        for (kept, time, is_fine) in [(false, KEPT * 2, true), (true, KEPT, true), (true, KEPT + LOOK, false)]
        {
            thread.now += time;
            thread.watch.turn_begins(kept, || thread.now);
            assert_eq!(thread.watch.needs_no_wake(), is_fine);
            assert!(thread.watch.goes_on(true, || thread.now), "it looks all the same");
        }
        needs_a_wake_for(DOUBTS - 1, &mut thread);
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
    fn who_loses_time_to_others_sleeps_longer_each_time() {
        let mut thread = looking(1);
        for losses in [1, 2, 3, 4, 5, 6, 6] {
            assert!(!thread.look(LOST + LOOK));
            assert_eq!(thread.sleeps(), SLEEPS << losses);
        }
    }

    #[test]
    fn messages_may_come_while_others_have_the_processor() {
        let mut thread = looking(1);
        assert!(thread.message(LOST), "they may have their part of it");
        assert!(!thread.message(LOST));
        assert_eq!(thread.sleeps(), SLEEPS << 1);
    }

    #[test]
    fn work_is_no_loss() {
        let mut thread = looking(1);
        (0..100).for_each(|_| assert!(thread.message_and_work(LOOK, 10 * LOST) && thread.look(LOOK)));
    }

    #[test]
    fn others_may_have_a_part_of_the_time() {
        let mut thread = looking(1);
        for _ in 0..100 {
            assert!(!thread.look(LATE + LOOK), "that took longer than it looks");
            let rest = (LATE + LOOK) * PART_OF_OTHERS;
            let messages = rest.as_micros() / (TIME / 2).as_micros() + 1;
            (0..=messages).for_each(|_| assert!(thread.message(TIME / 2)));
        }
        // Shorter moments are no loss.
        for _ in 0..100 {
            assert!(!thread.look(LATE));
            (0..2).for_each(|_| assert!(thread.message(TIME / 2)));
        }
    }

    #[test]
    fn losses_are_forgotten_as_looks_pay() {
        let mut thread = looking(1);
        for _ in 0..2 {
            assert!(!thread.look(LOST + LOOK));
            thread.sleeps();
        }
        let mut pays = |times| (0..times).for_each(|_| assert!(thread.message(TIME / 2)));
        pays(SLEEPS << 2);
        pays((SLEEPS << 1) - 1);
        assert!(!thread.look(LOST * 2));
        assert_eq!(thread.sleeps(), SLEEPS << 2, "one of two was forgotten");
    }

    #[test]
    fn losses_are_not_forgotten_as_looks_are_in_vain() {
        let mut thread = looking(1);
        assert!(!thread.look(LOST + LOOK));
        thread.sleeps();
        for _ in 1..TRIES {
            thread.looks_in_vain();
            assert!(thread.message(Duration::from_millis(1)));
        }
        thread.looks_in_vain();
        assert_eq!(thread.sleeps(), SLEEPS << 1);
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
