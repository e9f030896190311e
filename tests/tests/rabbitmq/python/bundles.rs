//! What ours sent to ours in bundles, when one of theirs takes the peer's place.

use std::time::Duration;

use communica::{RmqConnector, RouteClient, RouteServer, RouteTable};
use communica_tests::{Language, Role, Stage, in_time};

use crate::over_rabbitmq::raw::{Raw, Tap};
use crate::over_rabbitmq::support::{eventually, queue as named, request_in, shared};

use super::usual;

const CALLS: i64 = 400;
/// Theirs is started meanwhile.
const TIME: Duration = Duration::from_secs(50);

/// Where the stage's sides meet, for a side in this process, which is slow to notice that the other is gone.
fn here(stage: &Stage) -> RmqConnector {
    let connector = RmqConnector::load_state(&stage.connector()).expect("a state");
    connector.check_period(Duration::from_secs(5)).listening_period(Duration::from_secs(20))
}

/// Requests, one of which has to wait for the others of its write.
async fn hold_bundles(raw: &mut Raw, queue: &str) {
    eventually("all are at the broker", async || raw.messages(queue, "double").await == CALLS as usize).await;
    let waiting = raw.waiting(queue).await.expect("it is there");
    assert!(i64::from(waiting) < CALLS, "{waiting}: each of them is one of the broker's");
}

#[tokio::test]
async fn requests_in_bundles_are_answered_by_the_python_server_that_comes_after() {
    in_time(async {
        let stage = usual();
        let server = stage.start(Language::Rust, Role::Server).await;
        let client = RouteClient::connect(here(&stage)).await.unwrap();
        let queue = named(&here(&stage), "toServer.w1");
        server.kill().await;
        let mut raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue).await;
        let calls: Vec<_> = (0..CALLS)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move { request_in(TIME, &client, "double", number).await })
            })
            .collect();
        hold_bundles(&mut raw, &queue).await;
        let knocks = Tap::on(&named(&here(&stage), "connect.server")).await;
        let _server = stage.start(Language::Python, Role::Server).await;
        // However often it knocked while nobody listened.
        knocks.types().await;
        for (number, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap().unwrap(), number * 2);
        }
        // It would have hung up at each bundle.
        assert!(knocks.types().await.len() < 5);
    })
    .await;
}

#[tokio::test]
async fn requests_in_bundles_are_answered_by_the_python_client_that_comes_after() {
    in_time(async {
        let stage = usual();
        let server = RouteServer::new(here(&stage), RouteTable::new()).start().await.unwrap();
        let client = stage.start(Language::Rust, Role::Client).await;
        let peer = server.peer("w1").await;
        let queue = named(&here(&stage), "toClient.w1");
        client.kill().await;
        let mut raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue).await;
        let calls: Vec<_> = (0..CALLS)
            .map(|number| {
                let peer = peer.clone();
                tokio::spawn(async move { peer.request::<_, i64>("double", &number).await })
            })
            .collect();
        hold_bundles(&mut raw, &queue).await;
        let knocks = Tap::on(&named(&here(&stage), "connect.server")).await;
        let _client = stage.start(Language::Python, Role::Client).await;
        for (number, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap().unwrap(), number * 2);
        }
        assert!(knocks.types().await.len() < 5);
    })
    .await;
}
