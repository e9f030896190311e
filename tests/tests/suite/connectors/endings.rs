//! Links end on purpose: what was accepted arrives, what runs finishes, and both sides know.

use std::time::Duration;

use communica::{Context, Error, Limits, Reason, RouteClient, RouteServer, RouteTable};
use communica_tests::why_not;
use tokio::time::timeout;

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{Gate, echo, eventually, holding, noting, take};

over_every_road! {
    stop_delivers_throws_that_were_accepted,
    stop_lets_running_handlers_finish,
    the_address_is_free_when_stop_returns,
    close_delivers_throws_that_were_accepted,
    close_delivers_throws_to_a_slow_server_that_throws_back,
    calls_after_close_are_not_sent,
    dropping_the_client_ends_the_connection,
    a_throw_survives_dropping_the_client,
}
over_every_direct_road! {
    nothing_new_is_accepted_while_a_server_stops,
    stop_handles_what_waits_for_its_turn,
    dropping_the_server_ends_the_connection,
    stop_does_not_wait_longer_than_the_grace_time,
}

async fn stop_delivers_throws_that_were_accepted(road: Road) {
    let server = road.serve(RouteTable::new()).await;
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let _client =
        RouteClient::builder(road.to(&server)).routes(routes).client_id("w1").connect().await.unwrap();
    let peer = server.peer("w1").await;
    for number in 0..500 {
        peer.throw("note", &number).await.unwrap();
    }
    server.stop().await;
    assert_eq!(take(&mut noted, 500).await, (0..500).collect::<Vec<i64>>());
}

/// What the server throws meets a socket that is about to close: a reset would destroy what the kernel still holds.
async fn close_delivers_throws_to_a_slow_server_that_throws_back(road: Road) {
    const THROWS: i64 = 150;
    let (noted_in, mut noted) = tokio::sync::mpsc::unbounded_channel();
    let routes = RouteTable::new().route("slow", move |cx: Context, (number, _): (i64, String)| {
        std::thread::sleep(Duration::from_millis(10));
        noted_in.send(number).unwrap();
        tokio::spawn(async move { cx.peer().throw("back", &number).await });
    });
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let large = "x".repeat(10_000);
    for number in 0..THROWS {
        client.throw("slow", &(number, &large)).await.unwrap();
    }
    client.close().await;
    assert_eq!(take(&mut noted, THROWS as usize).await, (0..THROWS).collect::<Vec<_>>());
}

async fn stop_lets_running_handlers_finish(road: Road) {
    let (gate, entered) = (Gate::shut(), Gate::shut());
    let (gate_in, entered_in) = (gate.clone(), entered.clone());
    let routes = RouteTable::new().route("slow", move |number: i64| {
        let (gate, entered) = (gate_in.clone(), entered_in.clone());
        async move {
            entered.open();
            gate.pass().await;
            number
        }
    });
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let call = tokio::spawn(async move { client.request::<_, i64>("slow", &5).await });
    entered.pass().await;
    let mut stopping = Box::pin(server.stop());
    // It begins here, and has time to do what it does wrong before the handler goes on.
    let stopped = timeout(Duration::from_millis(200), &mut stopping).await;
    assert!(stopped.is_err(), "stop did not wait for the handler");
    gate.open();
    stopping.await;
    assert_eq!(call.await.unwrap().unwrap(), 5);
}

async fn nothing_new_is_accepted_while_a_server_stops(road: Road) {
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    let (routes, mut noted) = noting(routes, "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let road_to_it = road.to(&server);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &5).await }
    });
    eventually("the handler runs", || held.inside() == 1).await;
    let stopping = tokio::spawn(async move { server.stop().await });
    // It may take a moment to begin.
    let refused = loop {
        match client.request::<_, i64>("echo", &1).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    match refused {
        Error::NotSent(Reason::NotBegun(why)) => assert!(why.contains("stopping"), "{why}"),
        other => panic!("{other:?}"),
    }
    client.throw("note", &1).await.unwrap();
    // The name of a pipe is there, and busy, as long as its clients are: an attempt there takes all its time. Elsewhere the
    // system says at once that nobody listens, and slowness must not pass for that.
    let patience = match cfg!(windows) {
        true => Limits::new().handshake_time(Duration::from_millis(300) * communica_tests::patience()),
        false => Limits::new(),
    };
    let late = why_not(|| RouteClient::builder(road_to_it.clone()).limits(patience.clone())).await;
    let told = matches!(&late, Error::Connect { reason, .. } if reason.contains("the last attempt said"));
    assert!(told, "{late:?}");
    assert!(!stopping.is_finished());
    gate.open();
    assert_eq!(call.await.unwrap().unwrap(), 5);
    stopping.await.unwrap();
    assert!(noted.try_recv().is_err(), "a throw was handled that came after `stop`");
}

