//! Links that end: one side closes, or the broker closes them all.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use communica_tests::broker::Broker;
use communica_tests::{Entity, Format, Language, Peer, Role, Stage, in_time};

use super::{notices_soon, usual, works};

use Language::{Python, Rust};

macro_rules! both_ways {
    ($what:ident, $rust_server:ident, $python_server:ident) => {
        #[tokio::test]
        async fn $rust_server() {
            in_time($what(Rust, Python)).await;
        }

        #[tokio::test]
        async fn $python_server() {
            in_time($what(Python, Rust)).await;
        }
    };
}

both_ways!(a_side_closes, a_python_client_and_a_rust_server_close, a_rust_client_and_a_python_server_close);
both_ways!(
    the_broker_closes_a_clients,
    a_python_client_alone_connects_again,
    a_rust_client_alone_connects_again
);
both_ways!(the_broker_closes_all, a_python_client_connects_again, a_rust_client_connects_again);

/// Nothing but the goodbye tells the other side so soon: signs of life are waited for much longer.
async fn a_side_closes(server: Language, client: Language) {
    let stage = usual().check_period(Duration::from_secs(60));
    let server = stage.start(server, Role::Server).await;
    let leaving = stage.start(client, Role::Client).await;
    works(&leaving).await;
    leaving.close().await;
    notices_soon(&server).await;

    let client = stage.start(client, Role::Client).await;
    works(&client).await;
    server.close().await;
    notices_soon(&client).await;
}

/// The server hears nothing of it before the client is there again.
async fn the_broker_closes_a_clients(server: Language, client: Language) {
    let broker = Broker::start();
    let stage = Stage::over(&broker, Entity::Route, Format::Orjson);
    let server = stage.start(server, Role::Server).await;
    let servers_own = broker.ctl(&["list_connections", "pid"]);
    let client = stage.start(client, Role::Client).await;
    for _ in 0..2 {
        works(&client).await;
        works(&server).await;
        let both = broker.ctl(&["list_connections", "pid"]);
        let clients = both.lines().filter(|pid| !servers_own.contains(pid)).collect::<Vec<_>>();
        assert_eq!(clients.len(), 1, "{both}");
        notices_that(&client, || broker.ctl(&["close_connection", clients[0], "a test"])).await;
    }
    works(&client).await;
    works(&server).await;
}

/// Python's server serves again only after 10 s.
async fn the_broker_closes_all(server: Language, client: Language) {
    let broker = Broker::start();
    let stage = Stage::over(&broker, Entity::Route, Format::Orjson);
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(client, Role::Client).await;
    works(&client).await;
    works(&server).await;
    notices_that(&client, || broker.ctl(&["close_all_connections", "a test"])).await;
    works(&client).await;
    works(&server).await;
}

/// It is asked before this is done: it may have connected again when that returns.
async fn notices_that(peer: &Peer, done: impl FnOnce() -> String) {
    let mut noticing = pin!(notices_soon(peer));
    poll_fn(|cx| {
        assert!(noticing.as_mut().poll(cx).is_pending(), "it is connected");
        Poll::Ready(())
    })
    .await;
    done();
    noticing.await;
}
