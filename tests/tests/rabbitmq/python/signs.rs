//! Servers that say now and then that they are there, and what their clients do when they do not.

use std::time::{Duration, Instant};

use communica_tests::{Language, Role, in_time};

use super::spy::Spy;
use super::{notices_soon, usual, works};

use Language::{Python, Rust};

/// Between two signs. A client that hears nothing for one and a half times as long gives the link up.
const PERIOD: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_python_client_stays_with_an_idle_rust_server() {
    in_time(an_idle_link_lives_on(Rust, Python)).await;
}

#[tokio::test]
async fn a_rust_client_stays_with_an_idle_python_server() {
    in_time(an_idle_link_lives_on(Python, Rust)).await;
}

async fn an_idle_link_lives_on(server: Language, client: Language) {
    let stage = usual().listening_period(PERIOD);
    let mut spy = Spy::on(&stage, &["connect.server", "toClient.w1"]).await;
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(client, Role::Client).await;
    assert_eq!(spy.next_type().await, "communica_client_connect");
    let connected = Instant::now();
    let signs = 5;
    for _ in 0..signs {
        assert_eq!(spy.next_type().await, "listening", "nobody connects anew");
    }
    let least = PERIOD.mul_f64(f64::from(signs) - 0.5);
    assert!(connected.elapsed() > least, "{signs} signs came within {:?}", connected.elapsed());
    works(&client).await;
    works(&server).await;
}

#[tokio::test]
async fn a_rust_client_gives_a_frozen_python_server_up() {
    in_time(a_frozen_server_is_given_up(Python, Rust)).await;
}

#[tokio::test]
async fn a_python_client_gives_a_frozen_rust_server_up() {
    in_time(a_frozen_server_is_given_up(Rust, Python)).await;
}

/// To the broker it is alive: only its silence tells.
async fn a_frozen_server_is_given_up(server: Language, client: Language) {
    let stage = usual().listening_period(PERIOD);
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(client, Role::Client).await;
    works(&client).await;
    server.freeze();
    notices_soon(&client).await;
    server.thaw();
    works(&client).await;
    works(&server).await;
}

/// Its silence would tell after 30 s; the broker tells at once that nobody listens any more.
#[tokio::test]
async fn a_rust_client_notices_that_a_python_server_was_killed() {
    in_time(async {
        let stage = usual();
        let server = stage.start(Python, Role::Server).await;
        let client = stage.start(Rust, Role::Client).await;
        works(&client).await;
        server.kill().await;
        notices_soon(&client).await;
        let next = stage.start(Python, Role::Server).await;
        works(&client).await;
        works(&next).await;
    })
    .await;
}

#[tokio::test]
async fn a_python_client_goes_to_the_next_rust_server() {
    in_time(async {
        let stage = usual().listening_period(PERIOD);
        let server = stage.start(Rust, Role::Server).await;
        let client = stage.start(Python, Role::Client).await;
        works(&client).await;
        let next = stage.start(Rust, Role::Server).await;
        server.kill().await;
        notices_soon(&client).await;
        works(&client).await;
        works(&next).await;
    })
    .await;
}
