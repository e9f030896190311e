//! The system asks a process to end: what runs finishes, what was accepted arrives, and the process ends well.

use communica::{AnyConnector, Error, IntoCaller, Peer, Reason, RouteClient, RouteServer, RouteTable};
use communica_tests::why_not;
use serde_json::Value;

use super::runner::{Runner, local, tcp};
use crate::support::{echo, eventually, noting, quick, take, within};

const THROWS: i64 = 300;

/// Nobody listens there any more.
async fn assert_closed(road: &AnyConnector) {
    let late = why_not(|| RouteClient::builder(road.clone())).await;
    let told = matches!(&late, Error::Connect { reason, .. } if reason.contains("the last attempt said"));
    assert!(told, "{late:?}");
}

/// Calls until it is told that the other side is stopping.
async fn stops_to_accept(peer: &Peer) {
    loop {
        match within(10, peer.request::<_, i64>("echo", &2)).await {
            Ok(_) => {}
            Err(Error::NotSent(Reason::NotBegun(why))) if why.contains("stopping") => return,
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn server_is_asked_to_end(road: AnyConnector, signal: &str) {
    let mut server = Runner::server(&road);
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let client = quick(RouteClient::builder(road.clone())).routes(routes).connect().await.unwrap();
    let [held, scattered] = [("hold", 5), ("scatter", THROWS)].map(|(route, number)| {
        let client = client.clone();
        tokio::spawn(async move { client.request::<_, i64>(route, &number).await })
    });
    let mut entered = [server.noted().await, server.noted().await];
    entered.sort_unstable();
    assert_eq!(entered, [5, THROWS]);
    client.throw("note", &1).await.unwrap();
    assert_eq!(server.noted().await, 1);

    server.ask_to_end(signal).await;
    stops_to_accept(&(&client).into_caller()).await;
    assert_closed(&road).await;
    assert!(!held.is_finished() && !scattered.is_finished());
    server.open().await;
    assert_eq!(within(10, held).await.unwrap().unwrap(), 50);
    assert_eq!(within(10, scattered).await.unwrap().unwrap(), THROWS);
    assert_eq!(take(&mut noted, THROWS as usize).await, (0..THROWS).collect::<Vec<_>>());
    let status = server.end().await;
    assert!(status.success(), "{status}");
    eventually("the client sees it", || !client.is_connected()).await;
}

async fn client_is_asked_to_end(road: AnyConnector, signal: &str) {
    let (routes, mut noted) = noting(echo(), "note");
    let server = RouteServer::new(road.clone(), routes).start().await.unwrap();
    let mut client = Runner::client(&road, "w1");
    let peer = server.peer("w1").await;
    let [held, scattered] = [("hold", 5), ("scatter", THROWS)].map(|(route, number)| {
        let peer = peer.clone();
        tokio::spawn(async move { peer.request::<_, i64>(route, &number).await })
    });
    let mut entered = [client.noted().await, client.noted().await];
    entered.sort_unstable();
    assert_eq!(entered, [5, THROWS]);
    client.ask_to_end(signal).await;
    stops_to_accept(&peer).await;
    client.open().await;
    assert_eq!(within(10, held).await.unwrap().unwrap(), 50);
    assert_eq!(within(10, scattered).await.unwrap().unwrap(), THROWS);
    assert_eq!(take(&mut noted, THROWS as usize).await, (0..THROWS).collect::<Vec<_>>());
    let status = client.end().await;
    assert!(status.success(), "{status}");
    eventually("the server sees it", || server.peers().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_does_so_in_order() {
    for (road, signal) in [(local(), "TERM"), (tcp(), "INT")] {
        within(60, server_is_asked_to_end(road, signal)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_asked_to_end_does_so_in_order() {
    for (road, signal) in [(local(), "INT"), (tcp(), "TERM")] {
        within(60, client_is_asked_to_end(road, signal)).await;
    }
}

/// A handler that never ends holds the process for the grace time (10 s), and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_does_not_end_does_not_hold_the_process_for_ever() {
    within(60, async {
        let road = local();
        let mut server = Runner::server(&road);
        let client = quick(RouteClient::builder(road)).connect().await.unwrap();
        let held = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, Value>("hold", &5).await }
        });
        assert_eq!(server.noted().await, 5);
        server.ask_to_end("TERM").await;
        let status = within(25, server.end()).await;
        assert!(status.success(), "{status}");
        let ended = within(10, held).await.unwrap();
        assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
    })
    .await;
}

/// Who asks again does not want to wait: neither for handlers nor for the grace time (10 s).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_twice_ends_at_once() {
    within(60, async {
        let road = local();
        let mut server = Runner::server(&road);
        let client = quick(RouteClient::builder(road)).connect().await.unwrap();
        let peer = (&client).into_caller();
        let held = tokio::spawn(async move { peer.request::<_, i64>("hold", &5).await });
        assert_eq!(server.noted().await, 5);
        server.ask_to_end("TERM").await;
        stops_to_accept(&(&client).into_caller()).await;
        server.signal("TERM");
        let status = within(8, server.end()).await;
        assert!(status.success(), "{status}");
        let ended = within(10, held).await.unwrap();
        assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_asked_twice_ends_at_once() {
    within(60, async {
        let road = local();
        let server = RouteServer::new(road.clone(), echo()).start().await.unwrap();
        let mut client = Runner::client(&road, "w1");
        let peer = server.peer("w1").await;
        let held = tokio::spawn({
            let peer = peer.clone();
            async move { peer.request::<_, i64>("hold", &5).await }
        });
        assert_eq!(client.noted().await, 5);
        client.ask_to_end("INT").await;
        stops_to_accept(&peer).await;
        // Either signal is as good as the other.
        client.signal("TERM");
        let status = within(8, client.end()).await;
        assert!(status.success(), "{status}");
        eventually("the server sees it", || server.peers().is_empty()).await;
        held.abort();
    })
    .await;
}
