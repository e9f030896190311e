//! Python knows no limit: what it says above ours is refused alone, and everything else on the link goes on.

use std::pin::pin;
use std::time::Duration;

use communica_tests::{Entity, Failure, Format, Language, Peer, Road, Role, Stage, in_time};
use serde_json::json;
use tokio::time::timeout;

const LIMIT: usize = 64 * 1024;

/// Python is the client, then the server; it sends whole messages, then pieces.
async fn with_all(test: impl AsyncFn(&Peer, &Peer)) {
    for (server, client) in [(Language::Rust, Language::Python), (Language::Python, Language::Rust)] {
        for chunk_size in [None, Some(4096)] {
            let stage = Stage::new(Road::Local, Entity::Route, Format::Json).message_size(LIMIT);
            let stage = chunk_size.into_iter().fold(stage, Stage::chunk_size);
            let server = stage.start(server, Role::Server).await;
            let client = stage.start(client, Role::Client).await;
            match server.language {
                Language::Rust => test(&server, &client).await,
                Language::Python => test(&client, &server).await,
            }
            client.close().await;
            server.close().await;
        }
    }
}

fn assert_refused(failure: &Failure, beginning: &str) {
    let end = format!("bytes where {LIMIT} are allowed, see `Limits::message_size`");
    let message = &failure.message;
    assert_eq!(failure.kind, "RespError", "{message}");
    assert!(message.starts_with(beginning) && message.ends_with(&end), "{message}");
}

#[tokio::test]
async fn a_request_of_python_that_is_too_large_is_answered_with_an_error() {
    in_time(with_all(async |rust, python| {
        let mut beside = pin!(python.request("hang", "beside"));
        assert!(timeout(Duration::from_millis(1), &mut beside).await.is_err());
        assert_eq!(rust.next_note().await, "beside");
        for size in [LIMIT, 2 << 20] {
            let refused = python.request("echo", "x".repeat(size)).await.unwrap_err();
            assert_refused(&refused, "the request was not taken: it has ");
            python.throw("note", "x".repeat(size)).await;
            python.throw("note", "behind it").await;
            assert_eq!(rust.next_note().await, "behind it");
        }
        assert_eq!(python.request("echo", 5).await, Ok(json!(5)));
        let ended = timeout(Duration::ZERO, beside).await;
        assert!(ended.is_err(), "a call beside it ended: {ended:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_result_of_python_that_is_too_large_ends_its_own_call_alone() {
    in_time(with_all(async |rust, python| {
        let mut beside = pin!(rust.request("hang", "beside"));
        assert!(timeout(Duration::from_millis(1), &mut beside).await.is_err());
        assert_eq!(python.next_note().await, "beside");
        for lines in [LIMIT / 16, 1 << 17] {
            let refused = rust.request("lines", lines).await.unwrap_err();
            assert_refused(&refused, "the answer was not taken: it has ");
        }
        assert_eq!(rust.request("echo", 5).await, Ok(json!(5)));
        let ended = timeout(Duration::ZERO, beside).await;
        assert!(ended.is_err(), "a call beside it ended: {ended:?}");
    }))
    .await;
}
