//! A seed and a link's number → what that link will meet, always the same.

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::connector::LinkError;

/// What goes wrong on the links of a [`FaultConnector`](super::FaultConnector), and how often. Without further
/// settings, nothing does.
///
/// ```
/// use std::time::Duration;
/// use communica::Faults;
///
/// let faults = Faults::seeded(7)
///     .cut_after(1_000..=50_000)
///     .stall(10_000..=1_000_000, Duration::from_millis(200))
///     .delay(Duration::ZERO..=Duration::from_millis(20))
///     .short_writes(1..=100)
///     .fail_connects(0.1);
/// # let _ = faults;
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    cut_after: Option<RangeInclusive<u64>>,
    at_most: Option<u64>,
    stall: Option<(RangeInclusive<u64>, Duration)>,
    delay: Option<RangeInclusive<Duration>>,
    short_writes: Option<RangeInclusive<u64>>,
    fail_connects: f64,
}

impl Faults {
    /// No faults yet; those that are added take their chances from this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            cut_after: None,
            at_most: None,
            stall: None,
            delay: None,
            short_writes: None,
            fail_connects: 0.0,
        }
    }

    /// Each link is cut after so many bytes, sent and received together: most often in the middle of a message, and
    /// what is under way is lost. The other side is not told why.
    ///
    /// The handshake does not count; see [`fail_connects`](Self::fail_connects). Links that carry whole messages are cut between
    /// two. A message larger than all of the range does not get through in one go. What a broker had brought by then is not lost.
    #[must_use]
    pub fn cut_after(self, bytes: RangeInclusive<u64>) -> Self {
        Self { cut_after: Some(bytes), ..self }
    }

    /// Cuts by chance end after so many, on all links together, so that a test can end in peace. Unlimited by default.
    #[must_use]
    pub fn at_most(self, cuts: u64) -> Self {
        Self { at_most: Some(cuts), ..self }
    }

    /// Each link takes and gives nothing for this time, again and again after so many bytes.
    #[must_use]
    pub fn stall(self, after_bytes: RangeInclusive<u64>, time: Duration) -> Self {
        Self { stall: Some((after_bytes, time)), ..self }
    }

    /// What is sent waits for so long before it goes out, and what came before it is handed over; what came over a broker holds up what
    /// comes next.
    #[must_use]
    pub fn delay(self, time: RangeInclusive<Duration>) -> Self {
        Self { delay: Some(time), ..self }
    }

    /// A stream takes only so many bytes at a time, and other tasks get a turn in between. Links that carry whole
    /// messages take one at a time.
    #[must_use]
    pub fn short_writes(self, bytes: RangeInclusive<u64>) -> Self {
        Self { short_writes: Some(bytes), ..self }
    }

    /// This part of all attempts to connect fails, from 0 to 1: half of those before anything is said, and half after the
    /// handshake, when the other side believes that there is a link. A server hangs up likewise.
    #[must_use]
    pub fn fail_connects(self, part: f64) -> Self {
        Self { fail_connects: part, ..self }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn most_cuts(&self) -> u64 {
        self.at_most.unwrap_or(u64::MAX)
    }
}

/// When an attempt to connect fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing was said.
    Before,
    /// The handshake was complete.
    After,
}

/// What one link meets, drawn as it goes on.
pub(super) struct Plan {
    faults: Faults,
    link: u64,
    failure: Option<Failure>,
    /// Bytes until the cut; `None` for no cut.
    until_cut: Option<u64>,
    /// Bytes until the next stall.
    until_stall: Option<u64>,
    /// Draws at times that depend on how busy the machine is must not change where the cuts are.
    places: Dice,
    paces: Dice,
}

impl Plan {
    pub(super) fn new(faults: &Faults, link: u64) -> Self {
        let mut places = Dice::new(faults.seed, link);
        let paces = Dice::new(!faults.seed, link);
        let fails = places.fraction() < faults.fail_connects;
        let when = if places.fraction() < 0.5 { Failure::Before } else { Failure::After };
        let until_cut = faults.cut_after.as_ref().map(|range| places.within(range).max(1));
        let until_stall = faults.stall.as_ref().map(|(range, _)| places.within(range).max(1));
        let failure = fails.then_some(when);
        Self { faults: faults.clone(), link, failure, until_cut, until_stall, places, paces }
    }

    pub(super) fn link(&self) -> u64 {
        self.link
    }

    pub(super) fn seed(&self) -> u64 {
        self.faults.seed
    }

