//! The system asks a process to end: what runs finishes, what was accepted arrives, and the process ends well.

use std::time::Duration;

use communica::{AnyConnector, Error, IntoCaller, Peer, Reason, RouteClient, RouteServer, RouteTable};
use serde_json::Value;

use super::runner::{Runner, local, tcp};
use crate::support::{echo, eventually, noting, quick, take, within};

const THROWS: i64 = 300;

async fn is_closed(road: &AnyConnector) -> bool {
    let knocks = RouteClient::builder(road.clone()).connect_timeout(Duration::from_millis(100));
    knocks.connect().await.is_err()
}

/// Calls until it is told that the other side is stopping.
async fn stops_to_accept(peer: &Peer) {
    loop {
        match within(10, peer.request::<_, i64>("echo", &2)).await {
            Ok(_) => {}
            Err(Error::Resp(error)) if error.message().contains("stopping") => return,
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
    assert!(is_closed(&road).await, "a newcomer was let in");
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
