//! Clients come and go, and a server tells which.

use std::time::Duration;

use communica::PeerEvent::{Connected, Disconnected};
use communica::{
    Error, FaultConnector, Faults, Limits, LocalConnector, MemoryConnector, Reason, RouteClient, RouteServer,
    SimpleClient, SimpleServer,
};

use crate::raw_peer::peer::RawPeer;
use crate::support::{echo, eventually, memory_server, quick, unique, within};

async fn worker(connector: &MemoryConnector, id: &str) -> RouteClient {
    RouteClient::builder(connector.clone()).client_id(id).connect().await.unwrap()
}

#[tokio::test]
async fn those_that_are_there_come_and_go_are_told_until_the_server_ends() {
    within(20, async {
        let (server, connector) = memory_server(echo()).await;
        let first = worker(&connector, "w1").await;
        eventually("it is there", || server.peers().len() == 1).await;
        let mut watch = server.watch_peers();
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
        let _second = worker(&connector, "w2").await;
        assert_eq!(watch.next().await, Some(Connected("w2".to_owned())));
        first.close().await;
        assert_eq!(watch.next().await, Some(Disconnected("w1".to_owned())));
        let waiting = tokio::spawn(async move {
            // The one that is there is told to go first.
            while let Some(event) = watch.next().await {
                assert_eq!(event, Disconnected("w2".to_owned()));
            }
        });
        tokio::task::yield_now().await;
        server.stop().await;
        waiting.await.unwrap();
        assert_eq!(server.watch_peers().next().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_takes_over_between_two_looks_is_another() {
    within(20, async {
        let (server, connector) = memory_server(echo()).await;
        let _replaced = worker(&connector, "w1").await;
        let mut watch = server.watch_peers();
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
        let _newer = worker(&connector, "w1").await;
        eventually("it has the place", || server.peers().len() == 1).await;
        assert_eq!(watch.next().await, Some(Disconnected("w1".to_owned())));
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_was_forgotten_and_is_back_between_two_looks_is_another() {
    within(20, async {
        let road = MemoryConnector::unique();
        let limits = Limits::new().forget_time(Duration::from_millis(20));
        let server = RouteServer::new(road.clone(), echo()).limits(limits).start().await.unwrap();
        let first = worker(&road, "w1").await;
        let peer = server.peer("w1").await;
        let mut watch = server.watch_peers();
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
        first.close().await;
        // It never comes, and is told when it is forgotten.
        let gone = peer.request::<_, i64>("echo", &1).await;
        assert!(matches!(gone, Err(Error::NotSent(Reason::Forgotten))), "{gone:?}");
        let _second = worker(&road, "w1").await;
        assert_eq!(watch.next().await, Some(Disconnected("w1".to_owned())));
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_cut_and_resumed_between_two_looks_is_not_told() {
    within(20, async {
        let (server, connector) = memory_server(echo()).await;
        let road = FaultConnector::new(connector.clone(), Faults::seeded(1));
        let client = quick(RouteClient::builder(road.clone())).client_id("w1").connect().await.unwrap();
        let mut watch = server.watch_peers();
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
        road.cut_now();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        assert_eq!(road.links(), 2);
        let _other = worker(&connector, "w2").await;
        assert_eq!(watch.next().await, Some(Connected("w2".to_owned())));
    })
    .await;
}

/// Who cannot say that it goes on may be another process.
#[tokio::test]
async fn a_peer_that_cannot_resume_and_is_back_between_two_looks_is_told() {
    within(20, async {
        let name = unique("watch");
        let server = RouteServer::new(LocalConnector::new(&name), echo()).start().await.unwrap();
        let mut watch = server.watch_peers();
        for round in 0..2 {
            let mut peer = RawPeer::local(&name).await;
            peer.hello("w1").await;
            if round > 0 {
                assert_eq!(watch.next().await, Some(Disconnected("w1".to_owned())));
            }
            assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
            drop(peer);
            eventually("it is gone", || server.peers().is_empty()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn simple_servers_tell_it_too() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = SimpleServer::new(connector.clone(), |(): ()| ()).start().await.unwrap();
        let mut watch = server.watch_peers();
        let client = SimpleClient::builder(connector).client_id("w1").connect().await.unwrap();
        assert_eq!(watch.next().await, Some(Connected("w1".to_owned())));
        client.close().await;
        assert_eq!(watch.next().await, Some(Disconnected("w1".to_owned())));
    })
    .await;
}