    pub(super) fn fail(&mut self, when: Failure) {
        self.failure = Some(when);
    }

    /// An error if it fails at this moment.
    pub(super) fn pass(&self, now: Failure) -> Result<(), LinkError> {
        if self.failure == Some(now) { Err(failed(self.faults.seed, self.link).into()) } else { Ok(()) }
    }

    /// Bytes that may pass before the next thing happens; at least 1.
    pub(super) fn allowance(&self) -> u64 {
        self.until_cut.unwrap_or(u64::MAX).min(self.until_stall.unwrap_or(u64::MAX))
    }

    /// So many bytes passed. True when the link is to be cut now.
    pub(super) fn spend(&mut self, bytes: u64) -> bool {
        self.until_stall = self.until_stall.map(|left| left.saturating_sub(bytes));
        self.until_cut = self.until_cut.map(|left| left.saturating_sub(bytes));
        self.until_cut == Some(0)
    }

    /// No cut any more.
    pub(super) fn spare(&mut self) {
        self.until_cut = None;
    }

    /// How long to stall now, if it is time to.
    pub(super) fn stall(&mut self) -> Option<Duration> {
        let (range, time) = self.faults.stall.as_ref().filter(|_| self.until_stall == Some(0))?;
        self.until_stall = Some(self.places.within(range).max(1));
        Some(*time)
    }

    /// How long to hold back what is next.
    pub(super) fn delay(&mut self) -> Option<Duration> {
        let range = self.faults.delay.as_ref()?;
        let (low, high) = (range.start().as_nanos() as u64, range.end().as_nanos() as u64);
        Some(Duration::from_nanos(self.paces.within(&(low..=high))))
    }

    /// Bytes of the next write; `None` for as many as there are.
    pub(super) fn write_len(&mut self) -> Option<u64> {
        let range = self.faults.short_writes.as_ref()?;
        Some(self.paces.within(range).max(1))
    }
}

/// The error of an attempt that fails on purpose.
pub(super) fn failed(seed: u64, link: u64) -> io::Error {
    let what = format!("connecting failed on purpose (link {link} of the faults with seed {seed})");
    io::Error::new(io::ErrorKind::ConnectionRefused, what)
}

/// Numbers by chance, the same for the same seed (splitmix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed);
        // Streams of one seed begin far from each other.
        Self(dice.next() ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including, 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of the range; its start if the range is empty.
    fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.next() % width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(seed: u64, link: u64) -> Vec<u64> {
        let mut plan = Plan::new(&Faults::seeded(seed).stall(1..=1000, Duration::ZERO), link);
        let draw = |plan: &mut Plan| {
            let place = plan.allowance();
            plan.spend(place);
            plan.stall();
            place
        };
        (0..20).map(|_| draw(&mut plan)).collect()
    }

    #[test]
    fn a_seed_and_a_link_meet_the_same_faults_every_time() {
        assert_eq!(places(7, 3), places(7, 3));
        assert_ne!(places(7, 3), places(7, 4));
        assert_ne!(places(7, 3), places(8, 3));
    }

    #[test]
    fn draws_of_the_pace_do_not_move_the_cuts() {
        let faults =
            Faults::seeded(1).stall(1..=1000, Duration::ZERO).delay(Duration::ZERO..=Duration::from_secs(1));
        let (mut one, mut other) = (Plan::new(&faults, 1), Plan::new(&faults, 1));
        other.delay();
        for plan in [&mut one, &mut other] {
            plan.spend(plan.allowance());
            plan.stall();
        }
        assert_eq!(one.allowance(), other.allowance());
    }

    #[test]
    fn cuts_fall_everywhere_in_their_range() {
        let faults = Faults::seeded(5).cut_after(10..=13);
        let mut seen: Vec<u64> = (0..100).map(|link| Plan::new(&faults, link).allowance()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [10, 11, 12, 13]);
    }

    #[test]
    fn odd_ranges_are_no_panic() {
        let mut dice = Dice::new(0, 0);
        assert_eq!(dice.within(&RangeInclusive::new(9, 3)), 9);
        dice.within(&(0..=u64::MAX));
        let fails = |part| {
            let faults = Faults::seeded(0).fail_connects(part);
            (0..1000).filter(|&link| Plan::new(&faults, link).failure.is_some()).count()
        };
        assert_eq!((fails(0.0), fails(-1.0), fails(f64::NAN), fails(2.0)), (0, 0, 0, 1000));
        assert!((400..600).contains(&fails(0.5)));
    }
}
