//! A measurement goes in; its outcome comes out, and it is known how far from each other the processors were meanwhile.
//!
//! A virtual machine's processors are threads of its host, which may move them to other cores. What two of them share then takes
//! several times as long to go from one to the other, for seconds, until they are moved again: a client on threads makes half as many
//! calls, a loop on one thread per process as many as before. Medians of a few rounds would be of the one kind for some, and of the other
//! for others.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Of the shortest that was seen; beyond, processors count as far from each other.
const FAR: f64 = 3.0;
/// What is measured while they are is measured again, up to so many times …
const ATTEMPTS: usize = 3;
/// … after they came closer. A whole run waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

const WARM_UP: u32 = 500;
const ROUND_TRIPS: u32 = 5_000;
/// One of them may have been interrupted.
const TRIES: usize = 3;

/// What a run knows about its processors.
pub struct Distance {
    processors: Option<[usize; 2]>,
    /// Nanoseconds, of each measurement that counts.
    seen: Vec<f64>,
    shortest: f64,
    waited: Duration,
    again: usize,
}

impl Distance {
    pub fn new() -> Self {
        let mut new = Self {
            processors: two_processors(),
            seen: Vec::new(),
            shortest: f64::INFINITY,
            waited: Duration::ZERO,
            again: 0,
        };
        new.look();
        new
    }

    /// Measures while the processors are close, as far as that can be had.
    pub fn measure<T>(&mut self, measure: impl Fn() -> T) -> T {
        let mut attempt = 1;
        loop {
            let before = self.wait_until_close();
            let outcome = measure();
            let distance = before.max(self.look());
            if distance <= self.shortest * FAR || attempt == ATTEMPTS || self.waited >= PATIENCE {
                self.seen.push(distance);
                return outcome;
            }
            attempt += 1;
            self.again += 1;
        }
    }

    fn wait_until_close(&mut self) -> f64 {
        loop {
            let distance = self.look();
            if distance <= self.shortest * FAR || self.waited >= PATIENCE {
                return distance;
            }
            let started = Instant::now();
            thread::sleep(LOOK_EVERY);
            self.waited += started.elapsed();
        }
    }

    fn look(&mut self) -> f64 {
        let Some(processors) = self.processors else { return 0.0 };
        let distance = (0..TRIES).map(|_| round_trip(processors)).fold(f64::INFINITY, f64::min);
        self.shortest = self.shortest.min(distance);
        distance
    }
}

/// For people.
impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.processors.is_none() {
            return f.write_str("There is one processor.");
        }
        let far = self.seen.iter().filter(|distance| **distance > self.shortest * FAR).count();
        write!(
            f,
            "What two processors share went from one to the other and back in {:.0} ns at best. Pairs that were measured while it took more \
             than {FAR} times as long: {far} of {}. {} were measured again because of that, and {:.0} s waited for.",
            self.shortest,
            self.seen.len(),
            self.again,
            self.waited.as_secs_f64(),
        )
    }
}

fn two_processors() -> Option<[usize; 2]> {
    let allowed = sched_getaffinity(None).expect("the system knows where this thread may run");
    let mut all = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
    Some([all.next()?, all.next()?])
}

/// Nanoseconds that a number takes to go from one processor to the other and back.
fn round_trip([here, there]: [usize; 2]) -> f64 {
    let number = AtomicU32::new(0);
    let wait_for = |wanted| {
        while number.load(Ordering::Acquire) != wanted {
            std::hint::spin_loop();
        }
    };
    let all = WARM_UP + ROUND_TRIPS;
    thread::scope(|scope| {
        scope.spawn(|| {
            run_on(there);
            for round in 0..all {
                wait_for(2 * round + 1);
                number.store(2 * round + 2, Ordering::Release);
            }
        });
        let mine = scope.spawn(|| {
            run_on(here);
            let mut started = Instant::now();
            for round in 0..all {
                if round == WARM_UP {
                    started = Instant::now();
                }
                number.store(2 * round + 1, Ordering::Release);
                wait_for(2 * round + 2);
            }
            started.elapsed().as_nanos() as f64 / f64::from(ROUND_TRIPS)
        });
        mine.join().expect("it only counts")
    })
}

/// This thread, from now on.
fn run_on(processor: usize) {
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only).expect("this thread may run there");
}
