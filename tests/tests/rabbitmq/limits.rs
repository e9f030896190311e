//! Settings of the connector and its bounds: what each promises.

use std::collections::BTreeSet;
use std::time::Duration;

use communica::{Context, Error, Outcome, Reason, RmqConnector, RouteClient, RouteTable};
use communica_tests::broker::unique;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::Instant;

use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::raw::{Raw, Tap};
use crate::over_rabbitmq::support::{
    Calls, Gate, Notes, blocking, client, connect, desk, eventually, fresh, queue, request_in, serve, shared,
    within,
};

/// `depth` times: a handler calls its caller back before it answers.
fn ping_pong() -> RouteTable {
    RouteTable::new().route("nest", |cx: Context, depth: i64| async move {
        if depth == 0 {
            return Ok::<i64, Error>(0);
        }
        Ok(cx.peer().request::<_, i64>("nest", &(depth - 1)).await? + 10)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_nested_calls_pass_a_small_prefetch() {
    nested_calls_pass(100, 4).await;
}

/// More than all windows of the smallest size would let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_nested_calls_pass_the_smallest_prefetch() {
    nested_calls_pass(500, 1).await;
}

async fn nested_calls_pass(calls: usize, prefetch: u16) {
    const DEPTH: i64 = 4;
    within(60, async {
        let connector = fresh("nested").await.prefetch(prefetch);
        let _server = serve(&connector, ping_pong()).await;
        let client = client(&connector, "w1").routes(ping_pong()).connect().await.unwrap();
        let calling: Vec<_> = (0..calls)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.request::<_, i64>("nest", &DEPTH).await })
            })
            .collect();
        for call in calling {
            assert_eq!(call.await.unwrap().unwrap(), DEPTH * 10);
        }
    })
    .await;
}

/// While they all wait, so that one window after the other has to be opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_start_in_the_order_of_sending_over_many_windows() {
    within(60, async {
        let (connector, gate) = (fresh("order").await.prefetch(2), Gate::shut());
        let (noted, mut notes) = Notes::new();
        let held = gate.clone();
        let routes = RouteTable::new().route("note", move |number: i64| {
            noted.send(number).unwrap_or_default();
            let held = held.clone();
            async move { held.pass().await }
        });
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        for number in 0..60 {
            client.throw("note", &number).await.unwrap();
        }
        assert_eq!(notes.take(60).await, (0..60).collect::<Vec<_>>());
        gate.open();
        for number in 60..1000 {
            client.throw("note", &number).await.unwrap();
        }
        assert_eq!(notes.take(940).await, (60..1000).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_time_passed_while_no_server_was_there_is_not_handled() {
    within(60, async {
        let (connector, gate) = (fresh("expired").await.check_period(Duration::from_secs(60)), Gate::shut());
        let server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        drop(server);
        let mut raw = Raw::connect(&shared().await.url()).await;
        let queue = queue(&connector, "toServer.w1");
        raw.has_no_consumer(&queue).await;
        let time = Duration::from_millis(1500);
        let since = Instant::now();
        let late = tokio::spawn({
            let client = client.clone();
            async move { request_in(time, &client, "hold", 1).await }
        });
        eventually("it is at the broker", async || raw.waiting(&queue).await == Some(1)).await;
        let ended = late.await.unwrap();
        assert!(matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{ended:?}");
        assert!(since.elapsed() < time + Duration::from_secs(10), "it took {:?}", since.elapsed());
        client.throw("note", &2).await.unwrap();
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        drop(client);
        let _client = connect(&connector, "w1").await;
        assert_eq!(notes.take(1).await, [2]);
        assert!(notes.is_empty(), "it was handled");
    })
    .await;
}

/// All that the broker delivers ahead is being handled, so that nothing more comes, not even a word of the server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_took_all_it_may_does_not_miss_its_server() {
    const PREFETCH: i64 = 4;
    within(60, async {
        let connector = fresh("full").await.prefetch(4);
        let server = serve(&connector, RouteTable::new()).await;
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let limits = communica::Limits::new().running(3).waiting(1, 1 << 20);
        let _client = client(&connector, "w1").routes(routes).limits(limits).connect().await.unwrap();
        let peer = server.peer("w1").await;
        let knocks = Tap::on(&queue(&connector, "connect.server")).await;
        for number in 0..PREFETCH {
            peer.throw("hold", &number).await.unwrap();
        }
        assert_eq!(notes.take(3).await, [0, 1, 2]);
        // The client hears nothing for longer than it bears: one and a half times the period of half a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate.open();
        for number in PREFETCH..2 * PREFETCH {
            peer.throw("hold", &number).await.unwrap();
        }
        assert_eq!(notes.take(5).await, (3..8).collect::<Vec<_>>());
        // And it goes on hearing.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(knocks.types().await.is_empty(), "it connected anew");
    })
    .await;
}

/// Calls made while nobody is connected end in time, too, and are never sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_time_passed_without_a_connection_is_not_sent() {
    within(60, async {
        let (connector, gate) = (fresh("unsent").await, Gate::shut());
        let server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        drop(server);
        eventually("the client sees the server go", async || !client.is_connected()).await;
        let ended = request_in(Duration::from_millis(300), &client, "hold", 1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { .. }))), "{ended:?}");
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        client.throw("note", &2).await.unwrap();
        assert_eq!(notes.take(1).await, [2]);
    })
    .await;
}

