//! A fault of the broker goes in; everything that was accepted is handled once all the same, and every call ends.

use std::time::Duration;

use communica::{Error, Reason, RmqConnector};
use communica_tests::broker::Broker;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::raw::Raw;
use crate::over_rabbitmq::support::{
    Calls, Gate, Traffic, blocking, client, connect, desk, eventually, fresh, queue, quick, rough, serve,
    shared, within,
};

/// With calls and throws both ways, in the middle of which the broker closes all connections, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_over_closed_connections() {
    let broker = shared().await;
    let url = vhost(broker, "closing").await;
    within(90, async {
        let traffic = Traffic::start(&url, "heartbeat=20", "closed").await;
        for _ in 0..2 {
            let close = ["close_all_connections", "--vhost", "closing", "by a test"];
            blocking(move || broker.ctl(&close)).await;
            traffic.flows().await;
        }
        traffic.arrives().await;
    })
    .await;
}

/// It has its data when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_over_a_killed_broker() {
    let (broker, _turn) = rough().await;
    within(90, async {
        let traffic = Traffic::start(&broker.url(), "heartbeat=20", "killed").await;
        blocking(|| broker.kill()).await;
        sleep(Duration::from_millis(500)).await;
        blocking(|| broker.restart()).await;
        traffic.flows().await;
        traffic.arrives().await;
    })
    .await;
}

/// Requests and throws in both directions that nobody had taken when the broker was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_at_a_killed_broker_is_handled_when_it_is_back() {
    let (broker, _turn) = rough().await;
    within(90, async {
        let gate = Gate::shut();
        gate.open();
        // Nobody looks whether the other is there: everything goes to the broker.
        let lazy = |connector: RmqConnector| connector.check_period(HOUR).listening_period(HOUR);
        let (servers, clients) = (lazy(quick(broker.url(), "kept")), lazy(quick(other_url(broker), "kept")));
        let raw = Raw::connect(&broker.url()).await;
        let ((routes, mut at_server), (other_routes, mut at_client)) = (desk(&gate), desk(&gate));

        let staying = serve(&servers, desk(&gate).0).await;
        let leaving = Builder::client(&clients, "w1").start().await;
        let peer = staying.peer("w1").await;
        leaving.kill().await;
        raw.has_no_consumer("communica.kept.toClient.w1").await;
        for number in 0..50 {
            peer.throw("note", &number).await.unwrap();
        }
        let (gone, alone) = (lazy(quick(broker.url(), "alone")), lazy(quick(other_url(broker), "alone")));
        let leaving = serve(&gone, desk(&gate).0).await;
        let client = connect(&alone, "w2").await;
        drop(leaving);
        raw.has_no_consumer("communica.alone.toServer.w2").await;
        let calls = Calls::start(&client, "hold", 0..50);
        for number in 100..150 {
            client.throw("note", &number).await.unwrap();
        }
        let held = ("communica.alone.toServer.w2", "hold");
        for (queue, route) in
            [("communica.kept.toClient.w1", "note"), ("communica.alone.toServer.w2", "note"), held]
        {
            eventually("all are at the broker", async || raw.messages(queue, route).await == 50).await;
        }
        blocking(|| broker.kill()).await;
        blocking(|| broker.restart()).await;

        let _server = serve(&gone, routes).await;
        calls.are_answered().await;
        let mut handled = at_server.take(100).await;
        handled.sort_unstable();
        assert_eq!(handled, (0..50).chain(100..150).collect::<Vec<_>>());
        let _client = crate::over_rabbitmq::support::client(&clients, "w1")
            .routes(other_routes)
            .connect()
            .await
            .unwrap();
        assert_eq!(at_client.take(50).await, (0..50).collect::<Vec<_>>());
        assert!(at_server.is_empty() && at_client.is_empty(), "something was handled twice");
    })
    .await;
}

const HOUR: Duration = Duration::from_secs(3600);

/// Another connection than that of the plain URL.
fn other_url(broker: &Broker) -> String {
    format!("{}?heartbeat=18", broker.url())
}

