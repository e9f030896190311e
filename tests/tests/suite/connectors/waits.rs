//! Calls in every state of a link, or without one: each ends, in the way that is documented.

use std::future::Future;
use std::time::Duration;

use communica::{
    AnyConnector, CallError, CallOptions, Caller, Error, FaultConnector, Faults, IntoCaller, JsonSerializer,
    Limits, Peer, Reason, RouteClient, RouteClientBuilder, RouteServer, RouteTable,
};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{echo, eventually, hanging, quick, request_in, soon, take, throw_in, within};

over_every_road! {
    before_the_first_connection,
    to_a_server_that_does_not_answer,
    after_close,
    to_a_client_that_does_not_answer,
    after_stop,
    to_clients_that_never_come,
}
over_every_direct_road! {
    while_the_server_is_away,
    while_the_link_is_cut,
    with_a_full_queue_and_no_link,
    to_a_client_that_is_away,
    calls_that_were_sent_wait_for_a_new_link_so_long_and_no_longer,
}

/// How a request and a throw with a time limit end, and a throw and a request without one.
type Ends = [&'static str; 4];

const WAITING: Ends = ["not sent: timed out", "done", "done", "not sent: closed"];
const UNANSWERED: Ends = ["may have run: timed out", "done", "done", "may have run: closed"];
const FULL: Ends = ["not sent: timed out", "not sent: timed out", "not sent: closed", "not sent: closed"];
const OVER: Ends = ["not sent: closed"; 4];

/// Enough for what ends by itself, without anything from the other side.
const MOMENT: Duration = Duration::from_millis(100);

fn brief<T>(ended: Result<T, Error>) -> &'static str {
    match ended {
        Ok(_) => "done",
        Err(Error::NotSent(Reason::TimedOut { .. })) => "not sent: timed out",
        Err(Error::NotSent(Reason::Closed)) => "not sent: closed",
        Err(Error::MayHaveRun(Reason::TimedOut { .. })) => "may have run: timed out",
        Err(Error::MayHaveRun(Reason::Closed)) => "may have run: closed",
        Err(other) => panic!("{other:?}"),
    }
}

/// Makes each kind of call to the route `hang`. `end` ends those that wait for ever. `limit`: of those that have one.
async fn ends(peer: &Peer, limit: Duration, end: impl Future<Output = ()>) -> Ends {
    let timed_request = brief(request_in(limit, peer, "hang", 1).await);
    let timed_throw = brief(throw_in(limit, peer, "hang", 2).await);
    let throw = tokio::spawn({
        let peer = peer.clone();
        async move { brief(peer.throw("hang", &3).await) }
    });
    let request = tokio::spawn({
        let peer = peer.clone();
        async move { brief(peer.request::<_, Value>("hang", &4).await) }
    });
    if timed_throw == "done" {
        let is_sent = timed_request.starts_with("may have run");
        eventually("the request waits", || {
            let waits = peer.inflight();
            waits.len() == 1 && waits[0].age >= MOMENT / 2 && waits[0].is_sent == is_sent
        })
        .await;
        let waits = peer.inflight();
        assert_eq!(waits.len(), 1, "{waits:?}");
        assert_eq!(waits[0].route.as_deref(), Some("hang"));
        assert_eq!(waits[0].client_id, peer.client_id());
        assert!(waits[0].age < Duration::from_secs(30), "{waits:?}");
        assert_eq!(waits[0].is_sent, is_sent, "{waits:?}");
        assert!(!request.is_finished());
    } else {
        tokio::time::sleep(MOMENT).await;
    }
    within(10, end).await;
    let all =
        [timed_request, timed_throw, within(5, throw).await.unwrap(), within(5, request).await.unwrap()];
    assert!(peer.inflight().is_empty(), "{:?}", peer.inflight());
    all
}

/// The same to a client's server; the client is closed then.
async fn client_ends(client: &RouteClient, limit: Duration) -> Ends {
    ends(&client.into_caller(), limit, client.close()).await
}

fn hang() -> RouteTable {
    hanging(echo(), "hang").0
}

/// A client that does not wait long for what cannot be sent.
fn impatient(connector: AnyConnector) -> RouteClientBuilder {
    quick(RouteClient::builder(connector)).routes(hang()).client_id("w1").grace(MOMENT)
}

async fn before_the_first_connection(road: Road) {
    let client = impatient(road.fresh()).start().unwrap();
    assert_eq!(client_ends(&client, MOMENT).await, WAITING);
}

async fn to_a_server_that_does_not_answer(road: Road) {
    let server = RouteServer::new(road.fresh(), hang()).grace(MOMENT).start().await.unwrap();
    let client = impatient(road.to(&server)).connect().await.unwrap();
    assert_eq!(client_ends(&client, soon()).await, UNANSWERED);
}

async fn after_close(road: Road) {
    let server = RouteServer::new(road.fresh(), hang()).grace(MOMENT).start().await.unwrap();
    let client = impatient(road.to(&server)).connect().await.unwrap();
    client.close().await;
    assert_eq!(client_ends(&client, MOMENT).await, OVER);
}

async fn to_a_client_that_does_not_answer(road: Road) {
    let server = RouteServer::new(road.fresh(), hang()).grace(MOMENT).start().await.unwrap();
    let _client = impatient(road.to(&server)).connect().await.unwrap();
    let peer = server.peer("w1").await;
    assert_eq!(ends(&peer, soon(), server.stop()).await, UNANSWERED);
}

