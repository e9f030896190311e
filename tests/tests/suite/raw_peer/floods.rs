//! Too much, too slow or too long goes to a server in a process of its own: it stays small, says why, and serves others.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::fortress::{MIB, ServerFortress, limits};
use super::peer::{RawPeer, chunk, frame, limit, message};
use crate::support::{unique, within};

const ECHO: &str = r#"{"id": "c", "type": 1, "route": "echo"}"#;

/// How the log tells of a throw that was not handled.
const FAILED: &str = "message=a throw failed";

fn throw(route: &str) -> Vec<u8> {
    message(&format!(r#"{{"id": "", "type": 2, "route": "{route}"}}"#), b"1")
}

/// Sends as long as the other side takes it; whether it took all.
async fn send_while_taken(peer: &mut RawPeer, bytes: &[u8]) -> bool {
    timeout(Duration::from_secs(3), peer.send(bytes)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_message_ends_the_connection_at_the_limit() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.greeted().await {
            let piece = vec![b'1'; 64 * 1024];
            for index in 0..1000 {
                let metadata = if index == 0 { ECHO } else { "" };
                peer.send(&chunk(index, u32::MAX, metadata, &piece)).await;
            }
            peer.expect_end().await;
        }
        fortress.logs("bytes where 4194304 are allowed").await;
        fortress.holds("an endless message", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_frames_take_no_memory_before_they_come() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let mut waiting = Vec::new();
        for _ in 0..80 {
            for mut peer in fortress.greeted().await {
                peer.send(&[0, 64, 0, 0, 10, 0, 0, 0, 30]).await;
                waiting.push(peer);
            }
        }
        fortress.holds("announced frames", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_that_takes_too_long_ends_the_connection() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.attackers().await {
            let slow = async {
                for byte in br#"{"client_id": "slow", "more": "xxxxxxxxxxxxxxxxxxxxxx"#.iter().cycle() {
                    peer.send(&[*byte]).await;
                    sleep(Duration::from_millis(100)).await;
                    if peer.has_ended().await {
                        break;
                    }
                }
            };
            timeout(limit(), slow).await.expect("the server loses its patience");
            peer.expect_end().await;
        }
        fortress.logs("did not say hello in time").await;
        fortress.holds("a slow hello", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_of_10_mib_is_not_kept() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let hello = [b"{\"client_id\": \"", &vec![b'x'; 10 * MIB][..]].concat();
        for _ in 0..10 {
            for mut peer in fortress.attackers().await {
                peer.send(&hello).await;
                assert!(!peer.expect_end().await.contains(&0), "the server said hello");
            }
        }
        fortress.logs("longer than 64 KiB").await;
        fortress.holds("a long hello", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_are_closed_and_others_come_in_again() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let mut silent = Vec::new();
        for _ in 0..150 {
            silent.push(fortress.tcp().await);
        }
        // Its turn comes when enough of the silent ones ran out of time.
        let mut patient = fortress.tcp().await;
        patient.send_hello("patient").await;
        patient.read_hello().await;
        fortress.logs("did not say hello in time").await;
        fortress.holds("silence", 8 * MIB).await;
        for mut peer in silent {
            assert!(peer.expect_end().await.is_empty());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_and_go_leave_nothing_behind() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for round in 0..1500 {
            for mut peer in fortress.attackers().await {
                match round % 3 {
                    0 => {}
                    1 => peer.send(b"{\"client_id").await,
                    // Ten times as many as the server is to know.
                    _ => peer.send_hello(&unique("passing")).await,
                }
            }
        }
        fortress.holds_nothing("coming and going", 16 * MIB).await;
    })
    .await;
}

/// Windows does not limit them.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_file_handles_serves_on_and_accepts_again() {
    within(60, async {
        let mut fortress = ServerFortress::with_files(limits(), Some(48)).await;
        let mut crowd = Vec::new();
        for _ in 0..120 {
            crowd.push(fortress.tcp().await);
        }
        fortress.logs("could not accept a connection").await;
        fortress.holds("no file handles", 8 * MIB).await;
        drop(crowd);
        fortress.tcp().await.hello("later").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_throws_is_handled_one_after_the_other() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let many = throw("note").repeat(1000);
        for mut peer in fortress.greeted().await {
            for _ in 0..50 {
                peer.send(&many).await;
            }
            peer.expect_served().await;
        }
        assert_eq!(fortress.noted().await, 100_000);
        fortress.holds("a flood of throws", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_throws_whose_handlers_do_not_end_is_not_read() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let many = throw("hold").repeat(500_000);
        for mut peer in fortress.greeted().await {
            assert!(!send_while_taken(&mut peer, &many).await, "the server took {} MiB", many.len() / MIB);
        }
        fortress.holds("a flood for handlers that do not end", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests_whose_handlers_do_not_end_are_bounded_by_size() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let payload = [b"\"", &vec![b'x'; MIB][..], b"\""].concat();
        let large = message(r#"{"id": "", "type": 2, "route": "hold"}"#, &payload);
        let [mut peer, _] = fortress.greeted().await;
        for _ in 0..64 {
            if !send_while_taken(&mut peer, &large).await {
                break;
            }
        }
        // What may wait is 1 MiB; one message is at most 4.
        fortress.holds("large requests", 32 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_wait_do_not_keep_the_large_frames_before_them() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let lost = chunk(1, 2, "", &vec![b'x'; 3 * MIB]);
        let payload = [b"\"", &vec![b'x'; 16 * 1024][..], b"\""].concat();
        let waits = message(r#"{"id": "", "type": 2, "route": "hold"}"#, &payload);
        let [mut peer, _] = fortress.greeted().await;
        for _ in 0..200 {
            if !send_while_taken(&mut peer, &[&lost[..], &waits].concat()).await {
                break;
            }
        }
        // What may wait and run is 1 MiB each.
        fortress.holds("large frames", 32 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_its_answers_is_let_go() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let many = message(r#"{"id": "1", "type": 1, "route": "large"}"#, b"null").repeat(20_000);
        let mut deaf = fortress.greeted().await;
        for peer in &mut deaf {
            send_while_taken(peer, &many).await;
        }
        fortress.logs("took nothing of what was sent").await;
        fortress.holds("unread answers", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_nobody_reads_are_bounded() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let many = message(r#"{"id": "1", "type": 1, "route": "nowhere"}"#, b"null").repeat(300_000);
        let mut deaf = fortress.greeted().await;
        for peer in &mut deaf {
            send_while_taken(peer, &many).await;
        }
        fortress.logs("took nothing of what was sent").await;
        fortress.holds("unread refusals", 16 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_vanish_inside_a_frame_leave_nothing_behind() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let large = message(ECHO, &vec![b'1'; 2 * MIB]);
        for _ in 0..50 {
            for mut peer in fortress.greeted().await {
                peer.send(&large[..MIB]).await;
            }
        }
        fortress.holds_nothing("vanishing", 24 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handled_after_a_close_notify() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.greeted().await {
            peer.send(&[frame(20, b""), throw("note").repeat(1000)].concat()).await;
            for _ in 0..100 {
                peer.send(&throw("note").repeat(1000)).await;
            }
            peer.expect_end().await;
        }
        fortress.holds("more after the end", 8 * MIB).await;
        assert_eq!(fortress.noted().await, 0, "throws after a close notify were handled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_are_dropped_do_not_fill_the_log() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let many = chunk(5, 9, "", b"").repeat(1000);
        for mut peer in fortress.greeted().await {
            for _ in 0..50 {
                peer.send(&many).await;
            }
            peer.expect_served().await;
        }
        fortress.logs("without the first chunk").await;
        fortress.holds("lost chunks", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throws_to_nowhere_do_not_fill_the_log() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        // What they would make of the log: lines without end, and, from some connections, long ones.
        for (route, throws, rounds) in [("nowhere".to_owned(), 80_000, 1), ("n".repeat(60_000), 100, 4)] {
            let many = throw(&route).repeat(throws);
            for _ in 0..rounds {
                for mut peer in fortress.greeted().await {
                    peer.send(&many).await;
                    peer.expect_served().await;
                }
            }
            fortress.logs(&format!("{FAILED} route=\"{}", &route[..7])).await;
            fortress.holds("throws to nowhere", 16 * MIB).await;
        }
    })
    .await;
}

/// Nobody waits for an answer: that a throw was not handled is told where it came to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throws_whose_handlers_fail_or_panic_are_told() {
    within(60, async {
        let fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.greeted().await {
            for (route, message) in [("fail", "as asked"), ("panic", "the handler panicked: as asked")] {
                peer.send(&throw(route)).await;
                peer.expect_served().await;
                fortress.logs(&format!("{FAILED} route=\"{route}\" error=\"{message}")).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_id_of_60_kib_is_refused() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.attackers().await {
            peer.send_hello(&"x".repeat(60_000)).await;
            assert_eq!(peer.expect_end().await.first(), Some(&4), "it was let in");
        }
        fortress.holds("a long client id", 4 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_gets_many_answers_that_are_more_than_may_wait() {
    within(60, async {
        let mut fortress = ServerFortress::start(limits()).await;
        let requests = message(r#"{"id": "1", "type": 1, "route": "large"}"#, b"null").repeat(64);
        for mut peer in fortress.greeted().await {
            peer.send(&requests).await;
            for _ in 0..64 {
                assert_eq!(peer.message().await.1.len(), 256 * 1024 + 2);
            }
        }
        fortress.holds("many large answers", 16 * MIB).await;
    })
    .await;
}
