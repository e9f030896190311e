//! A server finds its clients: by id, whichever is there, or all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use communica::{
    Bytes, Context, Dump, Error, JsonSerializer, Load, MemoryConnector, Payload, Reason, ReqError,
    RouteClient, RouteTable, Serializer, SerializerError, SimpleClient, SimpleServer,
};
use serde_json::json;

use crate::support::{
    echo, eventually, hanging, memory_pair, memory_server, noting, request_in, soon, take, within,
};

async fn worker(connector: &MemoryConnector, id: &'static str) -> RouteClient {
    let routes = RouteTable::new().route("who", move |number: i64| {
        if id == "bad" { Err(ReqError::new("not me", number)) } else { Ok(id) }
    });
    RouteClient::builder(connector.clone()).routes(routes).client_id(id).connect().await.unwrap()
}

#[tokio::test]
async fn a_peer_by_id_waits_for_a_client_that_is_not_there_yet() {
    within(20, async {
        let (server, connector) = memory_server(RouteTable::new()).await;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { server.peer("w2").await.request::<_, String>("who", &1).await }
        });
        let _other = worker(&connector, "w1").await;
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "another client was taken for it");
        let _client = worker(&connector, "w2").await;
        assert_eq!(waiting.await.unwrap().unwrap(), "w2");
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_peer_is_told_when_the_server_stops() {
    within(20, async {
        let (server, _) = memory_server(RouteTable::new()).await;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { server.peer("w2").await.request::<_, String>("who", &1).await }
        });
        let any = tokio::spawn({
            let server = server.clone();
            async move { server.any_peer().request::<_, String>("who", &1).await }
        });
        tokio::task::yield_now().await;
        server.stop().await;
        for waiting in [waiting, any] {
            let ended = waiting.await.unwrap();
            assert!(matches!(ended, Err(Error::NotSent(_))), "{ended:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn any_peer_waits_for_one_and_then_is_one_that_is_connected() {
    within(20, async {
        let (server, connector) = memory_server(RouteTable::new()).await;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { server.any_peer().request::<_, String>("who", &1).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let first = worker(&connector, "w1").await;
        assert_eq!(waiting.await.unwrap().unwrap(), "w1");
        let _second = worker(&connector, "w2").await;
        first.close().await;
        eventually("the server sees the client go", || server.peers().len() == 1).await;
        for _ in 0..20 {
            assert_eq!(server.any_peer().request::<_, String>("who", &1).await.unwrap(), "w2");
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_that_waited_for_a_peer_is_told_the_limit_that_it_was_given() {
    within(20, async {
        let (server, connector) = memory_server(RouteTable::new()).await;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { request_in(soon(), &server, "hang", 1).await }
        });
        // A part of its time is over when somebody comes.
        tokio::time::sleep(soon() / 10).await;
        let (routes, mut entries) = hanging(RouteTable::new(), "hang");
        let _client = RouteClient::builder(connector).routes(routes).connect().await.unwrap();
        assert_eq!(take(&mut entries, 1).await, [1]);
        let ended = waiting.await.unwrap();
        assert!(
            matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { limit, .. })) if limit == soon()),
            "{ended:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_call_to_all_gives_each_ones_outcome() {
    within(20, async {
        let (server, connector) = memory_server(RouteTable::new()).await;
        assert!(server.all_peers().request::<_, String>("who", &1).await.is_empty());
        let mut clients = Vec::new();
        for id in ["w1", "bad", "w2"] {
            clients.push(worker(&connector, id).await);
        }
        eventually("all are connected", || server.peers().len() == 3).await;
        let outcomes = server.all_peers().request::<_, String>("who", &9).await;
        let mut outcomes: HashMap<_, _> = outcomes.into_iter().collect();
        assert_eq!(outcomes.len(), 3);
        assert_eq!(outcomes.remove("w1").unwrap().unwrap(), "w1");
        assert_eq!(outcomes.remove("w2").unwrap().unwrap(), "w2");
        match outcomes.remove("bad").unwrap() {
            Err(Error::Req(error)) => assert_eq!(error.code(), Some(9)),
            other => panic!("{other:?}"),
        }
        let thrown = server.all_peers().throw("who", &9).await;
        assert!(thrown.len() == 3 && thrown.iter().all(|(_, outcome)| outcome.is_ok()), "{thrown:?}");
    })
    .await;
}

/// JSON that counts what it dumps.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Serializer for Counting {
    const NAME: &'static str = JsonSerializer::NAME;
}

impl<T: ?Sized> Dump<T> for Counting
where
    JsonSerializer: Dump<T>,
{
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        JsonSerializer.dump(value)
    }
}

impl<'de, T> Load<'de, T> for Counting
where
    JsonSerializer: Load<'de, T>,
{
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        JsonSerializer.load(payload)
    }
}

/// What is sent to many is large sometimes, and then they share it.
#[tokio::test]
async fn what_goes_to_all_is_dumped_once() {
    within(20, async {
        let (server, connector) = memory_server(RouteTable::new()).await;
        let _clients = (worker(&connector, "w1").await, worker(&connector, "w2").await);
        let format = Counting::default();
        let everyone = server.all_peers();
        for (id, outcome) in everyone.request_with::<_, _, String>("who", &format, &1).await {
            assert_eq!(outcome.unwrap(), id);
        }
        assert_eq!(everyone.throw_with("who", &format, &1).await.len(), 2);
        assert_eq!(format.0.load(Ordering::SeqCst), 2);

        let (road, format) = (MemoryConnector::unique(), Counting::default());
        let server = SimpleServer::with_serializer(road.clone(), |_: i64| (), format.clone());
        let server = server.start().await.unwrap();
        let client = || SimpleClient::builder(road.clone()).handler(|number: i64| number).connect();
        let _clients = (client().await.unwrap(), client().await.unwrap());
        let numbers = server.request_all::<_, i64>(&1).await.into_iter().map(|(_, outcome)| outcome.unwrap());
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 1]);
        assert_eq!(server.throw_all(&1).await.len(), 2);
        assert_eq!(format.0.load(Ordering::SeqCst), 2);
    })
    .await;
}

