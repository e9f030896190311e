//! A scripted peer announces what it can do, or nothing: calls are cancelled and handlers stopped accordingly.

use std::time::Duration;

use communica::{Error, Feature, Limits, Reason, RouteClient};
use serde_json::{Value, json};

use super::peer::{RawPeer, Victim};
use super::servers::{accept, listen};
use crate::support::{Gate, echo, eventually, holding, quick, request_in, within};

/// Our client, connected to a scripted server that announced these features.
async fn client_of(features: &[&str]) -> (RouteClient, RawPeer) {
    let (listener, connector) = listen().await;
    let client = quick(RouteClient::builder(connector)).start().unwrap();
    let mut peer = accept(&listener).await;
    peer.read_hello().await;
    let about = json!({"hello": "hello", "communica": {"instance": "scripted", "features": features}});
    peer.send(format!("{about}\0").as_bytes()).await;
    eventually("the client is connected", || client.is_connected()).await;
    (client, peer)
}

/// The next message's metadata.
async fn metadata(peer: &mut RawPeer) -> Value {
    serde_json::from_str(&peer.message().await.0).unwrap()
}

async fn give_up(client: &RouteClient) {
    let ended = request_in(Duration::from_millis(100), client, "slow", 1).await;
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{ended:?}");
}

#[tokio::test]
async fn a_peer_that_can_cancel_is_told_which_call_was_given_up() {
    within(20, async {
        let (client, mut peer) = client_of(&["cancel"]).await;
        assert!(client.supports(Feature::Cancel) && !client.supports(Feature::Resume));
        for _ in 0..3 {
            give_up(&client).await;
            let request = metadata(&mut peer).await;
            assert_eq!((&request["type"], &request["route"]), (&json!(1), &json!("slow")));
            assert_eq!(request["timeout_ms"], 100);
            let cancel = metadata(&mut peer).await;
            assert_eq!(cancel, json!({"id": request["id"], "type": 102}));
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_cannot_cancel_is_told_nothing_of_it() {
    within(20, async {
        for features in [&[][..], &["resume"], &["heartbeat"], &["cancellation"]] {
            let (client, mut peer) = client_of(features).await;
            assert!(!client.supports(Feature::Cancel));
            give_up(&client).await;
            client.throw("next", &1).await.unwrap();
            assert_eq!(metadata(&mut peer).await["route"], "slow");
            assert_eq!(metadata(&mut peer).await["route"], "next", "{features:?}: something else came");
        }
    })
    .await;
}

/// The server acts on it whatever the peer announced; nobody but its sender suffers if it makes no sense.
#[tokio::test]
async fn a_cancelled_handler_stops_and_gives_no_answer() {
    within(30, async {
        let (routes, held) = holding(echo(), "hold", &Gate::shut());
        let victim = Victim::with(Limits::new(), routes).await;
        for mut peer in victim.greeted().await {
            peer.send_message(r#"{"id": "a", "type": 1, "route": "hold"}"#, b"1").await;
            peer.send_message(r#"{"id": "b", "type": 1, "route": "hold"}"#, b"1").await;
            eventually("both handlers run", || held.inside() == 2).await;
            for nonsense in ["", "c", "A", "still"] {
                peer.send_message(&json!({"id": nonsense, "type": 102}).to_string(), b"").await;
            }
            peer.send_message(r#"{"id": "a", "type": 102}"#, b"").await;
            eventually("one handler is dropped", || held.inside() == 1).await;
            // The same once more, when it is over.
            peer.send_message(r#"{"id": "a", "type": 102}"#, b"").await;
            // What comes next is the answer to this.
            peer.expect_served().await;
            assert_eq!(held.inside(), 1);
            peer.send_message(r#"{"id": "b", "type": 102}"#, b"").await;
            eventually("the other handler is dropped", || held.inside() == 0).await;
            peer.expect_served().await;
        }
        victim.assert_healthy().await;
    })
    .await;
}

/// It says when its time is over, and does not cancel. An answer would come too late for it.
#[tokio::test]
async fn a_handler_past_its_callers_deadline_is_stopped_and_gives_no_answer() {
    within(30, async {
        let (routes, held) = holding(echo(), "hold", &Gate::shut());
        let victim = Victim::with(Limits::new().running(1), routes).await;
        for mut peer in victim.greeted().await {
            for (id, time) in [("a", 500), ("b", 100), ("c", 0)] {
                let asked = json!({"id": id, "type": 1, "route": "hold", "timeout_ms": time});
                peer.send_message(&asked.to_string(), b"1").await;
            }
            // It has its turn after these, and is answered before any of them.
            peer.expect_served().await;
            assert_eq!(held.inside(), 0, "the handler runs on");
        }
        assert_eq!((held.entered(), held.finished()), (2, 0), "one of each road runs, and none to its end");
    })
    .await;
}
