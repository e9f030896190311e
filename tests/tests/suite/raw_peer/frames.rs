//! Frames that are none go in: the connection ends at once, the others go on.

use super::peer::{Victim, frame, message};
use crate::support::{eventually, within};

/// The connection ends at these bytes, with a reason in a close notify.
async fn assert_ends_at(what: &str, bytes: &[u8]) {
    let victim = Victim::new().await;
    for mut peer in victim.greeted().await {
        peer.expect_served().await;
        peer.send(bytes).await;
        let said = peer.expect_end().await;
        let text = String::from_utf8_lossy(&said);
        assert!(said.get(4) == Some(&20) && text.contains("reason"), "{what}: it ended with {text:?}");
    }
    for server in victim.servers() {
        eventually("the server knows that the peer is gone", || server.peers().len() == 1).await;
    }
    victim.assert_healthy().await;
}

#[tokio::test]
async fn a_frame_of_length_zero_ends_the_connection() {
    within(30, assert_ends_at("zero", &[0, 0, 0, 0])).await;
}

#[tokio::test]
async fn a_frame_with_an_unknown_code_ends_the_connection() {
    within(30, async {
        for code in [0, 9, 12, 255] {
            assert_ends_at("unknown code", &frame(code, b"body")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_code_ends_the_connection_before_its_body_came() {
    within(30, assert_ends_at("unknown code", &[0, 0, 1, 0, 99])).await;
}

#[tokio::test]
async fn a_frame_of_four_gibibytes_ends_the_connection_before_it_came() {
    within(30, async {
        for code in [10, 11, 20] {
            assert_ends_at("4 GiB", &[255, 255, 255, 255, code]).await;
        }
        assert_ends_at("4 GiB without a code", &[255, 255, 255, 255]).await;
    })
    .await;
}

#[tokio::test]
async fn a_metadata_length_out_of_range_ends_the_connection() {
    within(30, async {
        let metadata = br#"{"id": "a", "type": 1, "route": "echo"}"#;
        for m in [0u32, 3, 4 + metadata.len() as u32 + 1, u32::MAX] {
            let mut body = m.to_be_bytes().to_vec();
            body.extend(metadata);
            assert_ends_at("M", &frame(10, &body)).await;
        }
        assert_ends_at("no M", &frame(10, &[0, 0, 0])).await;
        assert_ends_at("no body", &frame(10, &[])).await;
    })
    .await;
}

#[tokio::test]
async fn metadata_above_64_kib_ends_the_connection() {
    within(30, async {
        let metadata = format!(r#"{{"id": "a", "type": 1, "route": "echo", "x": "{}"}}"#, "x".repeat(66_000));
        assert_ends_at("metadata", &message(&metadata, b"1")).await;
    })
    .await;
}

#[tokio::test]
async fn a_frame_a_byte_at_a_time_is_taken() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            for byte in message(r#"{"id": "a", "type": 1, "route": "echo"}"#, b"5") {
                peer.send(&[byte]).await;
            }
            assert_eq!(peer.message().await.1, b"5");
        }
    })
    .await;
}

#[tokio::test]
async fn a_close_notify_with_or_without_a_body_ends_the_connection() {
    within(30, async {
        let victim = Victim::new().await;
        let deep = "[".repeat(20_000);
        for body in ["", "{\"reason\": \"tired\"}", "not JSON", "{\"reason\": 5}", &deep] {
            for mut peer in victim.greeted().await {
                peer.expect_served().await;
                peer.send(&frame(20, body.as_bytes())).await;
                peer.expect_end().await;
            }
        }
        for server in victim.servers() {
            eventually("the server knows that they are gone", || server.peers().len() == 1).await;
        }
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_frame_harms_nobody() {
    within(30, async {
        let victim = Victim::new().await;
        let whole = message(r#"{"id": "a", "type": 1, "route": "echo"}"#, b"5");
        for end in [1, 4, 5, 9, whole.len() - 1] {
            for mut peer in victim.greeted().await {
                peer.send(&whole[..end]).await;
            }
        }
        for server in victim.servers() {
            eventually("the server knows that they are gone", || server.peers().len() == 1).await;
        }
        victim.assert_healthy().await;
    })
    .await;
}
