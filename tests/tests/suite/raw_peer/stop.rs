//! A scripted peer does not care that the other side goes: neither `stop` nor `close` waits for it beyond its time.

use std::time::Duration;

use communica::{Limits, LocalConnector, RouteClient, RouteServer, RouteTable, TcpConnector};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::peer::RawPeer;
use super::servers::{accept, listen};
use crate::support::{Gate, echo, eventually, holding, quick, unique, within};

const GRACE: Duration = Duration::from_millis(300);
/// A second is for goodbyes, the rest for a busy machine.
const ENOUGH: Duration = Duration::from_secs(4);

fn announcements() -> [Value; 2] {
    [Value::Null, json!({"instance": "scripted", "features": ["resume", "cancel", "heartbeat"]})]
}

/// One that hangs up when it is told to is not waited for.
async fn hang_up_when_told(mut peer: RawPeer) {
    while peer.frame().await.is_some_and(|frame| frame.code != 20) {}
}

#[tokio::test]
async fn stop_does_not_wait_for_a_peer_that_does_not_hang_up() {
    within(60, async {
        for about in announcements() {
            for reads in [true, false] {
                let name = unique("stubborn");
                let server = RouteServer::new(LocalConnector::new(&name), echo()).grace(GRACE);
                let server = server.start().await.unwrap();
                let mut stubborn = RawPeer::local(&name).await;
                stubborn.introduce("w1", &about).await;
                let other = server.peer("w1").await;
                if !reads {
                    // More than the socket takes.
                    other.throw("any", &"x".repeat(8 << 20)).await.unwrap();
                }
                let since = Instant::now();
                within(20, server.stop()).await;
                assert!(since.elapsed() < ENOUGH, "{about}: stop took {:?}", since.elapsed());
                eventually("the link is gone", || !other.is_connected()).await;
                let said = stubborn.expect_end().await;
                assert!(!reads || said.contains(&20), "{about}: no goodbye in {said:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn stop_returns_at_once_when_all_hang_up() {
    within(30, async {
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo());
        let server = server.grace(Duration::from_secs(25)).start().await.unwrap();
        let state: Value = serde_json::from_str(&server.dump_state()).unwrap();
        let port = u16::try_from(state["port"].as_u64().unwrap()).unwrap();
        for (number, about) in announcements().into_iter().enumerate() {
            let mut peer = RawPeer::tcp(port).await;
            peer.introduce(&format!("w{number}"), &about).await;
            tokio::spawn(hang_up_when_told(peer));
        }
        eventually("both are there", || server.peers().len() == 2).await;
        let since = Instant::now();
        server.stop().await;
        assert!(since.elapsed() < ENOUGH, "stop took {:?}", since.elapsed());
    })
    .await;
}

#[tokio::test]
async fn close_does_not_wait_for_a_server_that_does_not_hang_up() {
    within(60, async {
        for about in announcements() {
            let (listener, connector) = listen().await;
            let client = quick(RouteClient::builder(connector)).grace(GRACE).start().unwrap();
            let mut stubborn = accept(&listener).await;
            stubborn.read_hello().await;
            let hello = json!({"hello": "hello", "communica": about});
            stubborn.send(format!("{hello}\0").as_bytes()).await;
            eventually("the client is connected", || client.is_connected()).await;
            let since = Instant::now();
            within(20, client.close()).await;
            assert!(since.elapsed() < ENOUGH, "{about}: close took {:?}", since.elapsed());
            eventually("the link is gone", || !client.is_connected()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_in_its_handshake_does_not_hold_up_stop() {
    within(30, async {
        let name = unique("shy");
        let server = RouteServer::new(LocalConnector::new(&name), echo()).limits(Limits::new());
        let server = server.grace(Duration::from_secs(25)).start().await.unwrap();
        let mut shy = RawPeer::local(&name).await;
        let mut half = RawPeer::local(&name).await;
        half.send(b"{\"client_id\": ").await;
        let since = Instant::now();
        server.stop().await;
        assert!(since.elapsed() < ENOUGH, "stop took {:?}", since.elapsed());
        shy.expect_end().await;
        half.expect_end().await;
    })
    .await;
}

/// It takes no goodbye for an answer.
#[tokio::test]
async fn a_peer_of_0_4_gets_an_answer_for_each_handler_that_is_stopped() {
    within(60, async {
        let name = unique("stopped");
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new(), "hold", &gate);
        let server = RouteServer::new(LocalConnector::new(&name), routes).grace(GRACE);
        let server = server.limits(Limits::new().running(1)).start().await.unwrap();
        let mut peer = RawPeer::local(&name).await;
        peer.hello("w1").await;
        for id in ["runs", "waits"] {
            peer.send_message(&format!(r#"{{"id": "{id}", "type": 1, "route": "hold"}}"#), b"1").await;
        }
        eventually("one runs", || held.inside() == 1).await;
        let stopping = tokio::spawn(async move { server.stop().await });
        let mut answers = [peer.message().await, peer.message().await];
        answers.sort();
        for ((metadata, payload), id) in answers.iter().zip(["runs", "waits"]) {
            let metadata: Value = serde_json::from_str(metadata).unwrap();
            assert_eq!((&metadata["id"], &metadata["type"]), (&json!(id), &json!(51)), "a RespError");
            assert!(String::from_utf8_lossy(payload).contains("the responder stopped"), "{payload:?}");
        }
        assert_eq!(peer.frame().await.expect("a goodbye").code, 20);
        drop(peer);
        stopping.await.unwrap();
    })
    .await;
}
