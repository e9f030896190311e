//! A peer that knows no limit says more than this side takes: that message is refused alone, and everything else on the
//! link goes on.

use communica::{Error, Limits, RouteClient};

use super::fortress::{MIB, ServerFortress, limits};
use super::peer::{RawPeer, Victim, chunk, message};
use super::servers::{accept, listen};
use crate::support::{noting, quick, within};

const LIMIT: usize = 64 * 1024;

/// A message of so many bytes: whole, in pieces below the limit, and in one that is above it.
fn ways(metadata: &str, size: usize) -> [Vec<u8>; 3] {
    let payload = vec![b'1'; size];
    let pieces: Vec<_> = payload.chunks(20 * 1024).collect();
    let in_pieces = pieces.iter().zip(0..).map(|(piece, index)| {
        let metadata = if index == 0 { metadata } else { "" };
        let small = message(r#"{"id": "", "type": 77}"#, b"between");
        [chunk(index, pieces.len() as u32, metadata, piece), small].concat()
    });
    let in_pieces = in_pieces.collect::<Vec<_>>().concat();
    let in_one = [chunk(0, 2, metadata, &payload[..size - 1]), chunk(1, 2, "", b"1")].concat();
    [message(metadata, &payload), in_pieces, in_one]
}

async fn expect_refusal(peer: &mut RawPeer, size: usize) {
    let (metadata, payload) = peer.message().await;
    assert_eq!(metadata, r#"{"id": "c", "type": 51, "route": "echo"}"#);
    let said = format!("the request was not taken: it has {size} bytes where {LIMIT} are allowed");
    let payload = String::from_utf8(payload).unwrap();
    assert!(payload.contains(&said), "{payload}");
}

#[tokio::test]
async fn a_request_or_a_throw_that_is_too_large_concerns_nobody_else() {
    within(60, async {
        let (routes, mut noted) = noting(crate::support::echo(), "note");
        let victim = Victim::with(Limits::new().message_size(LIMIT), routes).await;
        for mut peer in victim.greeted().await {
            for size in [LIMIT + 1, LIMIT + 70_000, 4 * MIB] {
                for large in ways(r#"{"id": "c", "type": 1, "route": "echo"}"#, size) {
                    peer.send_message(r#"{"id": "", "type": 2, "route": "note"}"#, b"1").await;
                    peer.send(&large).await;
                    expect_refusal(&mut peer, size).await;
                    peer.expect_served().await;
                }
                for large in ways(r#"{"id": "", "type": 2, "route": "note"}"#, size) {
                    peer.send(&large).await;
                    peer.send_message(r#"{"id": "", "type": 2, "route": "note"}"#, b"2").await;
                    peer.expect_served().await;
                }
                for expected in [1, 1, 1, 2, 2, 2] {
                    assert_eq!(noted.recv().await, Some(expected));
                }
            }
        }
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_ends_its_own_call_alone() {
    within(60, async {
        let (listener, connector) = listen().await;
        let client = quick(RouteClient::builder(connector)).limits(Limits::new().message_size(LIMIT));
        let client = client.start().unwrap();
        let mut peer = accept(&listener).await;
        peer.read_hello().await;
        peer.send(b"{\"hello\": \"hello\"}\0").await;
        let ask = |name: &'static str| {
            let client = client.clone();
            tokio::spawn(async move { client.request::<_, i64>(name, &1).await })
        };
        let beside = ask("beside");
        let beside_id = id_of(&mut peer).await;
        for size in [LIMIT + 1, LIMIT + 70_000, 4 * MIB] {
            for way in 0..3 {
                let large = ask("large");
                let id = id_of(&mut peer).await;
                peer.send(&ways(&format!(r#"{{"id": "{id}", "type": 11}}"#), size)[way]).await;
                match large.await.unwrap() {
                    Err(Error::Resp(error)) => assert_eq!(
                        error.message(),
                        format!(
                            "the answer was not taken: it has {size} bytes where {LIMIT} are allowed, see `Limits::message_size`"
                        )
                    ),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(!beside.is_finished());
        peer.send_message(&format!(r#"{{"id": "{beside_id}", "type": 11}}"#), b"7").await;
        assert_eq!(beside.await.unwrap().unwrap(), 7);
    })
    .await;
}

async fn id_of(peer: &mut RawPeer) -> String {
    let metadata: serde_json::Value = serde_json::from_str(&peer.message().await.0).unwrap();
    metadata["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_what_is_too_large_is_kept() {
    within(120, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.greeted().await {
            for large in ways(r#"{"id": "", "type": 2, "route": "echo"}"#, 64 * MIB) {
                peer.send(&large).await;
                peer.expect_served().await;
            }
        }
        fortress.holds("64 MiB", 16 * MIB).await;
        fortress.logs("67108864 bytes where 4194304 are allowed").await;
    })
    .await;
}
