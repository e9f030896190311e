//! A hostile server speaks to a client in a process of its own: the client stays small, its calls end, and the one beside it
//! is served.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::fortress::{ClientFortress, MIB, limits};
use super::peer::{RawPeer, chunk, frame, limit, message};
use crate::support::within;

fn throw(route: &str) -> Vec<u8> {
    message(&format!(r#"{{"id": "", "type": 2, "route": "{route}"}}"#), b"1")
}

/// Sends as long as the other side takes it, which is not for ever.
async fn send_while_taken(peer: &mut RawPeer, bytes: &[u8]) {
    let _ = timeout(Duration::from_secs(3), peer.send(bytes)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hellos_that_are_too_long_or_too_slow_are_given_up() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut long = fortress.accept().await;
        long.send(&vec![b' '; 10 * MIB]).await;
        long.expect_end().await;
        let mut slow = fortress.accept().await;
        let slowly = async {
            while !slow.has_ended().await {
                slow.send(b"{").await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(limit(), slowly).await.expect("the client loses its patience");
        let mut silent = fortress.accept().await;
        silent.expect_end().await;
        fortress.logs("longer than 64 KiB").await;
        fortress.holds("hellos", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_hang_up_at_once_are_not_run_after() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let since = Instant::now();
        for round in 0..60 {
            match round % 3 {
                0 => drop(fortress.accept().await),
                1 => drop(fortress.greeted().await),
                _ => fortress.greeted().await.send(&frame(20, b"")).await,
            }
        }
        // Between them it waits from 5 ms on, twice as long each time, up to 50 ms, or half of that by chance.
        assert!(since.elapsed() > Duration::from_secs(1), "60 times within {:?}", since.elapsed());
        fortress.holds("hanging up", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_requests_and_throws_are_bounded() {
    within(90, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let request = message(r#"{"id": "1", "type": 1, "route": "large"}"#, b"null");
        for flood in [throw("note"), throw("hold"), request] {
            let mut peer = fortress.greeted().await;
            send_while_taken(&mut peer, &flood.repeat(20 * MIB / flood.len())).await;
        }
        fortress.holds("floods", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_is_given_up_at_the_limit() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut peer = fortress.greeted().await;
        let metadata = peer.message().await.0.replace(r#""type":1"#, r#""type":11"#);
        let piece = vec![b'1'; 64 * 1024];
        for index in 0..1000 {
            peer.send(&chunk(index, u32::MAX, if index == 0 { &metadata } else { "" }, &piece)).await;
        }
        peer.expect_end().await;
        fortress.logs("bytes where 4194304 are allowed").await;
        fortress.holds("an endless answer", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_twice_or_to_nobody_are_dropped() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut peer = fortress.greeted().await;
        for _ in 0..100 {
            let metadata = peer.message().await.0;
            for kind in ["11", "51", "30"] {
                let answer = message(&metadata.replace(r#""type":1"#, &format!(r#""type":{kind}"#)), b"1");
                peer.send(&answer.repeat(200)).await;
            }
        }
        fortress.holds("answers", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_vanish_inside_a_frame_leave_nothing_behind() {
    within(90, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let large = message(r#"{"id": "1", "type": 2, "route": "note"}"#, &vec![b'1'; 2 * MIB]);
        for _ in 0..30 {
            fortress.greeted().await.send(&large[..MIB]).await;
        }
        fortress.holds_nothing("vanishing", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handled_after_a_servers_close_notify() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut peer = fortress.greeted().await;
        peer.send(&[frame(20, b""), throw("note").repeat(1000)].concat()).await;
        for _ in 0..50 {
            peer.send(&throw("note").repeat(1000)).await;
        }
        peer.expect_end().await;
        drop(peer);
        fortress.holds("more after the end", 8 * MIB).await;
        assert_eq!(fortress.noted().await, 0, "throws after a close notify were handled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_reads_nothing_is_left() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut deaf = fortress.greeted().await;
        let request = message(r#"{"id": "1", "type": 1, "route": "large"}"#, b"null");
        send_while_taken(&mut deaf, &request.repeat(10_000)).await;
        let _next = fortress.greeted().await;
        fortress.logs("lost the connection").await;
        fortress.holds("a deaf server", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_is_a_large_tree_stays_small() {
    within(60, async {
        let mut fortress = ClientFortress::start(limits()).await;
        let mut peer = fortress.greeted().await;
        let tree = format!(r#"{{"message":[{}0]}}"#, "[0],".repeat(MIB / 2));
        for id in ["of nobody", ""] {
            let metadata = peer.message().await.0.replace(r#""type":1"#, r#""type":51"#);
            let metadata = if id.is_empty() { metadata } else { format!(r#"{{"id":"{id}","type":51}}"#) };
            peer.send(&message(&metadata, tree.as_bytes())).await;
        }
        peer.message().await;
        fortress.holds("a tree", 24 * MIB).await;
    })
    .await;
}
