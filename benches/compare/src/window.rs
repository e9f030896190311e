//! A while goes by: what ends in it is counted, and what both processes used in it.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::usage;

const WARMING: u8 = 0;
const OPEN: u8 = 1;
const OVER: u8 = 2;

/// What one pair of processes did in one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub calls_per_second: f64,
    /// Microseconds of one call, as its caller saw them.
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of both processes together, per call.
    pub cpu: f64,
    /// MiB of both processes together.
    pub memory: f64,
    /// MiB per second of what passed beside the calls.
    pub passed: f64,
    /// KiB that the server has for each idle connection.
    pub idle_memory: f64,
}

/// What a client is told of the window to come.
#[derive(Clone, Copy)]
pub struct Plan {
    pub warm_up: Duration,
    pub length: Duration,
    /// The other process of the pair.
    pub server: u32,
}

/// First nothing is counted, then all is, then there is no more.
pub struct Window {
    phase: Arc<AtomicU8>,
    costs: JoinHandle<Costs>,
}

struct Costs {
    length: Duration,
    cpu: Duration,
    memory: u64,
}

impl Plan {
    /// Begins to warm up: everybody is connected. A thread of its own keeps the time.
    pub fn start(self) -> Window {
        let phase = Arc::new(AtomicU8::new(WARMING));
        let pids = [self.server, process::id()];
        let now = phase.clone();
        let costs = thread::spawn(move || {
            thread::sleep(self.warm_up);
            let (opened, before) = (Instant::now(), pids.map(usage::cpu));
            now.store(OPEN, Ordering::Relaxed);
            thread::sleep(self.length);
            now.store(OVER, Ordering::Relaxed);
            let (length, after) = (opened.elapsed(), pids.map(usage::cpu));
            let cpu = after.iter().sum::<Duration>() - before.iter().sum::<Duration>();
            Costs { length, cpu, memory: pids.map(usage::peak_memory).iter().sum() }
        });
        Window { phase, costs }
    }
}

impl Window {
    pub fn meter(&self) -> Meter {
        Meter { phase: self.phase.clone(), times: Histogram::new(), last: Instant::now() }
    }

    /// All calls have ended. `after`: how long the server went on with what was sent in the window.
    pub fn outcome(self, meters: impl IntoIterator<Item = Meter>, after: Duration) -> Outcome {
        let costs = self.costs.join().expect("the thread that keeps the time");
        let mut times = Histogram::new();
        meters.into_iter().for_each(|meter| times.add(&meter.times));
        assert!(times.total() > 0, "no call ended in {:?}", costs.length);
        let calls = times.total() as f64;
        Outcome {
            calls_per_second: calls / (costs.length + after).as_secs_f64(),
            p50: times.percentile(0.5),
            p99: times.percentile(0.99),
            cpu: costs.cpu.as_secs_f64() * 1e6 / calls,
            memory: costs.memory as f64 / 1024.0,
            passed: 0.0,
            idle_memory: 0.0,
        }
    }
}

/// One caller's view of the window.
pub struct Meter {
    phase: Arc<AtomicU8>,
    times: Histogram,
    last: Instant,
}

impl Meter {
    /// A call ended, and the next begins at once. Whether there is to be one.
    pub fn next(&mut self) -> bool {
        let now = Instant::now();
        self.record(now - self.last);
        self.last = now;
        !self.is_over()
    }

    /// A call ended that took so long.
    pub fn record(&mut self, time: Duration) {
        if self.phase.load(Ordering::Relaxed) == OPEN {
            self.times.record(time);
        }
    }

    pub fn counted(&self) -> u64 {
        self.times.total()
    }

    pub fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OVER
    }
}
