//! Calls are given up: their handlers stop, wherever they are by then, and nothing else does.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use communica::{
    Context, Error, FaultConnector, Faults, Feature, Limits, Reason, RouteClient, RouteServer, RouteTable,
};
use tokio::task::JoinSet;

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{Dice, Gate, Held, echo, eventually, holding, quick, request_in, soon, throw_in};

over_every_road! {
    a_dropped_call_stops_its_handler,
    a_dropped_call_of_the_server_stops_the_clients_handler,
    a_call_dropped_in_the_queue_never_runs,
    a_call_that_timed_out_stops_its_handler,
    the_handler_of_a_throw_is_not_stopped,
    a_dropped_call_stops_the_calls_of_its_handler,
    calls_dropped_at_any_moment_leave_nothing_behind,
}
over_every_direct_road! {
    large_calls_dropped_half_way_leave_a_good_link,
    a_call_dropped_while_the_link_is_away_stops_its_handler_after_it,
}

async fn a_dropped_call_stops_its_handler(road: Road) {
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    assert!(client.supports(Feature::Cancel));
    for round in 1..=3 {
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("hold", &1).await }
        });
        eventually("the handler runs", || held.entered() == round).await;
        call.abort();
        eventually("the handler is dropped", || held.inside() == 0).await;
        assert!(client.inflight().is_empty(), "{:?}", client.inflight());
    }
    assert_eq!(held.finished(), 0);
    assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
}

async fn a_dropped_call_of_the_server_stops_the_clients_handler(road: Road) {
    let server = road.serve(echo()).await;
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let builder = RouteClient::builder(road.to(&server)).routes(routes).client_id("w1");
    let _client = builder.connect().await.unwrap();
    let peer = server.peer("w1").await;
    let call = tokio::spawn({
        let peer = peer.clone();
        async move { peer.request::<_, i64>("hold", &1).await }
    });
    eventually("the handler runs", || held.inside() == 1).await;
    call.abort();
    eventually("the handler is dropped", || held.inside() == 0).await;
    assert_eq!(peer.request::<_, i64>("echo", &2).await.unwrap(), 2);
}

async fn a_call_dropped_in_the_queue_never_runs(road: Road) {
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let server = RouteServer::new(road.fresh(), routes).limits(Limits::new().running(1)).start();
    let server = server.await.unwrap();
    let client = road.connect(&server).await;
    let call = || {
        let client = client.clone();
        tokio::spawn(async move { client.request::<_, i64>("hold", &1).await })
    };
    let mut calls = vec![call()];
    eventually("it runs", || held.entered() == 1).await;
    calls.extend(std::iter::repeat_with(call).take(9));
    eventually("all are sent", || client.inflight().iter().filter(|call| call.is_sent).count() == 10).await;
    // The one that runs goes last, so each of the others waits when it is given up.
    for call in calls.iter().rev() {
        call.abort();
        eventually("it is given up", || call.is_finished()).await;
    }
    eventually("the handler is dropped", || held.inside() == 0).await;
    assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2, "the place is free again");
    assert_eq!(held.entered(), 1, "calls ran that nobody waits for");
}

async fn a_call_that_timed_out_stops_its_handler(road: Road) {
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { request_in(soon(), &client, "hold", 1).await }
    });
    eventually("the handler runs", || held.entered() == 1).await;
    let ended = call.await.unwrap();
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{ended:?}");
    eventually("the handler is dropped", || held.inside() == 0).await;
    assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
}

async fn the_handler_of_a_throw_is_not_stopped(road: Road) {
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    // It ends when the time that its caller gave is over for sure.
    let (late, past) = (Held::default(), Held::default());
    let (late_in, past_in) = (late.clone(), past.clone());
    let routes = routes.route("late", move |cx: Context, _: i64| {
        let (late, past) = (late_in.clone(), past_in.clone());
        async move {
            let _inside = late.enter();
            let deadline = cx.deadline().expect("a throw with a time limit says so");
            tokio::time::sleep_until((deadline + Duration::from_millis(100)).into()).await;
            past.finish();
        }
    });
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    client.throw("hold", &1).await.unwrap();
    throw_in(Duration::from_millis(100), &client, "late", 1).await.unwrap();
    eventually("both handlers run", || held.inside() == 1 && late.entered() == 1).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &2).await }
    });
    eventually("the call's handler runs", || held.inside() == 2).await;
    call.abort();
    eventually("the call's handler is dropped", || held.inside() == 1).await;
    eventually("the late one ends", || past.finished() == 1).await;
    gate.open();
    eventually("the other throw's handler ends", || held.finished() == 1 && held.inside() == 0).await;
}

