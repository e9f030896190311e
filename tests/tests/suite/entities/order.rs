//! Messages come in an order; their handlers start in that order and do not wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use communica::{Context, LocalConnector, RouteClient, RouteServer, RouteTable};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::{Gate, memory_pair, noting, take, unique, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_start_in_the_order_of_arrival_whatever_they_do() {
    within(60, async {
        const THROWS: i64 = 10_000;
        let (starts, mut started) = mpsc::unbounded_channel();
        let (slow, quick) = (starts.clone(), starts);
        let routes = RouteTable::new()
            .route("quick", move |number: i64| quick.send(number).unwrap_or_default())
            .route("slow", move |_: Context, number: i64| {
                slow.send(number).unwrap_or_default();
                async move {
                    for _ in 0..number % 7 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        let (_server, client) = memory_pair(routes).await;
        for number in 0..THROWS {
            let route = if number % 3 == 0 { "slow" } else { "quick" };
            client.throw(route, &number).await.unwrap();
        }
        let order = take(&mut started, THROWS as usize).await;
        let wrong = order.iter().zip(0..).find(|(is, should)| *is != should);
        assert_eq!(wrong, None, "(started, should have started)");
    })
    .await;
}

/// What they send on to has a budget, which tokio gives to each task: many handlers share the one of their link's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_need_not_wait_do_all_they_do_in_the_order_of_arrival() {
    within(60, async {
        const THROWS: i64 = 10_000;
        let (notes, mut noted) = mpsc::channel(THROWS as usize);
        let routes = RouteTable::new().route("pass on", move |number: i64| {
            let notes = notes.clone();
            async move { notes.send(number).await.unwrap_or_default() }
        });
        let (_server, client) = memory_pair(routes).await;
        for number in 0..THROWS {
            client.throw("pass on", &number).await.unwrap();
        }
        for number in 0..THROWS {
            assert_eq!(noted.recv().await, Some(number));
        }
    })
    .await;
}

/// Also one that never waits for anything, as long as it asks tokio whether others want to go on.
#[tokio::test]
async fn a_handler_that_yields_holds_up_nobody() {
    within(20, async {
        let ends = Arc::new(AtomicBool::new(false));
        let seen = ends.clone();
        let routes = noting(RouteTable::new(), "note").0.route("spin", move |(): ()| {
            let ends = seen.clone();
            async move {
                while !ends.load(Ordering::Relaxed) {
                    tokio::task::coop::consume_budget().await;
                }
            }
        });
        let (_server, client) = memory_pair(routes).await;
        let (spun, ()) = tokio::join!(client.request::<_, ()>("spin", &()), async {
            client.request::<_, ()>("note", &1).await.unwrap();
            ends.store(true, Ordering::Relaxed);
        });
        spun.unwrap();
    })
    .await;
}

/// Handlers that use all the budget of their link's task leave it no turn to answer in, so the next turn is the link's.
#[tokio::test]
async fn handlers_that_use_up_every_turn_are_answered_meanwhile() {
    within(30, async {
        let started = Arc::new(AtomicUsize::new(0));
        let counted = started.clone();
        let routes = RouteTable::new().route("work", move |(): ()| {
            let counted = counted.clone();
            async move {
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
                for _ in 0..200 {
                    tokio::task::coop::consume_budget().await;
                }
            }
        });
        let road = LocalConnector::new(unique("turns"));
        let _server = RouteServer::new(road.clone(), routes).start().await.unwrap();
        let first = tokio::task::spawn_blocking(move || {
            let elsewhere = Builder::new_current_thread().enable_all().build().unwrap();
            elsewhere.block_on(async {
                let client = RouteClient::connect(road).await.unwrap();
                let mut calls = JoinSet::new();
                for _ in 0..200 {
                    let client = client.clone();
                    calls.spawn(async move { client.request::<_, ()>("work", &()).await.unwrap() });
                }
                calls.join_next().await.unwrap().unwrap();
                let first = started.load(Ordering::Relaxed);
                calls.join_all().await;
                client.close().await;
                first
            })
        });
        let first = first.await.unwrap();
        assert!(first < 100, "{first} of 200 had started when the first was answered");
    })
    .await;
}

#[tokio::test]
async fn one_slow_handler_does_not_delay_the_next() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let gate = Gate::shut();
        let held = gate.clone();
        let routes = routes.route("slow", move |number: i64| {
            let gate = held.clone();
            async move {
                gate.pass().await;
                number
            }
        });
        let (_server, client) = memory_pair(routes).await;
        let (slow, ()) = tokio::join!(client.request::<_, i64>("slow", &1), async {
            client.throw("note", &2).await.unwrap();
            client.request::<_, ()>("note", &3).await.unwrap();
            assert_eq!(take(&mut noted, 2).await, [2, 3]);
            gate.open();
        });
        assert_eq!(slow.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_call_given_up_before_it_was_sent_is_never_sent() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let (server, connector) = crate::support::memory_server(RouteTable::new()).await;
        drop(server);
        let client = crate::support::quick(RouteClient::builder(connector.clone()));
        let client = client.start().unwrap();
        client.throw("note", &1).await.unwrap();
        for number in [2, 3] {
            let mut call = Box::pin(client.request::<_, ()>("note", &number));
            tokio::select! {
                biased;
                ended = &mut call => panic!("a call without a connection ended: {ended:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        client.throw("note", &4).await.unwrap();
        let _server = loop {
            match RouteServer::new(connector.clone(), routes.clone()).start().await {
                Ok(server) => break server,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(take(&mut noted, 2).await, [1, 4]);
    })
    .await;
}