/// Longer than the broker lets a message wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_may_take_a_hundred_years() {
    within(60, async {
        let (connector, gate) = (fresh("patient").await, Gate::shut());
        let limits = communica::Limits::new().handshake_time(Duration::from_secs(100 * 365 * 24 * 60 * 60));
        let _server = serve(&connector, desk(&gate).0).await;
        let client = client(&connector, "w1").limits(limits).connect().await.unwrap();
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_may_be_as_rare_as_can_be() {
    within(60, async {
        let connector = fresh("rare").await.listening_period(Duration::MAX).check_period(Duration::MAX);
        let _server = serve(&connector, desk(&Gate::shut()).0).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
    })
    .await;
}

/// What a handshake needs, for an attempt that ends before anybody reads there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_handshakes_do_not_stay_unread() {
    within(60, async {
        let exchange = unique("handshakes");
        let connector = fresh("expire").await.exchange(&exchange);
        let _server = serve(&connector, desk(&Gate::shut()).0).await;
        let _client = connect(&connector, "w1").await;
        let listed = blocking(|| {
            let broker = communica_tests::broker::shared();
            (
                broker.ctl(&["list_bindings", "source_name", "destination_name"]),
                broker.ctl(&["list_queues", "name", "arguments"]),
            )
        });
        let (bindings, queues) = listed.await;
        let bound = bindings.lines().filter_map(|line| line.strip_prefix(&format!("{exchange}\t")));
        // Under more than one name, some of them.
        let own: BTreeSet<_> = bound.filter(|queue| queue.starts_with("amq.gen")).collect();
        // Of the server: for news, and for this client; and of the client.
        assert_eq!(own.len(), 3, "{bindings}");
        for name in own {
            let queue = queues.lines().find(|line| line.starts_with(name)).expect("it is there");
            assert!(queue.contains("x-expires"), "{queue}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleanup_drops_queues_and_what_waits_in_them() {
    within(60, async {
        let (connector, gate) = (fresh("cleanup").await.work_queue(), Gate::shut());
        let server = serve(&connector, desk(&gate).0).await;
        connect(&connector, "w1").await.close().await;
        server.stop().await;
        let mut raw = Raw::connect(&shared().await.url()).await;
        let of_client = ["toServer.w1", "toClient.w1"].map(|name| queue(&connector, name));
        let of_servers = ["connect.server", "work"].map(|name| queue(&connector, name));
        for queue in of_client.iter().chain(&of_servers) {
            assert!(raw.waiting(queue).await.is_some(), "{queue} is not there");
        }
        connector.clone().client_id("w1").cleanup().await.unwrap();
        for queue in &of_client {
            assert_eq!(raw.waiting(queue).await, None, "{queue}");
        }
        assert!(raw.waiting(&of_servers[0]).await.is_some());
        connector.cleanup().await.unwrap();
        for queue in &of_servers {
            assert_eq!(raw.waiting(queue).await, None, "{queue}");
        }
        // A second time is no mistake.
        connector.cleanup().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_of_another_name_is_used_by_both() {
    within(60, async {
        let (connector, gate) = (fresh("exchange").await.exchange("post-office"), Gate::shut());
        let _server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..5).are_answered().await;
        let raw = Raw::connect(&shared().await.url()).await;
        let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let kind = lapin::ExchangeKind::Direct;
        let found =
            raw.channel.exchange_declare("post-office".into(), kind, passive, FieldTable::default()).await;
        found.expect("the exchange is there");
        let loaded = RmqConnector::load_state(&connector.dump_state()).unwrap();
        let another = connect(&loaded, "w2").await;
        Calls::start(&another, "times_ten", 0..5).are_answered().await;
        // The virtual host `/` by its other spelling.
        let spelt = RmqConnector::load_state(&connector.dump_state().replace("/%2f", "/")).unwrap();
        assert_ne!(spelt, connector);
        Calls::start(&connect(&spelt, "w3").await, "times_ten", 0..5).are_answered().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_may_have_224_characters_and_no_more() {
    within(60, async {
        let (url, gate) = (shared().await.url(), Gate::shut());
        let address = unique("long");
        let connector = RmqConnector::new(&url, &address);
        let _server = serve(&connector, desk(&gate).0).await;
        let longest = "x".repeat(224 - address.len());
        let client = connect(&connector, &longest).await;
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
        let since = Instant::now();
        let ended = self::client(&connector, &format!("{longest}x")).connect().await;
        let ended = ended.expect_err("it is too long").to_string();
        assert!(ended.contains("224") && ended.contains("225"), "{ended}");
        assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
        let server = communica::RouteServer::new(RmqConnector::new(&url, "x".repeat(240)), desk(&gate).0);
        let ended = server.start().await.expect_err("it is too long").to_string();
        assert!(ended.contains("shorten"), "{ended}");
    })
    .await;
}

/// Without waiting for anything, whether or not there is a broker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_an_id_is_told_at_once() {
    shared().await;
    within(20, async {
        for url in ["amqp://guest:guest@127.0.0.1:1/%2f".to_owned(), shared().await.url()] {
            let since = Instant::now();
            let ended = RouteClient::connect(RmqConnector::new(url, "office")).await;
            let ended = ended.expect_err("it has no id").to_string();
            for way in [".client_id(\"…\")` of the client's builder", "RmqConnector::client_id"] {
                assert!(ended.contains(way), "{ended}");
            }
            assert!(since.elapsed() < Duration::from_secs(5), "it took {:?}", since.elapsed());
        }
    })
    .await;
}

/// Not by the server, not by the client, not by what they use, on any level, with a broker or without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_nowhere() {
    const SECRET: &str = "gEhe1mN1s";
    let broker = shared().await;
    within(60, async {
        blocking(|| {
            broker.ctl(&["add_user", "ada", SECRET]);
            broker.ctl(&["set_permissions", "ada", ".*", ".*", ".*"]);
        })
        .await;
        let connector = RmqConnector::new(broker.url_with("ada", SECRET, "/"), unique("secret"));
        let mut server = Builder::server(&connector, "server").with("log_all", true).start().await;
        let mut client = Builder::client(&connector, "w1").with("log_all", true).start().await;
        client.command("request - times_ten 1").await;
        assert_eq!(client.take("answer", 1).await, [1]);
        blocking(|| broker.ctl(&["delete_user", "ada"])).await;
        let close = "[rabbit_networking:close_connection(P, \"bye\") || P <- rabbit_networking:connections(), \
                     proplists:get_value(user, rabbit_reader:info(P, [user])) =:= <<\"ada\">>].";
        blocking(move || broker.ctl(&["eval", close])).await;
        for desk in [&server, &client] {
            eventually("the loss is noticed", async || desk.log().contains("refused the user")).await;
        }
        let handle = serve(&RmqConnector::new(broker.url(), unique("secret")), RouteTable::new()).await;
        let debug = format!("{connector:?} {handle:?}").replace(":guest@", SECRET);
        let decimal = SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        for text in [server.log(), client.log(), debug] {
            assert!(!text.is_empty());
            let line = text.lines().find(|line| line.contains(SECRET));
            assert_eq!(line, None, "the password is told");
            // The docs of the connector tell of this target.
            let told = |line: &&str| line.contains(&decimal) && !line.starts_with("TRACE lapin::io_loop ");
            assert_eq!(text.lines().find(told), None, "the password is told byte for byte");
        }
        assert!(connector.dump_state().contains(SECRET), "the state string needs it");
        server.command("stop").await;
    })
    .await;
}

/// A call that ended without an answer says what may be true of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_a_client_ends_its_calls() {
    within(60, async {
        let (connector, gate) = (fresh("ends").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let calls = Calls::start(&client, "hold", 0..5);
        notes.take(5).await;
        client.close().await;
        for ended in calls.ends().await {
            assert_eq!(ended.expect_err("nobody answered").outcome(), Outcome::MayHaveRun);
        }
    })
    .await;
}
