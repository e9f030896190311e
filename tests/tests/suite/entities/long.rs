//! Handlers that compute for long: met once, they run aside, and nothing else of their connection waits for them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use communica::{Limits, LocalConnector, RouteClient, RouteServer, RouteTable};
use communica_tests::scratch::unique;

use crate::support::{echo, eventually, memory_pair, take, within};

/// Much longer than a route may take before it counts as one that computes for long.
const LONG: Duration = Duration::from_millis(5);

/// Keeps the processor.
fn compute(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {}
}

/// A route that keeps its thread busy: at first for a while, then until the returned end is told to go on.
fn busy(table: RouteTable) -> (RouteTable, mpsc::Sender<()>, Arc<Mutex<Vec<&'static str>>>) {
    let (go_on, told) = mpsc::channel();
    let (told, steps) = (Mutex::new(told), Arc::new(Mutex::new(Vec::new())));
    let noted = steps.clone();
    let table = table.route("busy", move |first: bool| {
        compute(LONG);
        noted.lock().unwrap().push("begun");
        if !first {
            let begun = Instant::now();
            while told.lock().unwrap().try_recv().is_err() {
                assert!(begun.elapsed() < Duration::from_secs(20), "somebody was held up");
            }
        }
        noted.lock().unwrap().push("done");
        first
    });
    (table, go_on, steps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux says for how long a thread ran")]
async fn calls_pass_a_handler_that_computes_for_long() {
    within(30, async {
        let (routes, go_on, steps) = busy(echo());
        let (_server, client) = memory_pair(routes).await;
        client.request::<_, bool>("busy", &true).await.unwrap();
        let caller = client.clone();
        let long = tokio::spawn(async move { caller.request::<_, bool>("busy", &false).await });
        for number in 0..100 {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        assert!(!long.is_finished());
        go_on.send(()).unwrap();
        assert!(!long.await.unwrap().unwrap());
        assert_eq!(*steps.lock().unwrap(), ["begun", "done", "begun", "done"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux says for how long a thread ran")]
async fn many_of_them_run_side_by_side() {
    within(60, async {
        const CALLS: usize = 8;
        let (routes, go_on, steps) = busy(echo());
        let (_server, client) = memory_pair(routes).await;
        client.request::<_, bool>("busy", &true).await.unwrap();
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.request::<_, bool>("busy", &false).await })
            })
            .collect();
        for number in 0..100 {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        let begun = || steps.lock().unwrap().iter().filter(|step| **step == "begun").count();
        eventually("all have begun, and none is done", || begun() == CALLS + 1).await;
        (0..CALLS).for_each(|_| go_on.send(()).unwrap());
        for call in calls {
            assert!(!call.await.unwrap().unwrap());
        }
        assert_eq!(steps.lock().unwrap().len(), 2 * (CALLS + 1));
    })
    .await;
}

/// Whoever is given a large answer may keep the thread on which it was read; its connection goes on with another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_pass_a_caller_that_works_on_a_large_answer() {
    const SIZE: usize = 3 << 20;
    within(60, async {
        let name = unique("long");
        let routes = echo().route("text", |size: usize| "x".repeat(size));
        // No sign of life wakes anybody.
        let limits = Limits::new().silence_time(Duration::from_secs(600));
        let server = RouteServer::new(LocalConnector::new(&name), routes).limits(limits.clone());
        let _server = server.start().await.unwrap();
        let client = RouteClient::builder(LocalConnector::new(&name)).limits(limits).connect().await.unwrap();
        let (answers, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let (client, answers, over) = (client.clone(), answers.clone(), over.clone());
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        client.request::<_, i64>("echo", &1).await.unwrap();
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let worker = tokio::spawn(async move {
            for _ in 0..20 {
                let answer = client.request::<_, String>("text", &SIZE).await.unwrap();
                let (begun, before) = (Instant::now(), answers.load(Ordering::Relaxed));
                while answers.load(Ordering::Relaxed) < before + 3 {
                    assert!(begun.elapsed() < Duration::from_secs(10), "somebody was held up");
                }
                assert_eq!(answer.len(), SIZE);
            }
        });
        worker.await.unwrap();
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
    })
    .await;
}

async fn start_in_the_order_they_were_sent(count: i64, long: Duration) {
    within(60, async {
        let (noted, mut order) = tokio::sync::mpsc::unbounded_channel();
        let also = noted.clone();
        let routes = RouteTable::new()
            .route("long", move |number: i64| {
                noted.send(number).unwrap();
                compute(long);
            })
            .route("quick", move |number: i64| also.send(number).unwrap());
        let (_server, client) = memory_pair(routes).await;
        for number in 0..count {
            let route = if number % 7 < 3 { "long" } else { "quick" };
            client.throw(route, &number).await.unwrap();
        }
        assert_eq!(take(&mut order, count as usize).await, (0..count).collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn long_and_quick_ones_start_in_the_order_they_were_sent() {
    start_in_the_order_they_were_sent(1000, Duration::from_micros(1500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn very_long_and_quick_ones_start_in_the_order_they_were_sent() {
    start_in_the_order_they_were_sent(100, Duration::from_millis(30)).await;
}

/// Each of the long ones computes until the next has started.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux says for how long a thread ran")]
async fn others_start_while_very_long_ones_compute_and_in_order() {
    const COUNT: i64 = 100;
    within(60, async {
        let (noted, mut order) = tokio::sync::mpsc::unbounded_channel();
        let (latest, held_up) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let (also, latest_too, held_up_in) = (noted.clone(), latest.clone(), held_up.clone());
        let routes = RouteTable::new()
            .route("long", move |number: i64| {
                if number < 0 {
                    return compute(LONG);
                }
                latest.store(number, Ordering::SeqCst);
                noted.send(number).unwrap();
                let begun = Instant::now();
                while latest.load(Ordering::SeqCst) == number && number + 1 < COUNT {
                    if held_up_in.load(Ordering::Relaxed) || begun.elapsed() > Duration::from_secs(20) {
                        held_up_in.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            })
            .route("quick", move |number: i64| {
                latest_too.store(number, Ordering::SeqCst);
                also.send(number).unwrap();
            });
        let (_server, client) = memory_pair(routes).await;
        // Now it is known to be one that computes for long.
        client.request::<_, ()>("long", &-1).await.unwrap();
        for number in 0..COUNT {
            let route = if number % 7 < 3 { "long" } else { "quick" };
            client.throw(route, &number).await.unwrap();
        }
        assert_eq!(take(&mut order, COUNT as usize).await, (0..COUNT).collect::<Vec<i64>>());
        assert!(!held_up.load(Ordering::Relaxed), "nothing started while a long one computed");
    })
    .await;
}

#[tokio::test]
async fn long_and_quick_ones_start_in_order_on_one_thread() {
    start_in_the_order_they_were_sent(1000, Duration::from_micros(1500)).await;
}

#[tokio::test]
async fn a_long_one_that_panics_is_that_calls_error_alone() {
    within(30, async {
        let routes = echo().route("panic", |now: bool| {
            compute(LONG);
            assert!(!now, "as asked");
        });
        let (_server, client) = memory_pair(routes).await;
        client.request::<_, ()>("panic", &false).await.unwrap();
        let error = client.request::<_, ()>("panic", &true).await.unwrap_err();
        assert!(error.to_string().contains("as asked"), "{error}");
        client.request::<_, ()>("panic", &false).await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
    })
    .await;
}
