//! A peer that asks and does not listen: what is made for it stays within bounds, the others are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use communica::{Limits, RouteTable};
use tokio::time::{Duration, timeout};

use super::peer::{RawPeer, Victim, message};
use crate::support::{echo, within};

const ANSWER: usize = 256 * 1024;
const QUEUED: usize = 1 << 20;
const REQUESTS: usize = 4000;

/// "large" gives an answer much larger than its request, and counts.
fn counted(routes: RouteTable, made: &Arc<AtomicUsize>, at_once: bool) -> RouteTable {
    let made = made.clone();
    if at_once {
        return routes.route("large", move |(): ()| {
            made.fetch_add(1, Ordering::Relaxed);
            "x".repeat(ANSWER)
        });
    }
    routes.route("large", move |(): ()| {
        let made = made.clone();
        async move {
            tokio::task::yield_now().await;
            made.fetch_add(1, Ordering::Relaxed);
            "x".repeat(ANSWER)
        }
    })
}

/// Whole ones, and ones that go out in pieces.
async fn assert_bounded(at_once: bool) {
    for chunk_size in [ANSWER * 2, ANSWER / 4] {
        assert_bounded_in(chunk_size, at_once).await;
    }
}

async fn assert_bounded_in(chunk_size: usize, at_once: bool) {
    let made = Arc::new(AtomicUsize::new(0));
    let limits = Limits::new().queued(64, QUEUED).running(4).waiting(64, QUEUED).chunk_size(chunk_size);
    let victim = Victim::with(limits, counted(echo(), &made, at_once)).await;
    for mut deaf in victim.greeted().await {
        made.store(0, Ordering::Relaxed);
        ask_and_do_not_listen(&mut deaf).await;
        victim.assert_healthy().await;
        let bytes = settled(&made).await * ANSWER;
        // Four times the bound, and what fits into the sockets' buffers.
        let allowed = 4 * QUEUED + (8 << 20);
        assert!(
            bytes <= allowed,
            "{} MiB of answers were made for a peer that reads nothing, {} MiB would do",
            bytes >> 20,
            allowed >> 20
        );
    }
}

async fn ask_and_do_not_listen(deaf: &mut RawPeer) {
    let all = message(r#"{"id": "1", "type": 1, "route": "large"}"#, b"null").repeat(REQUESTS);
    // The server stops reading some time, so this need not end.
    let _ = timeout(Duration::from_secs(2), deaf.send(&all)).await;
}

/// The number when it does not change any more.
async fn settled(number: &AtomicUsize) -> usize {
    let (mut before, mut still) = (number.load(Ordering::Relaxed), 0);
    while still < 50 {
        tokio::time::sleep(Duration::from_millis(4)).await;
        let now = number.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_made_at_once_for_a_peer_that_does_not_read_are_bounded() {
    within(60, assert_bounded(true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_made_later_for_a_peer_that_does_not_read_are_bounded() {
    within(60, assert_bounded(false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_says_goodbye_to_the_others_when_one_handler_does_not_end() {
    within(30, async {
        let (routes, mut entries) = crate::support::hanging(echo(), "hang");
        let name = crate::support::unique("goodbye");
        let server = communica::RouteServer::new(communica::LocalConnector::new(&name), routes);
        let server = server.grace(Duration::from_millis(300)).start().await.unwrap();
        let mut peers = Vec::new();
        for number in 0..8 {
            let mut peer = RawPeer::local(&name).await;
            peer.hello(&format!("w{number}")).await;
            peer.expect_served().await;
            peers.push(peer);
        }
        peers[3].send_message(r#"{"id": "1", "type": 1, "route": "hang"}"#, b"1").await;
        crate::support::take(&mut entries, 1).await;
        server.stop().await;
        for (number, mut peer) in peers.into_iter().enumerate() {
            // It speaks 0.4, so its call is answered.
            if number == 3 {
                assert!(peer.message().await.0.contains(r#""type": 51"#), "its handler was stopped");
            }
            let said = peer.expect_end().await;
            assert_eq!(said.get(4), Some(&20), "client {number} got no goodbye");
        }
    })
    .await;
}
