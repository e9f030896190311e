//! Servers that share a queue call their clients back while they work: whatever breaks meanwhile, nobody waits for ever.

use std::time::Duration;

use communica::{Context, Limits, RmqConnector, RouteServer, RouteServerHandle, RouteTable};
use communica_tests::broker;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::over_rabbitmq::cable::Cable;
use crate::over_rabbitmq::raw::{Raw, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, address, blocking, client, connect, desk, eventually, fresh, queue, quick, request_in,
    serve, shared, unsettled, within,
};

/// Asks the client, and answers with what that says.
fn back() -> RouteTable {
    let ask = |cx: Context, number: i64| async move { cx.peer().request::<_, i64>("hold", &number).await };
    RouteTable::new().route("back", ask)
}

/// What a server has for its end here, which takes a fraction of it, however busy the machine is.
const GRACE: Duration = Duration::from_secs(45);

async fn patient(connector: &RmqConnector) -> RouteServerHandle {
    RouteServer::new(connector.clone(), back()).grace(GRACE).start().await.expect("the server starts")
}

/// The client's connection is cut for so long while three servers wait for it. Servers are new in each round: work that was done twice
/// may still wait for a client that is gone, and then a server has no place left for more.
async fn clients_cut(time: Duration, rounds: usize) {
    let cable = Cable::to(shared().await).await;
    for _ in 0..rounds {
        let connector = fresh("clients-cut").await.work_queue().work_prefetch(1);
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(serve(&connector, back()).await);
        }
        let far = quick(cable.url(), address(&connector)).work_queue();
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let client = client(&far, "w1").routes(routes).connect().await.unwrap();
        let calls = Calls::start(&client, "back", 0..3);
        notes.take(3).await;
        cable.cut();
        eventually("the client sees it", async || !client.is_connected()).await;
        gate.open();
        sleep(time).await;
        cable.mend();
        calls.are_answered().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_outlast_a_short_loss_of_the_client() {
    within(60, clients_cut(Duration::from_millis(100), 5)).await;
}

/// Servers see meanwhile that nobody reads what they send, and let go of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_outlast_a_loss_of_the_client_that_servers_notice() {
    within(60, clients_cut(Duration::from_millis(1500), 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_outlast_a_loss_of_the_servers() {
    within(60, async {
        let cable = Cable::to(shared().await).await;
        // New servers each time, as above.
        for _ in 0..3 {
            let near = fresh("servers-cut").await.work_queue().work_prefetch(1);
            let far: RmqConnector = quick(cable.url(), address(&near)).work_queue().work_prefetch(1);
            let _servers = [serve(&far, back()).await, serve(&far, back()).await];
            let gate = Gate::shut();
            let (routes, mut notes) = desk(&gate);
            let client = client(&near, "w1").routes(routes).connect().await.unwrap();
            let calls = Calls::start(&client, "back", 0..2);
            notes.take(2).await;
            cable.cut();
            gate.open();
            sleep(Duration::from_millis(300)).await;
            cable.mend();
            calls.are_answered().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_waits_for_callbacks_and_their_answers_come() {
    within(60, async {
        let connector = fresh("stopping").await.work_queue().work_prefetch(1);
        // The client is connected to this one, which stays.
        let _home = serve(&connector, back()).await;
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let client = client(&connector, "w1").routes(routes).connect().await.unwrap();
        let (one, two) = (patient(&connector).await, patient(&connector).await);
        let calls = Calls::start(&client, "back", 0..3);
        notes.take(3).await;
        let since = Instant::now();
        let stopping = tokio::spawn(async move { tokio::join!(one.stop(), two.stop()) });
        sleep(Duration::from_millis(300)).await;
        gate.open();
        calls.are_answered().await;
        stopping.await.unwrap();
        assert!(since.elapsed() < GRACE, "stop used up its grace time");
    })
    .await;
}

/// What it waits for stands behind more requests than the broker delivers ahead, which a server that stops leaves to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_waits_for_callbacks_behind_many_requests() {
    within(60, async {
        let connector = fresh("behind").await.prefetch(2);
        let server = patient(&connector).await;
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let client = client(&connector, "w1").routes(routes).connect().await.unwrap();
        let calls = Calls::start(&client, "back", 0..1);
        notes.take(1).await;
        let since = Instant::now();
        let stopping = tokio::spawn(async move { server.stop().await });
        let raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue(&connector, "connect.server")).await;
        // Each is one of the broker's: those that share it have the same time limit.
        let _later: Vec<_> = (1..51)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    request_in(Duration::from_secs(1000 + number as u64), &client, "back", number).await
                })
            })
            .collect();
        let to_server = queue(&connector, "toServer.w1");
        eventually("all are at the broker", async || unsettled(&to_server).await > Some(50)).await;
        gate.open();
        calls.are_answered().await;
        stopping.await.unwrap();
        assert!(since.elapsed() < GRACE, "stop used up its grace time");
    })
    .await;
}

/// What was asked of it waits for a client that comes back, and no longer than the server remembers it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_does_not_keep_a_client_that_said_goodbye() {
    within(60, async {
        let connector = fresh("goodbye").await;
        let limits = Limits::new().forget_time(Duration::from_millis(300));
        let server = RouteServer::new(connector.clone(), back()).limits(limits).start().await.unwrap();
        let (routes, mut notes) = desk(&Gate::shut());
        let client = client(&connector, "w1").routes(routes).grace(Duration::from_millis(50));
        let client = client.connect().await.unwrap();
        let calls = Calls::start(&client, "back", 0..1);
        notes.take(1).await;
        client.close().await;
        assert!(calls.ends().await[0].is_err());
        eventually("the client is gone", async || server.peers().is_empty()).await;
        eventually("nothing is asked of it", async || server.inflight().is_empty()).await;
        let raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&queue(&connector, "toServer.w1")).await;
    })
    .await;
}