/// What a handler waits for is given up with it, so it stops all the way.
async fn a_dropped_call_stops_the_calls_of_its_handler(road: Road) {
    let routes = RouteTable::new().route("pass on", |cx: Context, number: i64| async move {
        cx.peer().request::<_, i64>("hold", &number).await
    });
    let server = road.serve(routes).await;
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let client = RouteClient::builder(road.to(&server)).routes(routes).connect().await.unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("pass on", &1).await }
    });
    eventually("the inner handler runs", || held.inside() == 1).await;
    call.abort();
    eventually("the inner handler is dropped", || held.inside() == 0).await;
    assert!(server.inflight().is_empty(), "{:?}", server.inflight());
}

/// Polled so many times, with other tasks between; `None` when it is not done by then.
async fn polled<T>(times: u64, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..times {
        let looked = poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(value) = looked {
            return Some(value);
        }
        tokio::task::yield_now().await;
    }
    None
}

async fn calls_dropped_at_any_moment_leave_nothing_behind(road: Road) {
    const CALLERS: u64 = 16;
    const CALLS: u64 = 150;
    let held = Held::default();
    let held_in = held.clone();
    let routes = echo().route("work", move |number: i64| {
        let held = held_in.clone();
        async move {
            let _inside = held.enter();
            match number % 7 {
                0 => std::future::pending().await,
                rounds => {
                    for _ in 1..rounds {
                        tokio::task::yield_now().await;
                    }
                }
            }
            number
        }
    });
    // Few may run, so that many are given up while they wait.
    let server = RouteServer::new(road.fresh(), routes).limits(Limits::new().running(8)).start();
    let server = server.await.unwrap();
    let client = road.connect(&server).await;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let (mut dice, mut answered) = (Dice(caller), 0);
            for call in 0..CALLS {
                let number = i64::try_from(caller * CALLS + call).unwrap();
                let looks = 1 << dice.below(10);
                if let Some(answer) = polled(looks, client.request::<_, i64>("work", &number)).await {
                    assert_eq!(answer.unwrap(), number);
                    answered += 1;
                }
            }
            answered
        });
    }
    let answered: u64 = callers.join_all().await.into_iter().sum();
    eventually("no handler is left", || held.inside() == 0).await;
    assert!(client.inflight().is_empty(), "{:?}", client.inflight());
    assert!(answered < CALLERS * CALLS, "no call was given up");
    for number in 0..20 {
        assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
    }
}

/// Their pieces stop in the middle, and others begin.
async fn large_calls_dropped_half_way_leave_a_good_link(road: Road) {
    const CALLERS: u64 = 4;
    const CALLS: u64 = 60;
    let server = road.serve(echo()).await;
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let limits = Limits::new().chunk_size(1024);
    let client = RouteClient::builder(cable.clone()).limits(limits).connect().await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let (mut dice, mut answered) = (Dice(caller), 0);
            for call in 0..CALLS {
                let text =
                    format!("{caller} {call} ").repeat(1 + usize::try_from(dice.below(40_000)).unwrap());
                let looks = 1 << dice.below(12);
                if let Some(answer) = polled(looks, client.request::<_, String>("echo", &text)).await {
                    assert!(answer.unwrap() == text, "call {call} of caller {caller} got another's answer");
                    answered += 1;
                }
            }
            answered
        });
    }
    let answered: u64 = callers.join_all().await.into_iter().sum();
    assert!(answered < CALLERS * CALLS, "no call was given up");
    let text = "x".repeat(1 << 20);
    assert!(client.request::<_, String>("echo", &text).await.unwrap() == text);
    assert!(client.inflight().is_empty(), "{:?}", client.inflight());
    assert_eq!(cable.links(), 1, "the link was lost");
}

async fn a_call_dropped_while_the_link_is_away_stops_its_handler_after_it(road: Road) {
    let gate = Gate::shut();
    let (routes, kept) = holding(echo(), "keep", &gate);
    let (routes, lost) = holding(routes, "lose", &Gate::shut());
    let server = road.serve(routes).await;
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = quick(RouteClient::builder(cable.clone())).connect().await.unwrap();
    let [keep, lose] = ["keep", "lose"].map(|route| {
        let client = client.clone();
        tokio::spawn(async move { client.request::<_, i64>(route, &5).await })
    });
    eventually("both handlers run", || kept.inside() + lost.inside() == 2).await;
    cable.unplug();
    eventually("the link is gone", || !client.is_connected()).await;
    lose.abort();
    eventually("it is given up", || client.inflight().len() == 1).await;
    cable.plug_in();
    eventually("the handler is dropped", || lost.inside() == 0).await;
    assert_eq!(kept.inside(), 1, "another handler was stopped");
    gate.open();
    assert_eq!(keep.await.unwrap().unwrap(), 5);
}
