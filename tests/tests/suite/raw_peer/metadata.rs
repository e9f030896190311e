//! Metadata of every sort goes in: what the wire allows is echoed as it came, the rest ends the connection.

use communica::{Limits, RouteTable};

use super::peer::{Victim, message};
use crate::support::{echo, noting, take, within};

async fn assert_ends_at(metadata: &str) {
    let victim = Victim::new().await;
    for mut peer in victim.greeted().await {
        peer.send(&message(metadata, b"5")).await;
        let said = peer.expect_end().await;
        let text = String::from_utf8_lossy(&said);
        let shown: String = metadata.chars().take(60).collect();
        assert!(said.get(4) == Some(&20) && text.contains("reason"), "{shown}: it ended with {text:?}");
    }
    victim.assert_healthy().await;
}

#[tokio::test]
async fn metadata_that_is_none_ends_the_connection() {
    within(60, async {
        for metadata in [
            "",
            "null",
            "[]",
            "{",
            "{}",
            r#"{"id": "a", "type": 1, "route": "echo"} x"#,
            r#"{"id": "a", "type": 1, "route": "echo",}"#,
            r#"{"type": 1, "route": "echo"}"#,
            r#"{"id": "a", "route": "echo"}"#,
            r#"{"id": 5, "type": 1, "route": "echo"}"#,
            r#"{"id": "a", "type": "1", "route": "echo"}"#,
            r#"{"id": "a", "type": 1.5, "route": "echo"}"#,
            r#"{"id": "a", "type": 99999999999999999999, "route": "echo"}"#,
            r#"{"id": "a", "type": 1, "route": 5}"#,
        ] {
            assert_ends_at(metadata).await;
        }
        let deep = format!(r#"{{"id": "a", "type": 1, "x": {}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
        assert_ends_at(&deep).await;
    })
    .await;
}

#[tokio::test]
async fn metadata_comes_back_byte_for_byte_with_the_type_replaced() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            for (sent, back) in [
                (
                    r#" {"x":{"type":1, "id":[null]},"type" : 1 ,"route":"echo", "id":"ż\u017c"}  "#,
                    r#" {"x":{"type":1, "id":[null]},"type" : 11 ,"route":"echo", "id":"ż\u017c"}  "#,
                ),
                (
                    r#"{"id":"","type":1,"route":"echo","n":-1.5e+3,"t":true,"s":"\"\\\/"}"#,
                    r#"{"id":"","type":11,"route":"echo","n":-1.5e+3,"t":true,"s":"\"\\\/"}"#,
                ),
            ] {
                peer.send_message(sent, b"5").await;
                assert_eq!(peer.message().await, (back.to_owned(), b"5".to_vec()));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_escaped_route_leads_to_its_handler() {
    within(30, async {
        let routes = echo().route("a \"b\" \\ ż 🐢", |(): ()| 1);
        let victim = Victim::with(Limits::new(), routes).await;
        for mut peer in victim.greeted().await {
            peer.send_message(r#"{"id": "1", "type": 1, "route": "\u0065c\u0068o"}"#, b"5").await;
            assert_eq!(peer.message().await.1, b"5");
            let odd = r#"{"id": "2", "type": 1, "route": "a \"b\" \\ \u017c \ud83d\udc22"}"#;
            peer.send_message(odd, b"null").await;
            assert_eq!(peer.message().await.1, b"1");
        }
    })
    .await;
}

#[tokio::test]
async fn a_route_that_is_no_text_leads_nowhere() {
    within(30, async {
        let victim = Victim::with(Limits::new(), echo().route("", |(): ()| "empty")).await;
        for mut peer in victim.greeted().await {
            peer.send_message(r#"{"id": "1", "type": 1, "route": "\ud800"}"#, b"null").await;
            let (metadata, payload) = peer.message().await;
            assert!(metadata.contains("41"), "{metadata} {:?}", String::from_utf8_lossy(&payload));
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_route_is_the_requesters_fault() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            peer.send_message(r#"{"id": "1", "type": 1}"#, b"5").await;
            let (metadata, payload) = peer.message().await;
            assert_eq!(metadata, r#"{"id": "1", "type": 41}"#);
            let fault: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            assert!(fault["message"].as_str().is_some_and(|text| text.contains("route")), "{fault}");
            assert!(fault["code"].is_null(), "{fault}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_throw_is_handled_and_never_answered_whatever_its_id_and_route() {
    within(30, async {
        let (routes, mut noted) = noting(echo(), "note");
        let victim = Victim::with(Limits::new(), routes).await;
        for mut peer in victim.greeted().await {
            peer.send_message(r#"{"id": "1", "type": 2, "route": "note"}"#, b"5").await;
            peer.send_message(r#"{"id": "2", "type": 2, "route": "nowhere"}"#, b"5").await;
            peer.send_message(r#"{"id": "3", "type": 2}"#, b"5").await;
            peer.send_message(r#"{"id": "4", "type": 2, "route": "note"}"#, b"no JSON").await;
            peer.expect_served().await;
            assert_eq!(take(&mut noted, 1).await, [5]);
        }
    })
    .await;
}

#[tokio::test]
async fn unknown_types_are_dropped_and_the_connection_goes_on() {
    within(30, async {
        let (routes, mut noted) = noting(echo(), "note");
        let victim = Victim::with(Limits::new(), routes).await;
        for mut peer in victim.greeted().await {
            for code in ["0", "3", "10", "12", "29", "40", "52", "-1", "9223372036854775807"] {
                let metadata = format!(r#"{{"id": "1", "type": {code}, "route": "note"}}"#);
                peer.send_message(&metadata, b"5").await;
            }
            peer.expect_served().await;
        }
        assert!(noted.try_recv().is_err(), "a handler ran for a message of an unknown type");
    })
    .await;
}

#[tokio::test]
async fn answers_to_calls_that_nobody_made_are_dropped() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            for code in [11, 30, 41, 42, 51] {
                for id in ["", "a", "0-0", "ffffffffffffffff0-0"] {
                    let metadata = format!(r#"{{"id": "{id}", "type": {code}, "route": "echo"}}"#);
                    peer.send_message(&metadata, b"\xff").await;
                }
            }
            peer.expect_served().await;
        }
        victim.assert_healthy().await;
    })
    .await;
}

/// The id in a metadata text of ours.
fn id_of(metadata: &str) -> String {
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
    metadata["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_that_come_twice_or_too_late_are_dropped() {
    within(30, async {
        let victim = Victim::with(Limits::new(), echo().merge(RouteTable::new())).await;
        let mut raw = victim.attackers().await;
        for (peer, server) in raw.iter_mut().zip(victim.servers()) {
            peer.hello("scripted").await;
            let scripted = server.peer("scripted").await;
            // One that nobody waits for any more when its answer comes.
            let mut given_up = Box::pin(scripted.request::<_, i64>("ask", &1));
            let first = tokio::select! {
                ended = &mut given_up => panic!("{ended:?}"),
                (metadata, _) = peer.message() => id_of(&metadata),
            };
            drop(given_up);
            // It may get the place of the one before, but not its answer.
            let call = scripted.request::<_, i64>("ask", &2);
            let answering = async {
                let second = id_of(&peer.message().await.0);
                assert_ne!(first, second);
                for (id, value) in [(&first, "10"), (&second, "20"), (&second, "30"), (&first, "40")] {
                    let metadata = format!(r#"{{"id": "{id}", "type": 11, "route": "ask"}}"#);
                    peer.send_message(&metadata, value.as_bytes()).await;
                }
            };
            assert_eq!(tokio::join!(call, answering).0.unwrap(), 20);
            peer.expect_served().await;
        }
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn an_error_that_cannot_be_read_is_an_error_all_the_same() {
    within(30, async {
        let victim = Victim::new().await;
        let mut raw = victim.attackers().await;
        for (peer, server) in raw.iter_mut().zip(victim.servers()) {
            peer.hello("scripted").await;
            let scripted = server.peer("scripted").await;
            let deep = "[".repeat(20_000);
            for payload in ["", "null", "\u{1}", r#"{"message": 5}"#, &deep] {
                let call = scripted.request::<_, i64>("ask", &1);
                let answering = async {
                    let id = id_of(&peer.message().await.0);
                    let metadata = format!(r#"{{"id": "{id}", "type": 51, "route": "ask"}}"#);
                    peer.send_message(&metadata, payload.as_bytes()).await;
                };
                let ended = tokio::join!(call, answering).0;
                assert!(matches!(ended, Err(communica::Error::Resp(_))), "{ended:?}");
            }
        }
    })
    .await;
}
