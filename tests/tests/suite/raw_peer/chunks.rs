//! Chunks go in, good and bad: those that make a message are one, the others end that connection at most.

use communica::Limits;

use super::peer::{RawPeer, Victim, chunk, message};
use crate::support::{echo, within};

const ECHO: &str = r#"{"id": "c", "type": 1, "route": "echo"}"#;

#[tokio::test]
async fn chunks_make_one_message_and_whole_messages_may_stand_between_them() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            peer.send(&chunk(0, 3, ECHO, b"\"a")).await;
            peer.expect_served().await;
            peer.send(&chunk(1, 3, "", b"")).await;
            peer.expect_served().await;
            peer.send(&chunk(2, 3, "", b"b\"")).await;
            assert_eq!(peer.message().await.1, b"\"ab\"");
            peer.send(&chunk(0, 1, ECHO, b"1")).await;
            assert_eq!(peer.message().await.1, b"1");
        }
    })
    .await;
}

/// These chunks end the connection.
async fn assert_ends_at(what: &str, chunks: &[Vec<u8>]) {
    let victim = Victim::with(Limits::new().message_size(1 << 20), echo()).await;
    for mut peer in victim.greeted().await {
        for chunk in chunks {
            peer.send(chunk).await;
        }
        let said = peer.expect_end().await;
        let text = String::from_utf8_lossy(&said);
        assert!(said.get(4) == Some(&20) && text.contains("reason"), "{what}: it ended with {text:?}");
    }
    victim.assert_healthy().await;
}

#[tokio::test]
async fn chunks_that_make_no_message_end_the_connection() {
    within(60, async {
        assert_ends_at("out of order", &[chunk(0, 3, ECHO, b"1"), chunk(2, 3, "", b"1")]).await;
        assert_ends_at("twice", &[chunk(0, 3, ECHO, b"1"), chunk(1, 3, "", b"1"), chunk(1, 3, "", b"1")])
            .await;
        assert_ends_at("other total", &[chunk(0, 3, ECHO, b"1"), chunk(1, 2, "", b"1")]).await;
        assert_ends_at("two at once", &[chunk(0, 3, ECHO, b"1"), chunk(0, 3, ECHO, b"1")]).await;
        assert_ends_at("total 0", &[chunk(0, 0, ECHO, b"1")]).await;
        assert_ends_at("no metadata", &[chunk(0, 1, "", b"1")]).await;
        let mut beyond = chunk(0, 1, ECHO, b"");
        beyond[13..17].copy_from_slice(&1000u32.to_be_bytes());
        assert_ends_at("metadata beyond the frame", &[beyond]).await;
        assert_ends_at("no head", &[super::peer::frame(11, &[0; 11])]).await;
    })
    .await;
}

#[tokio::test]
async fn chunks_that_announce_more_than_anybody_reads_end_the_connection() {
    within(30, async {
        let piece = vec![b'1'; 600 * 1024];
        assert_ends_at("too large", &[chunk(0, 3000, ECHO, &piece), chunk(1, 3000, "", &piece)]).await;
    })
    .await;
}

#[tokio::test]
async fn a_chunk_without_the_first_is_dropped_or_ends_the_connection() {
    within(30, async {
        let victim = Victim::new().await;
        for mut peer in victim.greeted().await {
            peer.send(&chunk(1, 3, "", b"1")).await;
            peer.send(&chunk(2, 3, "", b"1")).await;
            peer.send(&message(ECHO, b"5")).await;
            // Python goes on in the middle of a message after a reconnect, so this is the better of the two.
            assert_eq!(peer.message().await.1, b"5");
        }
        victim.assert_healthy().await;
    })
    .await;
}

#[tokio::test]
async fn endless_empty_chunks_keep_nobody_from_being_served() {
    within(60, async {
        let victim = Victim::new().await;
        for peer in victim.greeted().await {
            send_empty_chunks(peer, &victim).await;
        }
    })
    .await;
}

async fn send_empty_chunks(mut peer: RawPeer, victim: &Victim) {
    peer.send(&chunk(0, u32::MAX, ECHO, b"")).await;
    let mut index = 1;
    for _ in 0..20 {
        let many: Vec<u8> = (index..index + 5000).flat_map(|index| chunk(index, u32::MAX, "", b"")).collect();
        index += 5000;
        peer.send(&many).await;
    }
    victim.assert_healthy().await;
    peer.expect_served().await;
}
