//! Links break: the client comes back as who it was, and what was queued meanwhile is sent.

use std::time::Duration;

use communica::{Backoff, Error, FaultConnector, Faults, Reason, RouteClient, RouteServerHandle, RouteTable};
use tokio::time::{Instant, sleep};

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{echo, eventually, hanging, memory_server, noting, quick, request_in, take, within};

over_every_road! {
    what_was_queued_is_sent_in_order_after_a_reconnect,
    the_client_keeps_its_id_and_its_handlers,
    a_call_that_timed_out_unconnected_never_runs,
    calls_given_up_leave_their_room_to_others,
}
over_every_direct_road! {
    calls_in_flight_may_have_run_and_queued_ones_go_on,
}

/// A client whose server is gone, and where that was.
async fn left_alone(road: Road, server: RouteServerHandle) -> (RouteClient, String) {
    let client = quick(RouteClient::builder(road.to(&server))).routes(echo()).client_id("w1");
    let client = client.connect().await.unwrap();
    let state = server.dump_state();
    drop(server);
    eventually("the client sees the server go", || !client.is_connected()).await;
    (client, state)
}

async fn what_was_queued_is_sent_in_order_after_a_reconnect(road: Road) {
    let (client, state) = left_alone(road, road.serve(echo()).await).await;
    for number in 0..100 {
        client.throw("note", &number).await.unwrap();
    }
    let (routes, mut noted) = noting(echo(), "note");
    let _server = road.serve_again(&state, routes).await;
    assert_eq!(take(&mut noted, 100).await, (0..100).collect::<Vec<i64>>());
}

async fn the_client_keeps_its_id_and_its_handlers(road: Road) {
    let (client, state) = left_alone(road, road.serve(echo()).await).await;
    let server = road.serve_again(&state, echo()).await;
    let peer = server.peer("w1").await;
    assert_eq!(peer.request::<_, i64>("echo", &3).await.unwrap(), 3);
    assert_eq!(client.client_id(), "w1");
}

async fn calls_in_flight_may_have_run_and_queued_ones_go_on(road: Road) {
    let (routes, mut entries) = hanging(echo(), "hang");
    let server = road.serve(routes).await;
    let client = quick(RouteClient::builder(road.to(&server))).connect().await.unwrap();
    let state = server.dump_state();
    let in_flight = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, ()>("hang", &1).await }
    });
    take(&mut entries, 1).await;
    drop(server);
    let ended = in_flight.await.unwrap();
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
    eventually("the client sees the server go", || !client.is_connected()).await;
    let mut queued = Box::pin(client.request::<_, i64>("echo", &2));
    tokio::select! {
        biased;
        ended = &mut queued => panic!("a call that waits for a connection ended: {ended:?}"),
        () = tokio::task::yield_now() => {}
    }
    let _server = road.serve_again(&state, echo()).await;
    assert_eq!(queued.await.unwrap(), 2);
}

async fn a_call_that_timed_out_unconnected_never_runs(road: Road) {
    let (client, state) = left_alone(road, road.serve(echo()).await).await;
    client.throw("note", &1).await.unwrap();
    let ended = request_in(Duration::from_millis(50), &client, "note", 2).await;
    assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { .. }))), "{ended:?}");
    let why = ended.unwrap_err().to_string();
    assert!(why.contains("within its time limit of 50ms: the last "), "{why}");
    client.throw("note", &3).await.unwrap();
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let _server = road.serve_again(&state, routes).await;
    assert_eq!(take(&mut noted, 2).await, [1, 3]);
}

async fn calls_given_up_leave_their_room_to_others(road: Road) {
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let server = road.serve(RouteTable::new()).await;
    let limits = communica::Limits::new().queued(4, 1 << 20);
    let builder = quick(RouteClient::builder(road.to(&server))).limits(limits);
    let client = builder.connect().await.unwrap();
    let state = server.dump_state();
    drop(server);
    eventually("the client sees the server go", || !client.is_connected()).await;
    for number in 0..4 {
        let ended = request_in(Duration::from_millis(20), &client, "note", number).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { .. }))), "{ended:?}");
    }
    let accepted = tokio::time::timeout(Duration::from_secs(5), client.throw("note", &9)).await;
    accepted.expect("calls that were given up take up room in the queue").unwrap();
    let _server = road.serve_again(&state, routes).await;
    assert_eq!(take(&mut noted, 1).await, [9]);
}

/// The waits of a client grow as long as its links end soon. One that was good lets them begin anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_good_link_the_client_comes_back_at_once() {
    const CUTS: u64 = 12;
    within(60, async {
        let (server, inner) = memory_server(echo()).await;
        let cable = FaultConnector::new(inner, Faults::seeded(1));
        // The next wait would be two seconds at least.
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(60));
        let client = RouteClient::builder(cable.clone()).backoff(backoff).connect().await.unwrap();
        for cut in 1..=CUTS {
            eventually("the client is there", || server.peers().len() == 1).await;
            cable.cut_now();
            eventually("it is back", || client.is_connected() && cable.links() == 1 + cut).await;
        }
        // Longer than a link must last to be a good one, which are two seconds.
        sleep(Duration::from_millis(2_200)).await;
        let since = Instant::now();
        cable.cut_now();
        eventually("it is back", || cable.links() == 2 + CUTS).await;
        assert!(since.elapsed() < Duration::from_millis(1_900), "it took {:?}", since.elapsed());
    })
    .await;
}
