//! A process is stopped in its tracks (SIGSTOP): its sockets stay open, and yet it is noticed. Calls survive.

use std::time::Duration;

use communica::{AnyConnector, Limits, RouteClient, RouteServer};
use tokio::time::Instant;

use super::runner::{Runner, over_both_roads};
use crate::support::{echo, eventually, quick, within};

/// The other side, whose time is longer, keeps to it too.
const SILENCE: Duration = Duration::from_millis(400);
const NOTICED: Duration = Duration::from_secs(5);

fn limits() -> Limits {
    // Attempts to connect to a frozen server end soon, so that many stand in its door when it wakes.
    Limits::new().silence_time(SILENCE).handshake_time(Duration::from_millis(300))
}

over_both_roads!(a_frozen_server_is_noticed_and_calls_survive, a_frozen_client_is_noticed_and_calls_survive);

async fn a_frozen_server_is_noticed_and_calls_survive(road: AnyConnector) {
    let mut server = Runner::server(&road);
    let client = quick(RouteClient::builder(road)).limits(limits()).connect().await.unwrap();
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &5).await }
    });
    assert_eq!(server.noted().await, 5);
    for round in 0..3 {
        server.signal("STOP");
        let since = Instant::now();
        let meanwhile = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("echo", &7).await }
        });
        eventually("it is noticed", || !client.is_connected()).await;
        assert!(since.elapsed() < NOTICED, "it was noticed after {:?}", since.elapsed());
        client.throw("note", &(100 + round)).await.unwrap();
        assert!(!held.is_finished(), "a call ended with its link");
        server.signal("CONT");
        assert_eq!(within(30, meanwhile).await.unwrap().unwrap(), 7);
        assert_eq!(server.noted().await, 100 + round, "this comes once, and nothing twice");
    }
    server.open().await;
    assert_eq!(within(30, held).await.unwrap().unwrap(), 50);
}

async fn a_frozen_client_is_noticed_and_calls_survive(road: AnyConnector) {
    let server = RouteServer::new(road.clone(), echo()).limits(limits()).start().await.unwrap();
    let mut client = Runner::client(&road, "w1");
    let peer = server.peer("w1").await;
    let held = tokio::spawn({
        let peer = peer.clone();
        async move { peer.request::<_, i64>("hold", &5).await }
    });
    assert_eq!(client.noted().await, 5);
    client.signal("STOP");
    let since = Instant::now();
    eventually("it is noticed", || server.peers().is_empty()).await;
    assert!(since.elapsed() < NOTICED, "it was noticed after {:?}", since.elapsed());
    peer.throw("note", &6).await.unwrap();
    client.signal("CONT");
    assert_eq!(client.noted().await, 6, "this comes once, and nothing twice");
    client.open().await;
    assert_eq!(within(30, held).await.unwrap().unwrap(), 50);
}
