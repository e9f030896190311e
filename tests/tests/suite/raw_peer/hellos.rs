//! Handshakes of every sort go in; good ones are taken, bad ones end that connection alone.

use super::peer::Victim;
use crate::support::{unique, within};

#[tokio::test]
async fn a_hello_a_byte_at_a_time_is_taken() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.attackers().await {
            let hello = format!("{{\"client_id\": \"{}\", \"later\": [1, {{}}]}}\0", unique("slow"));
            for byte in hello.bytes() {
                peer.send(&[byte]).await;
            }
            peer.read_hello().await;
            peer.expect_served().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_hello_with_the_first_frames_in_one_piece_is_taken() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.attackers().await {
            let mut all = format!("{{\"client_id\": \"{}\"}}\0", unique("quick")).into_bytes();
            all.extend(super::peer::message(r#"{"id": "a", "type": 1, "route": "echo"}"#, b"5"));
            peer.send(&all).await;
            peer.read_hello().await;
            assert_eq!(peer.message().await.1, b"5");
        }
    })
    .await;
}

#[tokio::test]
async fn a_hello_longer_than_64_kib_ends_the_connection() {
    within(30, async {
        let victim = Victim::new().await;
        for ended in [true, false] {
            for mut peer in victim.attackers().await {
                let mut hello = format!("{{\"client_id\": \"{}\"}}", "x".repeat(70_000)).into_bytes();
                if ended {
                    hello.push(0);
                }
                peer.send(&hello).await;
                let said = peer.expect_end().await;
                assert!(!said.contains(&0), "the server said hello");
            }
        }
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn a_hello_that_is_not_one_is_refused_with_a_reason() {
    within(30, async {
        let victim = Victim::new().await;
        for hello in [
            "",
            "hello",
            "{",
            "null",
            "{}",
            r#"{"client_id": null}"#,
            r#"{"client_id": 5}"#,
            r#"{"client_id": ["a"]}"#,
            r#"{"client": "a"}"#,
            r#"{"client_id": "a"} {"client_id": "b"}"#,
            r#"{"client_id": "\ud800"}"#,
        ] {
            assert_refused(&victim, hello.as_bytes()).await;
        }
        assert_refused(&victim, b"{\"client_id\": \"\xff\"}").await;
        let deep = format!(r#"{{"client_id": "a", "more": {}}}"#, "[".repeat(30_000));
        assert_refused(&victim, deep.as_bytes()).await;
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn a_hello_that_is_an_array_is_refused() {
    within(30, async {
        let victim = Victim::new().await;
        assert_refused(&victim, br#"["w1"]"#).await;
        victim.assert_healthy().await;
    })
    .await;
}

async fn assert_refused(victim: &Victim, hello: &[u8]) {
    for mut peer in victim.attackers().await {
        peer.send(hello).await;
        peer.send(&[0]).await;
        let shown = String::from_utf8_lossy(hello).chars().take(60).collect::<String>();
        let said = peer.expect_end().await;
        assert_eq!(said.first(), Some(&4), "{shown} got {:?}", String::from_utf8_lossy(&said));
        let refusal: serde_json::Value = serde_json::from_slice(&said[1..]).unwrap();
        assert!(refusal["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{shown}: {refusal}");
    }
}

#[tokio::test]
async fn connections_that_end_in_the_middle_of_a_hello_harm_nobody() {
    within(30, async {
        let victim = Victim::new().await;
        for bytes in [&b""[..], b"{", b"{\"client_id\"", b"\x04", b"\x04{\"reason\": \"no\"}"] {
            for mut peer in victim.attackers().await {
                peer.send(bytes).await;
            }
        }
        victim.assert_healthy().await;
    })
    .await;
}
