//! One side is killed and starts again; the other finds it, and calls work as before.

use std::time::Duration;

use communica_tests::{Entity, Format, Language, Peer, Road, Role, Stage, in_time};
use serde_json::json;
use tokio::time::timeout;

use Language::{Python, Rust};

async fn works(asker: &Peer) {
    assert_eq!(asker.request("double", 21).await, Ok(json!(42)));
    let relayed = json!({"name": "echo", "data": "и обратно"});
    assert_eq!(asker.request("relay", relayed).await, Ok(json!("и обратно")));
}

/// The client stays and connects again by itself.
async fn server_restarts(road: Road, server: Language, client: Language) {
    let stage = Stage::new(road, Entity::Route, Format::Orjson);
    let mut running = stage.start(server, Role::Server).await;
    let client = stage.start(client, Role::Client).await;
    works(&client).await;
    for _ in 0..2 {
        running.kill().await;
        client.tell("disconnected", json!({})).await;
        running = stage.start(server, Role::Server).await;
        works(&client).await;
        works(&running).await;
    }
}

/// The server stays and knows the client by its id.
async fn client_restarts(road: Road, server: Language, client: Language) {
    let stage = Stage::new(road, Entity::Route, Format::Orjson);
    let server = stage.start(server, Role::Server).await;
    let mut running = stage.start(client, Role::Client).await;
    works(&server).await;
    for _ in 0..2 {
        running.kill().await;
        running = stage.start(client, Role::Client).await;
        works(&running).await;
        works(&server).await;
    }
}

macro_rules! restarts {
    ($($name:ident: $what:ident, $road:ident, $server:ident, $client:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            in_time($what(Road::$road, $server, $client)).await;
        }
    )*};
}

restarts! {
    local_python_server_restarts: server_restarts, Local, Python, Rust;
    local_rust_server_restarts: server_restarts, Local, Rust, Python;
    local_python_client_restarts: client_restarts, Local, Rust, Python;
    local_rust_client_restarts: client_restarts, Local, Python, Rust;
    tcp_python_server_restarts: server_restarts, Tcp, Python, Rust;
    tcp_rust_server_restarts: server_restarts, Tcp, Rust, Python;
    tcp_python_client_restarts: client_restarts, Tcp, Rust, Python;
    tcp_rust_client_restarts: client_restarts, Tcp, Python, Rust;
}

/// Far more than it takes to notice that a process is gone, far less than a test may take.
const SOON: Duration = Duration::from_secs(10);

/// The handler of a call runs, then its process ends in some way. The call must end, and not hang.
async fn call_in_flight(asker: &Peer, asked: Peer, end: impl AsyncFnOnce(Peer)) {
    let call = timeout(SOON, asker.request("hang", "started"));
    let (ended, ()) = tokio::join!(call, async {
        assert_eq!(asked.next_note().await, "started");
        end(asked).await;
    });
    let failure = ended.expect("the call ends soon").unwrap_err();
    assert_eq!(failure.kind, "MayHaveRun", "{failure:?}");
}

#[tokio::test]
async fn a_call_to_a_killed_python_server_ends() {
    in_time(async {
        let stage = Stage::usual();
        let server = stage.start(Python, Role::Server).await;
        let client = stage.start(Rust, Role::Client).await;
        call_in_flight(&client, server, Peer::kill).await;
        let _back = stage.start(Python, Role::Server).await;
        works(&client).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_to_a_killed_python_client_ends() {
    in_time(async {
        let stage = Stage::usual();
        let server = stage.start(Rust, Role::Server).await;
        let client = stage.start(Python, Role::Client).await;
        call_in_flight(&server, client, Peer::kill).await;
        let _back = stage.start(Python, Role::Client).await;
        works(&server).await;
    })
    .await;
}

/// A side that closes on purpose says so to the other.
#[tokio::test]
async fn calls_to_a_python_side_that_closes_end() {
    in_time(async {
        let stage = Stage::usual();
        let server = stage.start(Python, Role::Server).await;
        let client = stage.start(Rust, Role::Client).await;
        call_in_flight(&client, server, Peer::close).await;

        let stage = Stage::usual();
        let server = stage.start(Rust, Role::Server).await;
        let client = stage.start(Python, Role::Client).await;
        call_in_flight(&server, client, Peer::close).await;
    })
    .await;
}