/// Also when its client is forgotten before it is done, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throw_that_outlasts_its_client_is_handled_once() {
    within(60, async {
        const FORGET: Duration = Duration::from_millis(300);
        let (connector, gate) = (fresh("outlasts").await, Gate::shut());
        let limits = Limits::new().forget_time(FORGET);
        let (routes, mut notes) = desk(&gate);
        let _server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let client = connect(&connector, "w1").await;
        client.throw("hold", &1).await.unwrap();
        notes.take(1).await;
        client.close().await;
        sleep(3 * FORGET).await;
        gate.open();
        let to_server = queue(&connector, "toServer.w1");
        eventually("nothing is left", async || unsettled(&to_server).await == Some(0)).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..1).are_answered().await;
        assert!(notes.is_empty(), "it was handled again");
    })
    .await;
}

/// Nothing waits for the client, so nothing is in the way of its answer, however long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_outlasts_its_client_is_answered_and_not_kept() {
    within(60, async {
        const FORGET: Duration = Duration::from_millis(300);
        let (connector, gate) = (fresh("outlasted").await, Gate::shut());
        let limits = Limits::new().forget_time(FORGET);
        let (routes, mut notes) = desk(&gate);
        let _server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let client = client(&connector, "w1").grace(Duration::ZERO).connect().await.unwrap();
        let asked = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("hold", &1).await }
        });
        notes.take(1).await;
        client.close().await;
        asked.await.unwrap().unwrap_err();
        sleep(3 * FORGET).await;
        gate.open();
        let to_server = queue(&connector, "toServer.w1");
        eventually("nothing is left", async || unsettled(&to_server).await == Some(0)).await;
        assert!(notes.is_empty(), "it was handled again");
    })
    .await;
}

/// Only the server that a client is connected to knows how much that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_too_large_for_its_client_is_refused_whichever_server_makes_it() {
    within(60, async {
        let connector = fresh("large").await.work_queue().work_prefetch(1);
        let ask = |cx: Context, _: i64| async move {
            let asked = cx.peer().request::<_, i64>("hold", &"x".repeat(100_000)).await;
            asked.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let routes = || RouteTable::new().route("back", ask);
        let _servers = [serve(&connector, routes()).await, serve(&connector, routes()).await];
        let limits = Limits::new().message_size(10_000);
        let client = client(&connector, "w1").limits(limits).connect().await.unwrap();
        for _ in 0..6 {
            let told: String = client.request("back", &1).await.unwrap();
            assert!(told.contains("bytes"), "{told}");
        }
    })
    .await;
}

/// It is known by its work alone, and what it does is not for those who never asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_waits_for_makes_no_peer() {
    within(60, async {
        let connector = fresh("strays").await.work_queue();
        let server = serve(&connector, back()).await;
        let _client = connect(&connector, "w1").await;
        eventually("the client is there", async || server.peers().len() == 1).await;
        let queue = queue_of_answers(&queue(&connector, "answers.")).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let mut headers = FieldTable::default();
        headers.insert("client".into(), AMQPValue::LongString("nobody".into()));
        let properties = typed("message").with_headers(headers);
        raw.publish(&queue, properties, &body(&json!({"id": "x", "type": 11}), &json!(1))).await;
        eventually("it is dropped", async || unsettled(&queue).await == Some(0)).await;
        assert_eq!(server.peers().len(), 1);
    })
    .await;
}

/// The one whose name begins so.
async fn queue_of_answers(prefix: &str) -> String {
    let list = blocking(|| broker::shared().ctl(&["list_queues", "name"])).await;
    list.lines().find(|line| line.starts_with(prefix)).expect("there is one").trim().to_owned()
}