/// Longer than the heartbeat: both sides give it up and find it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_over_a_frozen_broker() {
    let (broker, _turn) = rough().await;
    within(90, async {
        let traffic = Traffic::start(&broker.url(), "heartbeat=2", "frozen").await;
        blocking(|| broker.freeze()).await;
        sleep(Duration::from_secs(7)).await;
        broker.thaw();
        traffic.flows().await;
        traffic.arrives().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_over_a_memory_alarm() {
    let (broker, _turn) = rough().await;
    within(90, async {
        let traffic = Traffic::start(&broker.url(), "heartbeat=2", "alarm").await;
        blocking(|| broker.raise_memory_alarm()).await;
        let states = || broker.ctl(&["list_connections", "state"]);
        eventually("publishers are blocked", async || blocking(states).await.contains("blocked")).await;
        // Longer than two heartbeats.
        sleep(Duration::from_secs(5)).await;
        blocking(|| broker.clear_memory_alarm()).await;
        traffic.flows().await;
        traffic.arrives().await;
    })
    .await;
}

/// The broker closes the channel of a consumer that keeps a message for longer than it allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_slower_than_the_broker_allows_runs_once_and_answers() {
    let (broker, _turn) = rough().await;
    within(90, async {
        let before = broker.log_size();
        let set = "application:set_env(rabbit, channel_tick_interval, 200), \
                   application:set_env(rabbit, consumer_timeout, 1000).";
        blocking(move || broker.ctl(&["eval", set])).await;
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&quick(broker.url(), "slow"), routes).await;
        let client = connect(&quick(other_url(broker), "slow"), "w1").await;
        // Together they would go in a bundle, which is acknowledged as it comes, and the broker would wait for nothing.
        let mut calls = Vec::new();
        for number in 0..3 {
            calls.push(Calls::start(&client, "hold", number..number + 1));
            notes.take(1).await;
        }
        eventually("the broker closes the channel", async || {
            let log = blocking(move || broker.log_since(before)).await;
            log.lines().any(|line| line.contains("Consumer ") && line.contains("has timed out waiting for"))
        })
        .await;
        gate.open();
        for call in calls {
            call.are_answered().await;
        }
        assert!(notes.is_empty(), "a handler ran twice");
        let reset = "application:set_env(rabbit, channel_tick_interval, 60000), \
                     application:set_env(rabbit, consumer_timeout, 1800000).";
        blocking(move || broker.ctl(&["eval", reset])).await;
    })
    .await;
}

