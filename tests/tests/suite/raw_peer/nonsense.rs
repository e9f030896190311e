//! What no peer should send goes to a process of its own, in both directions: the connection ends with a reason in the
//! log, and nothing else happens.

use super::fortress::{ClientFortress, MIB, ServerFortress, limits};
use super::peer::{chunk, frame, message};
use crate::support::within;

const ECHO: &str = r#"{"id": "c", "type": 1, "route": "echo"}"#;

/// What is sent, and what the log says of it.
fn fatal() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let beyond = |code: u8, at: usize| {
        let mut bytes = if code == 10 { message(ECHO, b"1") } else { chunk(0, 1, ECHO, b"1") };
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        bytes
    };
    let pad = |size: usize| format!(r#"{{"id": "c", "type": 1, "x": "{}"}}"#, "x".repeat(size));
    let nested = format!(r#"{{"id": "c", "type": 1, "x": {}"#, "[".repeat(60_000));
    let objects = format!(r#"{{"id": "c", "type": 1, "x": {}"#, "{\"a\":".repeat(12_000));
    vec![
        ("4 GiB", vec![255, 255, 255, 255, 10], "4294967295 bytes"),
        ("4 GiB in a chunk", vec![255, 255, 255, 255, 11], "4294967295 bytes"),
        ("4 GiB of goodbye", vec![255, 255, 255, 255, 20], "4294967295 bytes"),
        ("zero", vec![0, 0, 0, 0], "length 0"),
        ("unknown code", frame(99, b"x"), "unknown code 99"),
        ("M outside", beyond(10, 5), "ends after the frame"),
        ("metadata of a chunk outside", beyond(11, 13), "ends after the frame"),
        ("not JSON", message("not JSON", b"1"), "metadata that is not"),
        ("not text", frame(10, &[0, 0, 0, 6, 255, 255]), "not UTF-8"),
        ("1 MiB of metadata", message(&pad(MIB), b"1"), "bytes of metadata"),
        ("1 MiB of metadata in a chunk", chunk(0, 2, &pad(MIB), b"1"), "bytes of metadata"),
        ("deep arrays", message(&nested, b"1"), "nested too deeply"),
        ("deep objects", message(&objects, b"1"), "nested too deeply"),
        ("huge type", message(r#"{"id": "c", "type": 1e999}"#, b"1"), "an integer was expected"),
        (
            "long type",
            message(&format!(r#"{{"id": "c", "type": {}}}"#, "9".repeat(60_000)), b"1"),
            "an integer",
        ),
        (
            "chunks out of order",
            [chunk(0, 3, ECHO, b"1"), chunk(2, 3, "", b"1")].concat(),
            "missing or came twice",
        ),
        ("a chunk beyond the total", [chunk(0, 2, ECHO, b"1"), chunk(9, 2, "", b"1")].concat(), "missing or"),
        ("chunks mixed", [chunk(0, 3, ECHO, b"1"), chunk(0, 2, ECHO, b"1")].concat(), "before the last one"),
        ("a total of 0", chunk(0, 0, ECHO, b"1"), "0 chunks"),
        ("a total that changes", [chunk(0, 3, ECHO, b"1"), chunk(1, u32::MAX, "", b"1")].concat(), "changed"),
    ]
}

/// What is dropped, or handled as it stands.
fn harmless() -> Vec<(&'static str, Vec<u8>)> {
    let number = "9".repeat(50_000);
    let metadata = |text: &str| message(text, b"1");
    vec![
        ("an unknown type", metadata(r#"{"id": "c", "type": 77}"#)),
        ("an answer to nobody", metadata(r#"{"id": "0123456789abcdef0-0", "type": 11}"#)),
        ("an error to nobody", metadata(r#"{"id": "", "type": 30}"#)),
        ("keys twice", metadata(r#"{"id": "a", "type": 2, "id": "b", "type": 11, "type": 2}"#)),
        ("a long number", metadata(&format!(r#"{{"id": "c", "type": 2, "n": {number}}}"#))),
        ("a huge number", metadata(r#"{"id": "c", "type": 2, "n": -1e99999}"#)),
        ("an endless time", metadata(r#"{"id": "c", "type": 2, "timeout_ms": 18446744073709551615}"#)),
        ("half a surrogate", metadata(r#"{"id": "\ud800", "type": 2, "route": "\ud800"}"#)),
        ("a chunk without a first", chunk(7, 9, "", b"1")),
        ("a total of 2^32 - 1", [chunk(0, u32::MAX, ECHO, b"1"), chunk(1, u32::MAX, "", b"1")].concat()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_the_connection_of_a_client_that_speaks_nonsense() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for (what, bytes, logged) in fatal() {
            for mut peer in fortress.greeted().await {
                peer.expect_served().await;
                peer.send(&bytes).await;
                let said = peer.expect_end().await;
                assert_eq!(said.get(4), Some(&20), "{what}: it ended without a reason");
            }
            fortress.logs(logged).await;
            fortress.holds(what, 8 * MIB).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_leaves_a_server_that_speaks_nonsense_and_comes_back() {
    within(90, async {
        let mut fortress = ClientFortress::start(limits()).await;
        for (what, bytes, logged) in fatal() {
            let mut peer = fortress.greeted().await;
            peer.send(&bytes).await;
            let said = peer.expect_end().await;
            assert!(said.windows(8).any(|words| words == b"\"reason\""), "{what}: it ended without a reason");
            fortress.logs(logged).await;
        }
        let _next = fortress.greeted().await;
        fortress.holds("nonsense", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_means_nothing_is_dropped_and_the_connection_goes_on() {
    within(90, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for (what, bytes) in harmless() {
            for mut peer in fortress.greeted().await {
                peer.send(&bytes).await;
                peer.expect_served().await;
            }
            fortress.holds(what, 8 * MIB).await;
        }
        let mut fortress = ClientFortress::start(limits()).await;
        let mut peer = fortress.greeted().await;
        for (what, bytes) in harmless() {
            // Chunks of two messages would be mixed.
            if what.starts_with("a total") {
                drop(peer);
                peer = fortress.greeted().await;
            }
            peer.send(&bytes).await;
            peer.answer_one().await;
        }
        peer.message().await;
        fortress.holds("what means nothing", 8 * MIB).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_one_id_are_two_requests() {
    within(30, async {
        let mut fortress = ServerFortress::start(limits()).await;
        for mut peer in fortress.greeted().await {
            peer.send(&[message(ECHO, b"1"), message(ECHO, b"2")].concat()).await;
            let mut answers = [peer.message().await.1, peer.message().await.1];
            answers.sort();
            assert_eq!(answers, [b"1", b"2"]);
        }
        fortress.holds("one id", 4 * MIB).await;
    })
    .await;
}