async fn after_stop(road: Road) {
    let server = RouteServer::new(road.fresh(), hang()).grace(MOMENT).start().await.unwrap();
    let _client = impatient(road.to(&server)).connect().await.unwrap();
    let known = server.peer("w1").await;
    server.stop().await;
    assert_eq!(ends(&known, MOMENT, server.stop()).await, OVER);
    let unknown = within(5, server.peer("nobody")).await;
    assert_eq!(ends(&unknown, MOMENT, async {}).await, OVER);
    let any = within(5, server.request::<_, Value>("hang", &1)).await;
    assert_eq!(brief(any), "not sent: closed");
    assert_eq!(brief(within(5, server.throw("hang", &1)).await), "not sent: closed");
}

async fn to_clients_that_never_come(road: Road) {
    let server = road.serve(echo()).await;
    let (any, options) = (server.any_peer(), CallOptions::new().timeout(MOMENT));
    let asked: Result<Value, CallError> = Caller::request(&any, &options, "hang", &JsonSerializer, &1).await;
    assert_eq!(brief(asked.map_err(Error::from)), "not sent: timed out");
    let thrown = Caller::throw(&any, &options, "hang", &JsonSerializer, &1).await;
    assert_eq!(brief(thrown.map_err(Error::from)), "not sent: timed out");
    assert!(timeout(MOMENT, server.peer("nobody")).await.is_err(), "`peer` waits for the client");
    assert!(server.all_peers().request::<_, Value>("hang", &1).await.is_empty());
    let [named, unnamed] = [true, false].map(|named| {
        let server = server.clone();
        tokio::spawn(async move {
            match named {
                true => server.peer("nobody").await.request::<_, Value>("hang", &1).await,
                false => server.request::<_, Value>("hang", &1).await,
            }
        })
    });
    tokio::time::sleep(MOMENT).await;
    assert!(!named.is_finished() && !unnamed.is_finished());
    let waiting: Vec<_> = server.inflight().into_iter().map(|call| (call.client_id, call.is_sent)).collect();
    assert_eq!(waiting, [(String::new(), false)]);
    within(10, server.stop()).await;
    for waiting in [named, unnamed] {
        assert_eq!(brief(within(5, waiting).await.unwrap()), "not sent: closed");
    }
}

async fn while_the_server_is_away(road: Road) {
    let server = road.serve(hang()).await;
    let client = impatient(road.to(&server)).connect().await.unwrap();
    drop(server);
    eventually("the client sees the server go", || !client.is_connected()).await;
    assert_eq!(client_ends(&client, MOMENT).await, WAITING);
}

async fn while_the_link_is_cut(road: Road) {
    let server = road.serve(hang()).await;
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = impatient(AnyConnector::new(cable.clone())).connect().await.unwrap();
    cable.unplug();
    eventually("the link is gone", || !client.is_connected()).await;
    assert_eq!(client_ends(&client, MOMENT).await, WAITING);
}

async fn with_a_full_queue_and_no_link(road: Road) {
    let server = road.serve(hang()).await;
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = impatient(AnyConnector::new(cable.clone()));
    let client = client.limits(Limits::new().queued(2, 1 << 20)).connect().await.unwrap();
    cable.unplug();
    eventually("the link is gone", || !client.is_connected()).await;
    for number in 0..2 {
        client.throw("hang", &number).await.unwrap();
    }
    assert_eq!(client_ends(&client, MOMENT).await, FULL);
}

async fn to_a_client_that_is_away(road: Road) {
    let server = RouteServer::new(road.fresh(), hang()).grace(MOMENT).start().await.unwrap();
    let client = impatient(road.to(&server)).connect().await.unwrap();
    let peer = server.peer("w1").await;
    client.close().await;
    eventually("the server sees the client go", || server.peers().is_empty()).await;
    assert_eq!(ends(&peer, MOMENT, server.stop()).await, WAITING);
}

async fn calls_that_were_sent_wait_for_a_new_link_so_long_and_no_longer(road: Road) {
    let (routes, mut entries) = hanging(echo(), "hang");
    let server = road.serve(routes).await;
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let time = Duration::from_millis(500);
    let client = quick(RouteClient::builder(cable.clone())).limits(Limits::new().resume_time(time));
    let client = client.connect().await.unwrap();
    let sent = tokio::spawn({
        let client = client.clone();
        async move { (client.request::<_, Value>("hang", &1).await, Instant::now()) }
    });
    take(&mut entries, 1).await;
    cable.unplug();
    let since = Instant::now();
    eventually("the link is gone", || !client.is_connected()).await;
    let unsent = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("echo", &2).await }
    });
    eventually("both wait", || client.inflight().len() == 2).await;
    let waits: Vec<_> = client.inflight().iter().map(|call| (call.route.clone(), call.is_sent)).collect();
    assert_eq!(waits, [(Some("hang".to_owned()), true), (Some("echo".to_owned()), false)]);
    let (ended, at) = within(10, sent).await.unwrap();
    match ended {
        Err(Error::MayHaveRun(Reason::Disconnected(why))) => {
            assert!(why.contains("no new connection within 500ms"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(at - since >= time, "it ended after {:?}", at - since);
    assert!(!unsent.is_finished(), "a call that was not sent ended");
    cable.plug_in();
    assert_eq!(unsent.await.unwrap().unwrap(), 2);
}
