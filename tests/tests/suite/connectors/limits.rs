//! Messages above a limit go in; they are stopped, and nobody else is.

use std::time::Duration;

use communica::{Error, Limits, Outcome, Reason, RouteClient, RouteServer, RouteTable};
use serde_json::Value;

use super::roads::{Road, over_every_road, over_every_stream};
use crate::support::{Gate, echo, eventually, noting, quick, request_in, soon, within};

const LIMIT: usize = 64 * 1024;

over_every_road! {
    a_message_too_large_from_a_peer_concerns_nobody_else,
    a_message_too_large_for_this_side_is_not_sent,
    a_result_too_large_is_an_error_of_the_responder,
    an_argument_of_the_wrong_type_is_an_error_however_long_it_is,
    a_route_too_long_for_the_wire_harms_no_other_call,
    a_request_whose_time_passed_while_it_waited_is_not_handled,
}

over_every_stream! {
    a_large_message_that_a_peer_does_not_take_is_not_repeated_for_ever,
}

/// "slow" passes the gate before it answers.
fn gated(gate: &Gate) -> RouteTable {
    let gate = gate.clone();
    echo().route("slow", move |number: i64| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            number
        }
    })
}

async fn a_message_too_large_from_a_peer_concerns_nobody_else(road: Road) {
    let gate = Gate::shut();
    let limits = Limits::new().message_size(LIMIT);
    let server = RouteServer::new(road.fresh(), gated(&gate)).limits(limits).start().await.unwrap();
    let large = quick(RouteClient::builder(road.to(&server))).connect().await.unwrap();
    let other = road.connect(&server).await;
    let slow = tokio::spawn({
        let other = other.clone();
        async move { other.request::<_, i64>("slow", &1).await }
    });
    let ended = within(10, large.request::<_, Value>("echo", &"x".repeat(2 * LIMIT))).await;
    // The server said in its hello what it takes.
    let told = matches!(&ended, Err(Error::NotSent(Reason::TooLarge { limit: LIMIT, .. })));
    assert!(told, "{}", short(&ended));
    gate.open();
    assert_eq!(slow.await.unwrap().unwrap(), 1, "another client's call suffered");
    assert_eq!(large.request::<_, i64>("echo", &2).await.unwrap(), 2, "the client does not come back");
}

async fn a_large_message_that_a_peer_does_not_take_is_not_repeated_for_ever(road: Road) {
    let limits = Limits::new().message_size(1 << 20);
    let server = RouteServer::new(road.fresh(), echo()).limits(limits).start().await.unwrap();
    let client = quick(RouteClient::builder(road.to(&server))).connect().await.unwrap();
    // In chunks: the server has enough of them long before the last one is sent.
    let text = "x".repeat(16 << 20);
    let ended = within(10, client.request::<_, Value>("echo", &text)).await;
    assert!(ended.is_err(), "the server took it");
    assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2, "the client does not come back");
}

async fn a_request_whose_time_passed_while_it_waited_is_not_handled(road: Road) {
    let gate = Gate::shut();
    let (table, mut noted) = noting(gated(&gate), "note");
    let server =
        RouteServer::new(road.fresh(), table).limits(Limits::new().running(1)).start().await.unwrap();
    let client = quick(RouteClient::builder(road.to(&server))).connect().await.unwrap();
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("slow", &1).await }
    });
    eventually("the first handler runs", || gate.is_awaited()).await;
    let ended = within(10, request_in(soon(), &client, "note", 1)).await;
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{}", short(&ended));
    // Its time counts from when the server read it, which takes a while over some roads.
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.open();
    assert_eq!(slow.await.unwrap().unwrap(), 1);
    client.request::<_, Value>("note", &2).await.unwrap();
    assert_eq!(noted.recv().await, Some(2), "nobody waited for the first");
}

async fn a_message_too_large_for_this_side_is_not_sent(road: Road) {
    let server = road.serve(echo()).await;
    let limits = Limits::new().message_size(LIMIT);
    let client = RouteClient::builder(road.to(&server)).limits(limits).connect().await.unwrap();
    // With its quotes it is two bytes longer.
    let largest = "x".repeat(LIMIT - 2);
    assert!(client.request::<_, String>("echo", &largest).await.unwrap() == largest);
    let too_large = format!("{largest}x");
    for ended in [
        client.request::<_, Value>("echo", &too_large).await.map(drop),
        client.throw("echo", &too_large).await,
    ] {
        match ended {
            Err(Error::NotSent(Reason::TooLarge { size, limit, .. })) => {
                assert_eq!((size, limit), (LIMIT + 1, LIMIT));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(client.is_connected());
}

async fn a_result_too_large_is_an_error_of_the_responder(road: Road) {
    let routes = RouteTable::new().route("make", |size: usize| "x".repeat(size));
    let limits = Limits::new().message_size(LIMIT);
    let server = RouteServer::new(road.fresh(), routes).limits(limits).start().await.unwrap();
    let client = road.connect(&server).await;
    let ended = client.request::<_, String>("make", &LIMIT).await;
    assert!(matches!(ended, Err(Error::Resp(_))), "{ended:?}");
    assert_eq!(client.request::<_, String>("make", &3).await.unwrap(), "xxx");
}

async fn an_argument_of_the_wrong_type_is_an_error_however_long_it_is(road: Road) {
    let routes = RouteTable::new().route("double", |number: i64| number * 2);
    let limits = Limits::new().message_size(LIMIT);
    let server = RouteServer::new(road.fresh(), routes).limits(limits.clone()).start().await.unwrap();
    let client = RouteClient::builder(road.to(&server)).limits(limits).connect().await.unwrap();
    for letter in ["x", "\u{7f}"] {
        let ended = client.request::<_, i64>("double", &letter.repeat(LIMIT - 2)).await;
        assert!(matches!(ended, Err(Error::Serializer(_))), "{}", short(&ended));
    }
    assert_eq!(client.request::<_, i64>("double", &3).await.unwrap(), 6);
}

async fn a_route_too_long_for_the_wire_harms_no_other_call(road: Road) {
    let gate = Gate::shut();
    let server = road.serve(gated(&gate)).await;
    let client = quick(RouteClient::builder(road.to(&server))).connect().await.unwrap();
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("slow", &1).await }
    });
    // The call above has to be under way.
    assert_eq!(client.request::<_, i64>("echo", &0).await.unwrap(), 0);
    let ended = within(10, client.request::<_, Value>(&"r".repeat(70_000), &1)).await;
    gate.open();
    assert_eq!(slow.await.unwrap().unwrap(), 1, "another call of the client suffered");
    match ended {
        Err(error) if error.outcome() == Outcome::NotSent => {}
        Err(Error::Req(_)) => {}
        other => panic!("{}", short(&other)),
    }
}

fn short<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}").chars().take(300).collect()
}