/// With other properties than ours, so that ours cannot be declared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_somebody_else_declared_keeps_out_its_client_alone() {
    within(60, async {
        let connector = fresh("taken").await;
        let raw = Raw::connect(&shared().await.url()).await;
        let queue = queue(&connector, "toServer.w1");
        raw.declare(&queue, false).await;
        let gate = Gate::shut();
        gate.open();
        let _server = serve(&connector, desk(&gate).0).await;
        let other = connect(&connector, "w2").await;
        let calls = Calls::start(&other, "hold", 0..20);
        let time = Duration::from_secs(2);
        let ended = client(&connector, "w1").connect_timeout(time).connect().await;
        assert!(matches!(ended, Err(Error::Connect { .. })), "{ended:?}");
        calls.are_answered().await;
        raw.delete(&queue).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "hold", 0..20).are_answered().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_though_the_servers_queue_was_deleted() {
    calls_survive_the_loss_of(&["toServer.w1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_though_the_clients_queue_was_deleted() {
    calls_survive_the_loss_of(&["toClient.w1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_though_both_queues_were_deleted() {
    calls_survive_the_loss_of(&["toServer.w1", "toClient.w1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_though_every_queue_was_deleted() {
    calls_survive_the_loss_of(&["connect.server", "toServer.w1", "toClient.w1"]).await;
}

/// Calls both ways are being handled when the queues go.
async fn calls_survive_the_loss_of(queues: &[&str]) {
    within(60, async {
        let connector = fresh("deleted").await;
        let raw = Raw::connect(&shared().await.url()).await;
        let gate = Gate::shut();
        let ((server_routes, mut at_server), (client_routes, mut at_client)) = (desk(&gate), desk(&gate));
        let server = serve(&connector, server_routes).await;
        let client = client(&connector, "w1").routes(client_routes).connect().await.unwrap();
        let to_server = Calls::start(&client, "hold", 0..20);
        let to_client = Calls::start(server.peer("w1").await, "hold", 20..40);
        at_server.take(20).await;
        at_client.take(20).await;
        for name in queues {
            raw.delete(&queue(&connector, name)).await;
        }
        gate.open();
        to_server.are_answered().await;
        to_client.are_answered().await;
        Calls::start(&client, "times_ten", 40..60).are_answered().await;
        let newcomer = connect(&connector, "w2").await;
        Calls::start(&newcomer, "times_ten", 0..20).are_answered().await;
    })
    .await;
}

/// Connecting ends in time and says why; so does listening. The password is not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told() {
    let url = shared().await.url_with("guest", "s3cret-and-wrong", "/");
    told(&url, &["refused the user `guest` or its password"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_virtual_host_is_told() {
    let url = shared().await.url_with("guest", "guest", "nowhere");
    told(&url, &["cannot be reached", "nowhere"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_there_is_told() {
    let port = communica_tests::scratch::free_port();
    told(&format!("amqp://guest:s3cret@127.0.0.1:{port}/%2f"), &["cannot be reached", "127.0.0.1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_an_address_is_told() {
    told("amqp://guest:s3cret@nowhere.invalid:5672/%2f", &["cannot be reached", "nowhere.invalid"]).await;
}

async fn told(url: &str, parts: &[&str]) {
    within(30, async {
        let connector = quick(url, "told");
        let gate = Gate::shut();
        let started = communica::RouteServer::new(connector.clone(), desk(&gate).0).start().await;
        let started = started.expect_err("it cannot listen");
        assert!(matches!(started, Error::Listen { .. }), "{started:?}");
        let since = Instant::now();
        let ended = client(&connector, "w1").connect_timeout(Duration::from_secs(3)).connect().await;
        let ended = ended.expect_err("it cannot connect");
        assert!(matches!(ended, Error::Connect { .. }), "{ended:?}");
        assert!(since.elapsed() < Duration::from_secs(15), "it took {:?}", since.elapsed());
        for error in [started, ended] {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3cret"), "{text}");
            let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
            assert!(missing.is_empty(), "{missing:?} is not in: {error}");
        }
    })
    .await;
}

/// However often it is tried, nothing is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_says_nothing_is_left_again() {
    within(60, async {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
        let limits = communica::Limits::new().handshake_time(Duration::from_millis(200));
        let _client = client(&quick(url, "silent"), "w1").limits(limits).start().unwrap();
        for _ in 0..3 {
            let (mut attempt, _) = silent.accept().await.unwrap();
            let mut said = Vec::new();
            attempt.read_to_end(&mut said).await.unwrap();
            assert!(said.starts_with(b"AMQP"), "{said:?}");
        }
    })
    .await;
}

/// A call that was made while there is no broker waits for it, and no longer than its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_broker_ends_in_time() {
    within(30, async {
        let port = communica_tests::scratch::free_port();
        let connector = quick(format!("amqp://guest:guest@127.0.0.1:{port}/%2f"), "nobody");
        let client = client(&connector, "w1").start().unwrap();
        let call = client.request::<_, i64>("times_ten", &1);
        let ended = tokio::time::timeout(Duration::from_secs(1), call).await;
        assert!(ended.is_err(), "a call without a time limit waits");
        let since = Instant::now();
        client.close().await;
        assert!(since.elapsed() < Duration::from_secs(20), "closing took {:?}", since.elapsed());
        let ended = client.request::<_, i64>("times_ten", &1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
    })
    .await;
}

/// A virtual host of one test.
async fn vhost(broker: &'static Broker, name: &'static str) -> String {
    blocking(move || {
        broker.ctl(&["add_vhost", name]);
        broker.ctl(&["set_permissions", "--vhost", name, "guest", ".*", ".*", ".*"]);
        broker.url_with("guest", "guest", name)
    })
    .await
}