/// Says what was sent along, and hangs on demand.
fn attentive() -> RouteTable {
    let routes = RouteTable::new().route("user", |cx: Context, (): ()| cx.value::<String>("user"));
    hanging(routes, "hangs").0
}

/// Whoever stands for one peer.
macro_rules! options_are_told {
    ($($who:expr;)*) => {$(
        let who = &$who;
        assert_eq!(who.request::<_, Option<String>>("user", &()).await.unwrap(), None);
        let calls = who.metadata("user", "Ada").timeout(Duration::from_secs(20));
        assert_eq!(calls.request::<_, String>("user", &()).await.unwrap(), "Ada");
        assert_eq!(calls.metadata("user", "Eve").request::<_, String>("user", &()).await.unwrap(), "Eve");
        calls.throw("user", &()).await.unwrap();
        assert_late(who.timeout(LIMIT).request("hangs", &1).await);
    )*};
}

const LIMIT: Duration = Duration::from_millis(50);

/// Whether it was sent in so short a time, nobody knows.
fn assert_late(ended: Result<(), Error>) {
    let (Err(Error::NotSent(reason)) | Err(Error::MayHaveRun(reason))) = ended else { panic!("{ended:?}") };
    assert!(matches!(reason, Reason::TimedOut { limit: LIMIT, .. }), "{reason:?}");
}

/// The peer would end the link for it.
#[tokio::test]
async fn metadata_that_no_peer_would_read_is_not_sent() {
    fn nested(levels: usize) -> serde_json::Value {
        (0..levels).fold(json!(7), |value, _| json!([value]))
    }
    within(20, async {
        let (_server, client) = memory_pair(attentive()).await;
        let deep = client.metadata("deep", nested(63)).metadata("user", "Ada");
        assert_eq!(deep.request::<_, String>("user", &()).await.unwrap(), "Ada");
        match deep.metadata("deeper", nested(64)).request::<_, String>("user", &()).await {
            Err(Error::Serializer(error)) => assert!(error.message().contains("`deeper`"), "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(deep.request::<_, String>("user", &()).await.unwrap(), "Ada");
    })
    .await;
}

#[tokio::test]
async fn calls_without_a_macro_have_time_limits_and_metadata() {
    within(60, async {
        let (server, connector) = memory_server(attentive()).await;
        let client = RouteClient::builder(connector).routes(attentive()).client_id("w1");
        let client = client.connect().await.unwrap();
        assert!(client.info().address.starts_with("memory:"));
        options_are_told! {
            client;
            server.peer("w1").await;
            server.any_peer();
        }
        let all = server.all_peers();
        let told = all.metadata("user", "Ada").request::<_, String>("user", &()).await;
        assert_eq!(told[0].1.as_deref().unwrap(), "Ada");
        let late = all.timeout(LIMIT).request("hangs", &1).await.pop();
        assert_late(late.expect("a client is connected").1);
        assert!(all.metadata("user", "Ada").throw("user", &()).await[0].1.is_ok());
    })
    .await;
}

/// As when a handler passes on what is left of its own time.
#[tokio::test]
async fn a_call_that_has_no_time_is_not_sent() {
    within(20, async {
        let (routes, mut noted) = noting(echo(), "note");
        let (_server, client) = memory_pair(routes).await;
        let calls = client.timeout(Duration::ZERO);
        let request = calls.request::<_, ()>("note", &1).await.unwrap_err();
        let throw = calls.throw("note", &1).await.unwrap_err();
        for late in [request, throw] {
            assert!(matches!(late, Error::NotSent(Reason::TimedOut { .. })), "{late:?}");
        }
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
        assert!(noted.try_recv().is_err(), "it was handled");
    })
    .await;
}
