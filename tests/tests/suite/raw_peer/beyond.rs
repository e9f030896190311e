//! What goes beyond 0.4, told wrongly: keys of other types, counts that cannot be, words to calls that nobody made. A
//! server in a process of its own takes such a peer for an old one, or ends the connection, and serves the others.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::fortress::{ClientFortress, MIB, ServerFortress, limits};
use super::peer::{RawPeer, message};
use crate::support::{unique, within};

const ALL: [&str; 3] = ["resume", "cancel", "heartbeat"];

fn acknowledgement(count: &str) -> Vec<u8> {
    message(&format!(r#"{{"id": "{count}", "type": 101}}"#), b"")
}

fn cancel(id: &str) -> Vec<u8> {
    message(&format!(r#"{{"id": "{id}", "type": 102}}"#), b"")
}

/// Says hello with this under the key; what the server says of itself.
async fn greet(peer: &mut RawPeer, id: &str, about: &Value) -> Value {
    peer.send(format!("{}\0", json!({"client_id": id, "communica": about})).as_bytes()).await;
    serde_json::from_slice::<Value>(&peer.read_hello().await).unwrap()["communica"].take()
}

async fn greeted(fortress: &ServerFortress, about: &Value) -> [RawPeer; 2] {
    let mut peers = fortress.attackers().await;
    for peer in &mut peers {
        greet(peer, &unique("beyond"), about).await;
    }
    peers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_shape_is_ignored() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let long = "x".repeat(60_000);
        for about in [
            json!(5),
            json!([]),
            json!({}),
            json!({"instance": 5}),
            json!({"instance": long}),
            json!({"instance": "a", "features": "resume"}),
            json!({"instance": "a", "features": [1, 2]}),
            json!({"instance": "a", "features": vec!["x"; 12_000]}),
            json!({"instance": "a", "features": ALL, "silence_ms": -1}),
            json!({"instance": "a", "features": ALL, "message_size": 1.5}),
            json!({"instance": "a", "features": ALL, "heard": {"instance": long, "messages": 1}}),
            json!({"instance": "a", "features": ALL, "unacknowledged": [1]}),
            json!({"instance": "a", "token": {"a": 1}}),
        ] {
            for peer in &mut greeted(&fortress, &about).await {
                peer.expect_served().await;
            }
        }
        fortress.holds("keys of another shape", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_that_peers_announce_is_not_kept() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let about = json!({
            "instance": "a", "features": vec!["x"; 12_000],
            "heard": {"instance": "y".repeat(10_000), "messages": 1},
        });
        let mut kept = Vec::new();
        for _ in 0..90 {
            kept.extend(greeted(&fortress, &about).await);
        }
        fortress.holds("much that is announced", 24 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_that_cannot_be_are_dropped() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let about = json!({"instance": "a", "features": ALL, "silence_ms": 30_000});
        for peer in &mut greeted(&fortress, &about).await {
            for count in ["18446744073709551615", "99999999999999999999999", "7", "0", "-1", "", "x", "1.5"] {
                peer.send(&acknowledgement(count)).await;
            }
            peer.expect_served().await;
            // One answer was sent. More than that, fewer than before, and the same again.
            for count in ["1", "5", "0", "1", "1"] {
                peer.send(&acknowledgement(count)).await;
            }
            peer.expect_served().await;
            peer.send(&acknowledgement("9").repeat(100_000)).await;
            peer.expect_served().await;
        }
        fortress.holds("acknowledgements", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_a_newer_wire_from_a_peer_that_announced_nothing_do_nothing() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for peer in &mut fortress.greeted().await {
            peer.send(&[acknowledgement("3"), cancel("x"), cancel("")].concat()).await;
            peer.expect_served().await;
        }
        fortress.holds("newer words", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_of_unknown_ids_by_the_hundred_thousand_are_not_kept() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let about = json!({"instance": "a", "features": ALL, "silence_ms": 30_000});
        for peer in &mut greeted(&fortress, &about).await {
            // Handlers run and messages wait: the ids might be theirs.
            peer.send(&message(r#"{"id": "", "type": 2, "route": "hold"}"#, b"1").repeat(500)).await;
            for round in 0..100 {
                let many: Vec<u8> = (0..1000).flat_map(|n| cancel(&format!("unknown-{round}-{n}"))).collect();
                peer.send(&many).await;
            }
            peer.send(&cancel(&"x".repeat(60_000)).repeat(100)).await;
        }
        fortress.holds("cancels", 12 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_one_id_and_a_cancel_harm_nobody() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let about = json!({"instance": "a", "features": ALL, "silence_ms": 30_000});
        for peer in &mut greeted(&fortress, &about).await {
            for _ in 0..200 {
                let hold = message(r#"{"id": "same", "type": 1, "route": "hold"}"#, b"1");
                peer.send(&[hold.repeat(3), cancel("same").repeat(4)].concat()).await;
            }
        }
        fortress.holds("one id", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_acknowledges_is_sent_no_more_than_is_kept() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let about = json!({"instance": "a", "features": ALL, "silence_ms": 30_000});
        for peer in &mut greeted(&fortress, &about).await {
            peer.send_message(r#"{"id": "", "type": 2, "route": "send_me"}"#, b"1000000").await;
            // It reads all that comes, and says nothing.
            let _ = timeout(Duration::from_secs(6), async { while peer.frame().await.is_some() {} }).await;
        }
        fortress.holds("nothing is acknowledged", 24 * MIB).await;
        fortress.logs("took nothing of what was sent").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_never_was_is_not_resumed() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for count in [0, 1, 1000, u64::MAX] {
            let [mut peer, mut other] = fortress.attackers().await;
            let mut about = json!({"instance": "a", "features": ALL, "silence_ms": 30_000});
            about["heard"] = json!({"instance": "0123456789abcdef", "messages": count});
            let id = unique("never");
            let server = greet(&mut peer, &id, &about).await;
            peer.expect_served().await;
            drop(peer);
            // The server's session is the one it knows, and the count is a lie.
            about["heard"] = json!({"instance": server["instance"], "messages": count});
            greet(&mut other, &unique("stranger"), &about).await;
            other.expect_served().await;
            let [mut again, _] = fortress.attackers().await;
            greet(&mut again, &id, &about).await;
            again.expect_served_among_others().await;
        }
        fortress.holds("sessions that never were", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_bear_no_silence_or_any_cost_little() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let mut peers = Vec::new();
        for silence in [0, 1, u64::MAX] {
            let about = json!({"instance": "a", "features": ALL, "silence_ms": silence});
            for _ in 0..20 {
                peers.extend(greeted(&fortress, &about).await);
            }
        }
        // Those that bear none say nothing themselves.
        for peer in &mut peers[..80] {
            peer.expect_end().await;
        }
        fortress.holds("beats", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_survives_a_server_that_tells_lies_about_itself() {
    within(90, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let lie = |about: Value| format!("{}\0", json!({"hello": "hello", "communica": about}));
        let mut instance = String::new();
        for count in [0, 1, 1000, u64::MAX] {
            let mut peer = fortress.accept().await;
            let hello: Value = serde_json::from_slice(&peer.read_hello().await).unwrap();
            hello["communica"]["instance"].as_str().unwrap_or_default().clone_into(&mut instance);
            let about = json!({
                "instance": "same", "features": ALL, "silence_ms": 1, "message_size": 100, "unacknowledged": [0, 0],
                "heard": {"instance": instance, "messages": count},
            });
            peer.send(lie(about).as_bytes()).await;
            peer.send(&acknowledgement(&count.to_string()).repeat(1000)).await;
            peer.send(&cancel("x").repeat(1000)).await;
        }
        for about in [json!(5), json!({"instance": "x".repeat(60_000)}), json!({"instance": "a", "message_size": 0})] {
            let mut peer = fortress.accept().await;
            peer.read_hello().await;
            peer.send(lie(about).as_bytes()).await;
        }
        assert!(!instance.is_empty(), "the client says nothing of itself");
        fortress.holds("lies", 8 * MIB).await;
    })
    .await;
}
