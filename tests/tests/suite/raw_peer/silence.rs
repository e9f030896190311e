//! A scripted peer promises signs of life and gives none: it is noticed; one that promised nothing is left alone.

use std::time::Duration;

use communica::{
    Error, Feature, Limits, LocalConnector, Reason, RouteClient, RouteServer, RouteServerHandle, TcpConnector,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::peer::{Frame, RawPeer};
use super::servers::{accept, listen};
use crate::support::{echo, eventually, quick, unique, within};

const SILENCE: Duration = Duration::from_millis(300);
/// It is noticed at a beat, of which there are three in that time; the rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(5);

/// A server on either road that bears little silence, and a scripted peer that announced this.
async fn on_both_roads(about: Value, test: impl AsyncFn(RouteServerHandle, RawPeer)) {
    let limits = Limits::new().silence_time(SILENCE);
    let name = unique("silence");
    let server = RouteServer::new(LocalConnector::new(&name), echo()).limits(limits.clone());
    let server = server.start().await.unwrap();
    let mut peer = RawPeer::local(&name).await;
    peer.introduce("w1", &about).await;
    test(server, peer).await;

    let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).limits(limits);
    let server = server.start().await.unwrap();
    let state: Value = serde_json::from_str(&server.dump_state()).unwrap();
    let mut peer = RawPeer::tcp(u16::try_from(state["port"].as_u64().unwrap()).unwrap()).await;
    peer.introduce("w1", &about).await;
    test(server, peer).await;
}

fn about(features: &[&str]) -> Value {
    json!({"instance": "scripted", "features": features, "silence_ms": 60_000})
}

#[tokio::test]
async fn a_silent_peer_is_noticed_and_calls_to_it_end() {
    within(30, async {
        on_both_roads(about(&["heartbeat"]), async |server, mut peer| {
            let other = server.peer("w1").await;
            assert!(other.supports(Feature::Heartbeat) && !other.supports(Feature::Resume));
            let since = Instant::now();
            let ended = within(10, other.request::<_, Value>("ask", &1)).await;
            match ended {
                Err(Error::MayHaveRun(Reason::Disconnected(why))) => {
                    assert!(why.contains("nothing was heard of the peer"), "{why}");
                }
                other => panic!("{other:?}"),
            }
            assert!(since.elapsed() < NOTICED, "it was noticed after {:?}", since.elapsed());
            assert!(server.peers().is_empty());
            peer.expect_end().await;
        })
        .await;
    })
    .await;
}

/// It is told in so many words what else there is: beats, which are acknowledgements.
#[tokio::test]
async fn signs_of_life_are_given_and_taken() {
    within(30, async {
        on_both_roads(about(&["heartbeat"]), async |server, mut peer| {
            let until = Instant::now() + 5 * SILENCE;
            while Instant::now() < until {
                let (metadata, payload) = peer.message().await;
                let metadata: Value = serde_json::from_str(&metadata).unwrap();
                assert_eq!((&metadata["type"], payload.len()), (&json!(101), 0));
                peer.send_message(r#"{"id": "0", "type": 101}"#, b"").await;
            }
            assert_eq!(server.peers().len(), 1, "a peer that gives signs of life was cut off");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_promised_no_signs_of_life_is_left_alone() {
    within(30, async {
        for announced in [Value::Null, about(&[]), about(&["resume", "cancel"]), json!({"instance": 5})] {
            on_both_roads(announced.clone(), async |server, mut peer| {
                sleep(3 * SILENCE).await;
                assert_eq!(server.peers().len(), 1, "{announced} was cut off");
                peer.expect_served().await;
            })
            .await;
        }
    })
    .await;
}

/// What it did not acknowledge comes again when it does.
#[tokio::test]
async fn a_silent_peer_that_comes_back_goes_on() {
    within(30, async {
        let limits = Limits::new().silence_time(SILENCE);
        let name = unique("silence");
        let server = RouteServer::new(LocalConnector::new(&name), echo()).limits(limits);
        let server = server.start().await.unwrap();
        let about = about(&["heartbeat", "resume"]);
        let mut peer = RawPeer::local(&name).await;
        let theirs = peer.introduce("w1", &about).await;
        let other = server.peer("w1").await;
        let call = tokio::spawn(async move { other.request::<_, i64>("ask", &1).await });
        let asked = peer.message().await;
        assert_eq!(asked.1, b"1");
        peer.expect_end().await;
        eventually("it is noticed", || server.peers().is_empty()).await;
        assert!(!call.is_finished(), "the call ended with its link");

        let mut peer = RawPeer::local(&name).await;
        let mut about = about;
        about["heard"] = json!({"instance": theirs["communica"]["instance"], "messages": 0});
        peer.introduce("w1", &about).await;
        assert_eq!(peer.message().await, asked, "it comes again");
        let answer = asked.0.replace(r#""type":1"#, r#""type":11"#);
        peer.send_message(&answer, b"5").await;
        assert_eq!(within(10, call).await.unwrap().unwrap(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_client_leaves_a_silent_server_and_comes_back() {
    within(30, async {
        let (listener, connector) = listen().await;
        let limits = Limits::new().silence_time(SILENCE);
        let client = quick(RouteClient::builder(connector)).limits(limits).start().unwrap();
        for round in 0..3 {
            let mut peer = accept(&listener).await;
            peer.read_hello().await;
            let hello = json!({"hello": "hello", "communica": about(&["heartbeat"])});
            peer.send(format!("{hello}\0").as_bytes()).await;
            eventually("the client is connected", || client.is_connected()).await;
            let ended = within(10, client.request::<_, Value>("ask", &round)).await;
            assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
        }
    })
    .await;
}

/// A message under way is a sign of life, however long it takes.
#[tokio::test]
async fn a_message_that_comes_slowly_keeps_the_link() {
    within(30, async {
        on_both_roads(about(&["heartbeat"]), async |server, mut peer| {
            let text = format!("\"{}\"", "x".repeat(50));
            let whole =
                super::peer::message(r#"{"id": "still", "type": 1, "route": "echo"}"#, text.as_bytes());
            for piece in whole.chunks(4) {
                peer.send(piece).await;
                sleep(SILENCE / 6).await;
            }
            loop {
                match peer.frame().await {
                    Some(Frame { code: 10, body }) if body.ends_with(text.as_bytes()) => break,
                    Some(_) => {}
                    None => panic!("the link was cut in the middle of a message"),
                }
            }
            assert_eq!(server.peers().len(), 1);
        })
        .await;
    })
    .await;
}