async fn stop_handles_what_waits_for_its_turn(road: Road) {
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    let limits = Limits::new().running(1);
    let server = RouteServer::new(road.fresh(), routes).limits(limits).start().await.unwrap();
    let client =
        RouteClient::builder(road.to(&server)).routes(echo()).client_id("w1").connect().await.unwrap();
    for _ in 0..50 {
        client.throw("hold", &1).await.unwrap();
    }
    let last = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &2).await }
    });
    eventually("the first one runs", || held.inside() == 1).await;
    eventually("the last one is sent", || client.inflight().iter().any(|call| call.is_sent)).await;
    // The answer to this comes behind all of them.
    assert_eq!(server.peer("w1").await.request::<_, i64>("echo", &3).await.unwrap(), 3);
    let stopping = tokio::spawn(async move { server.stop().await });
    gate.open();
    stopping.await.unwrap();
    assert_eq!(last.await.unwrap().unwrap(), 2);
    assert_eq!(held.finished(), 51);
}

async fn stop_does_not_wait_longer_than_the_grace_time(road: Road) {
    let (routes, mut entries) = crate::support::hanging(RouteTable::new(), "hang");
    let server =
        RouteServer::new(road.fresh(), routes).grace(Duration::from_millis(100)).start().await.unwrap();
    let client = road.connect(&server).await;
    let call = tokio::spawn(async move { client.request::<_, ()>("hang", &1).await });
    take(&mut entries, 1).await;
    crate::support::within(5, server.stop()).await;
    let ended = crate::support::within(5, call).await.unwrap();
    assert!(matches!(ended, Err(Error::MayHaveRun(_))), "{ended:?}");
}

async fn the_address_is_free_when_stop_returns(road: Road) {
    let server = road.serve(echo()).await;
    let state = server.dump_state();
    server.stop().await;
    for round in 0..20 {
        let again = RouteServer::new(road.load(&state), echo()).start().await;
        let again = again.unwrap_or_else(|error| panic!("round {round}: {error}"));
        again.stop().await;
    }
}

async fn close_delivers_throws_that_were_accepted(road: Road) {
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    for number in 0..500 {
        client.throw("note", &number).await.unwrap();
    }
    client.close().await;
    assert_eq!(take(&mut noted, 500).await, (0..500).collect::<Vec<i64>>());
    eventually("the server sees the client go", || server.peers().is_empty()).await;
}

async fn calls_after_close_are_not_sent(road: Road) {
    let (routes, mut noted) = noting(echo(), "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    client.close().await;
    client.closed().await;
    let ended = client.request::<_, i64>("echo", &1).await;
    assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
    let ended = client.throw("note", &1).await;
    assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
    assert!(!client.is_connected());
    let other = road.connect(&server).await;
    other.throw("note", &2).await.unwrap();
    assert_eq!(take(&mut noted, 1).await, [2]);
}

async fn dropping_the_client_ends_the_connection(road: Road) {
    let server = road.serve(echo()).await;
    let client = road.connect(&server).await;
    let clone = client.clone();
    eventually("the server sees the client", || server.peers().len() == 1).await;
    drop(client);
    assert_eq!(clone.request::<_, i64>("echo", &1).await.unwrap(), 1, "a clone is enough to go on");
    drop(clone);
    eventually("the server sees the client go", || server.peers().is_empty()).await;
}

async fn dropping_the_server_ends_the_connection(road: Road) {
    let (routes, mut entries) = crate::support::hanging(RouteTable::new(), "hang");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, ()>("hang", &1).await }
    });
    take(&mut entries, 1).await;
    drop(server);
    let ended = crate::support::within(10, call).await.unwrap();
    assert!(matches!(ended, Err(Error::MayHaveRun(_))), "{ended:?}");
    eventually("the client sees the server go", || !client.is_connected()).await;
}

async fn a_throw_survives_dropping_the_client(road: Road) {
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    for number in 0..100 {
        client.throw("note", &number).await.unwrap();
    }
    drop(client);
    assert_eq!(take(&mut noted, 100).await, (0..100).collect::<Vec<i64>>());
}
