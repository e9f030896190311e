//! A client that can call goes in, so many calls at once for the length of a window come out.

use std::time::Duration;

use crate::window::{Meter, Outcome, Plan};

/// How many calls at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    /// On each connection.
    pub in_flight: usize,
}

/// One caller over a contender's client.
pub trait Call: Clone + Send + 'static {
    /// Makes the call with this number, and checks that what comes back is what was sent.
    fn call(&mut self, number: u64) -> impl Future<Output = ()> + Send;
}

/// As users do: each caller is a task, which calls again when its call has ended. `connect` opens a connection.
pub async fn by_tasks<C: Call>(connect: &impl AsyncFn() -> C, load: Load, plan: Plan) -> Outcome {
    let mut callers = Vec::new();
    for _ in 0..load.connections {
        callers.extend(vec![connect().await; load.in_flight]);
    }
    let (window, count) = (plan.start(), callers.len() as u64);
    let tasks = callers.into_iter().zip(0..).map(|(caller, first)| {
        let meter = window.meter();
        tokio::spawn(call_on(caller, first, count, meter))
    });
    let mut meters = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        meters.push(task.await.expect("calls succeed"));
    }
    window.outcome(meters, Duration::ZERO)
}

/// Calls one after the other. The numbers between its own are those of others.
async fn call_on(mut caller: impl Call, first: u64, step: u64, mut meter: Meter) -> Meter {
    let mut number = first;
    loop {
        caller.call(number).await;
        number += step;
        if !meter.next() {
            return meter;
        }
    }
}
