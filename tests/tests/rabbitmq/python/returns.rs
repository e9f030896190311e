//! A client goes away and comes back under its id, perhaps in the other language, and gets what waited for it.

use std::time::Duration;

use communica_tests::{Language, Peer, Role, in_time};
use serde_json::json;

use super::{notices_soon, usual, works};

use Language::{Python, Rust};

macro_rules! returns {
    ($($name:ident: $away:ident, $server:ident, $first:ident, $second:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            in_time($away($server, $first, $second)).await;
        }
    )*};
}

// Python comes back to Python only after a goodbye: see `end_former_link` of our client.
returns! {
    to_rust_after_python_was_killed_comes_python: killed, Rust, Python, Python;
    to_rust_after_python_was_killed_comes_rust: killed, Rust, Python, Rust;
    to_rust_after_rust_was_killed_comes_python: killed, Rust, Rust, Python;
    to_python_after_rust_was_killed_comes_rust: killed, Python, Rust, Rust;
    to_python_after_python_was_killed_comes_rust: killed, Python, Python, Rust;
    to_rust_after_python_closed_comes_python: closed, Rust, Python, Python;
    to_python_after_rust_closed_comes_rust: closed, Python, Rust, Rust;
    to_python_after_rust_closed_comes_python: closed, Python, Rust, Python;
    to_rust_while_it_has_python_comes_python: taken_over, Rust, Python, Python;
    to_rust_while_it_has_python_comes_rust: taken_over, Rust, Python, Rust;
    to_rust_while_it_has_rust_comes_python: taken_over, Rust, Rust, Python;
}

/// What is sent at once waits at the broker. Ours notices after a while, and what is sent then waits at ours.
async fn killed(server: Language, first: Language, second: Language) {
    let stage = usual().listening_period(Duration::from_millis(1500));
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(first, Role::Client).await;
    works(&server).await;
    client.kill().await;
    throw(&server, 0..20).await;
    let ((), ()) = tokio::join!(ask(&server, 0..10), async {
        if server.language == Rust {
            notices_soon(&server).await;
            throw(&server, 20..40).await;
        }
        let ((), client) = tokio::join!(ask(&server, 10..20), stage.start(second, Role::Client));
        let last = if server.language == Rust { 40 } else { 20 };
        expect(&client, 0..last).await;
        works(&client).await;
        works(&server).await;
    });
}

/// Both servers know that it is gone.
async fn closed(server: Language, first: Language, second: Language) {
    let stage = usual();
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(first, Role::Client).await;
    works(&server).await;
    client.close().await;
    notices_soon(&server).await;
    let ((), (), client) =
        tokio::join!(throw(&server, 0..20), ask(&server, 0..10), stage.start(second, Role::Client));
    expect(&client, 0..20).await;
    works(&client).await;
    works(&server).await;
}

/// The server does not know yet that it is gone, and is still busy with what it threw.
async fn taken_over(server: Language, first: Language, second: Language) {
    let stage = usual();
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(first, Role::Client).await;
    throw(&client, 0..10).await;
    for number in 10..15 {
        client.throw("hang", number).await;
    }
    works(&client).await;
    client.kill().await;
    let client = stage.start(second, Role::Client).await;
    throw(&client, 15..25).await;
    works(&client).await;
    expect(&server, 0..25).await;
    works(&server).await;
}

async fn throw(from: &Peer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        from.throw("note", number).await;
    }
}

async fn expect(at: &Peer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(at.next_note().await, number, "in the order in which they were sent, and once");
    }
}

/// One after the other: to have asked is to wait for the answer.
async fn ask(server: &Peer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(server.request("double", number).await, Ok(json!(number * 2)));
    }
}
