//! A client that can call goes in, so many calls at once for the length of a window come out.

use std::fmt;
use std::time::{Duration, Instant};

use crate::payload::HUGE;
use crate::usage;
use crate::window::{Meter, Outcome, Plan};

/// Between small calls beside huge ones.
const INTERVAL: Duration = Duration::from_millis(1);

/// How many calls at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub connections: usize,
    /// On each connection.
    pub in_flight: usize,
}

impl Load {
    pub fn read(name: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().filter(|&number| number > 0);
        let (connections, in_flight) = name.split_once('x').unwrap_or(("1", name));
        Some(Self { connections: number(connections)?, in_flight: number(in_flight)? })
    }

    pub fn named(name: &str) -> Self {
        Self::read(name).unwrap_or_else(|| panic!("{name:?} is no number of calls"))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connections {
            1 => write!(f, "{}", self.in_flight),
            many => write!(f, "{many}x{}", self.in_flight),
        }
    }
}

/// One caller over a contender's client.
pub trait Call: Clone + Send + 'static {
    /// Makes the call with this number, and checks that what comes back is what was sent.
    fn call(&mut self, number: u64) -> impl Future<Output = ()> + Send;

    /// Returns when the server is done with all these calls. Where each has an answer, it is.
    fn settle(&mut self, _calls: u64) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// As users do: each caller is a task, which calls again when its call has ended. `connect` opens a connection.
pub async fn by_tasks<C: Call>(connect: impl AsyncFn() -> C, load: Load, plan: Plan) -> Outcome {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(connect().await);
    }
    call_over(connections, load.in_flight, plan).await
}

/// Many connections that have each made a call and are idle, and 64 calls at once on one more.
pub async fn beside_idle<C: Call>(connect: impl AsyncFn() -> C, connections: usize, plan: Plan) -> Outcome {
    let mut busy = connect().await;
    busy.call(0).await;
    let (before, mut idle) = (usage::memory(plan.server), Vec::new());
    for number in 1..connections {
        let mut caller = connect().await;
        caller.call(number as u64).await;
        idle.push(caller);
    }
    let memory = usage::memory(plan.server) - before;
    let outcome = call_over(vec![busy], 64, plan).await;
    Outcome { idle_memory: memory as f64 / idle.len() as f64, ..outcome }
}

async fn call_over<C: Call>(connections: Vec<C>, in_flight: usize, plan: Plan) -> Outcome {
    let callers: Vec<C> = connections.into_iter().flat_map(|caller| vec![caller; in_flight]).collect();
    let mut last = callers[0].clone();
    let (window, count) = (plan.start(), callers.len() as u64);
    let tasks = callers.into_iter().zip(0..).map(|(caller, first)| {
        let meter = window.meter();
        tokio::spawn(call_on(caller, first, count, meter))
    });
    let (mut meters, mut calls) = (Vec::new(), 0);
    for task in tasks.collect::<Vec<_>>() {
        let (meter, made) = task.await.expect("calls succeed");
        meters.push(meter);
        calls += made;
    }
    let over = Instant::now();
    last.settle(calls).await;
    window.outcome(meters, over.elapsed())
}

/// Small calls, one each millisecond, perhaps while huge ones pass on the same connection, one at a time.
pub async fn aside(small: impl Call, huge: Option<impl Call>, plan: Plan) -> Outcome {
    let window = plan.start();
    let passing = huge.map(|huge| tokio::spawn(call_on(huge, 0, 1, window.meter())));
    let small = tokio::spawn(call_each(INTERVAL, small, window.meter()));
    let meter = small.await.expect("calls succeed");
    let passed = match passing {
        Some(passing) => passing.await.expect("calls succeed").0.counted(),
        None => 0,
    };
    let outcome = window.outcome([meter], Duration::ZERO);
    Outcome {
        passed: (passed * HUGE as u64) as f64 / (1 << 20) as f64 / plan.length.as_secs_f64(),
        ..outcome
    }
}

/// A call that took longer stands for those that would have been made meanwhile: they would have waited as well.
async fn call_each(interval: Duration, mut caller: impl Call, mut meter: Meter) -> Meter {
    for number in 0.. {
        tokio::time::sleep(interval).await;
        let start = Instant::now();
        caller.call(number).await;
        let mut time = start.elapsed();
        while time > interval {
            meter.record(time);
            time -= interval;
        }
        meter.record(time);
        if meter.is_over() {
            break;
        }
    }
    meter
}

/// Calls one after the other, and says how many. The numbers between its own are those of others.
async fn call_on(mut caller: impl Call, first: u64, step: u64, mut meter: Meter) -> (Meter, u64) {
    let mut calls = 0;
    loop {
        caller.call(first + calls * step).await;
        calls += 1;
        if !meter.next() {
            return (meter, calls);
        }
    }
}
