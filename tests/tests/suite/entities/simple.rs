//! Simple entities: one handler on either side, no names.

use std::time::Duration;

use communica::{
    Context, Error, Feature, Limits, MemoryConnector, MsgPackSerializer, Reason, SimpleClient, SimpleServer,
};
use tokio::sync::mpsc;

use crate::support::{Gate, eventually, soon, within};

#[tokio::test]
async fn both_sides_of_a_simple_pair_answer_and_take_throws() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let (notes, mut noted) = mpsc::unbounded_channel();
        let server = SimpleServer::new(connector.clone(), move |text: String| {
            notes.send(text.clone()).unwrap_or_default();
            format!("server {text}")
        });
        let server = server.start().await.unwrap();
        let client = SimpleClient::builder(connector)
            .handler(|text: String| async move { format!("client {text}") })
            .client_id("w1");
        let client = client.connect().await.unwrap();
        assert_eq!(client.request::<_, String>("a").await.unwrap(), "server a");
        client.throw("b").await.unwrap();
        assert_eq!((noted.recv().await.unwrap(), noted.recv().await.unwrap()), ("a".into(), "b".into()));
        assert_eq!(server.peer("w1").await.request::<_, String>("c").await.unwrap(), "client c");
        assert_eq!(server.request::<_, String>("d").await.unwrap(), "client d");
        let all = server.request_all::<_, String>("e").await;
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].0.as_str(), all[0].1.as_ref().unwrap().as_str()), ("w1", "client e"));
        client.close().await;
        eventually("the server sees the client go", || server.peers().is_empty()).await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_simple_client_without_a_handler_answers_with_an_error() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = SimpleServer::new(connector.clone(), |(): ()| ()).start().await.unwrap();
        let _client = SimpleClient::builder(connector).client_id("w1").connect().await.unwrap();
        let ended = server.peer("w1").await.request::<_, ()>(&1).await;
        assert!(matches!(ended, Err(Error::Resp(_))), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn a_simple_pair_speaks_the_format_it_was_given() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let handler = |numbers: Vec<u64>| numbers.iter().sum::<u64>();
        let server = SimpleServer::with_serializer(connector.clone(), handler, MsgPackSerializer);
        let _server = server.start().await.unwrap();
        let client = SimpleClient::builder(connector.clone()).serializer(MsgPackSerializer);
        let client = client.connect().await.unwrap();
        assert_eq!(client.request::<_, u64>(&[1u64, 2, 3]).await.unwrap(), 6);
        let json = SimpleClient::connect(connector).await.unwrap();
        let ended = json.request::<_, u64>(&[1u64, 2, 3]).await;
        assert!(matches!(ended, Err(Error::Serializer(_))), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn calls_of_a_simple_pair_have_a_time_limit_and_metadata() {
    const LIMIT: Duration = Duration::from_millis(50);
    within(20, async {
        let connector = MemoryConnector::unique();
        let handler = |cx: Context, waits: bool| async move {
            if waits {
                std::future::pending::<()>().await;
            }
            cx.value::<u8>("trace")
        };
        let server = SimpleServer::new(connector.clone(), handler).start().await.unwrap();
        let nobody = server.any_peer().timeout(LIMIT).request::<_, ()>(&true).await;
        assert!(matches!(nobody, Err(Error::NotSent(Reason::TimedOut { limit: LIMIT, .. }))), "{nobody:?}");
        let why = nobody.unwrap_err().to_string();
        assert!(why.ends_with("took it within its time limit of 50ms: no client is connected"), "{why}");
        let client = SimpleClient::builder(connector).handler(handler).client_id("w1");
        let client = client.connect().await.unwrap();
        let traced = client.timeout(Duration::from_secs(20)).metadata("trace", 7_u8);
        assert_eq!(traced.request::<_, Option<u8>>(&false).await.unwrap(), Some(7));
        assert_eq!(client.request::<_, Option<u8>>(&false).await.unwrap(), None);
        let late = client.timeout(LIMIT).request::<_, Option<u8>>(&true).await;
        assert!(matches!(late, Err(Error::MayHaveRun(Reason::TimedOut { limit: LIMIT, .. }))), "{late:?}");
        assert!(late.unwrap_err().to_string().ends_with("the time limit of 50ms passed"));
        for peer in [server.peer("w1").await, server.any_peer()] {
            let traced = peer.metadata("trace", 8_u8);
            assert_eq!(traced.request::<_, Option<u8>>(&false).await.unwrap(), Some(8));
            let late = peer.timeout(LIMIT).request::<_, Option<u8>>(&true).await;
            assert!(
                matches!(late, Err(Error::MayHaveRun(Reason::TimedOut { limit: LIMIT, .. }))),
                "{late:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn calls_to_all_of_a_simple_server_have_a_time_limit_and_metadata() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = SimpleServer::new(connector.clone(), |(): ()| ()).start().await.unwrap();
        let all = server.all_peers().timeout(soon());
        assert!(all.request::<_, ()>(&()).await.is_empty() && all.throw(&()).await.is_empty());
        let (notes, mut noted) = mpsc::unbounded_channel();
        let mut clients = Vec::new();
        for id in ["quick", "slow"] {
            let notes = notes.clone();
            let handler = move |cx: Context, (): ()| {
                let (trace, notes) = (cx.value::<u8>("trace"), notes.clone());
                async move {
                    notes.send(trace).unwrap_or_default();
                    if id == "slow" && trace != Some(8) {
                        std::future::pending::<()>().await;
                    }
                    trace
                }
            };
            let client = SimpleClient::builder(connector.clone()).handler(handler).client_id(id);
            clients.push(client.connect().await.unwrap());
        }
        eventually("both are connected", || server.peers().len() == 2).await;
        let mut outcomes = all.metadata("trace", 7_u8).request::<_, Option<u8>>(&()).await;
        outcomes.sort_by(|one, other| one.0.cmp(&other.0));
        let [(quick, answer), (slow, late)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((quick.as_str(), answer.as_ref().unwrap(), slow.as_str()), ("quick", &Some(7), "slow"));
        assert!(
            matches!(late, Err(Error::MayHaveRun(Reason::TimedOut { limit, .. })) if *limit == soon()),
            "{late:?}"
        );
        let thrown = server.all_peers().metadata("trace", 8_u8).throw(&()).await;
        assert!(thrown.len() == 2 && thrown.iter().all(|(_, outcome)| outcome.is_ok()), "{thrown:?}");
        for trace in [7, 7, 8, 8] {
            assert_eq!(noted.recv().await.unwrap(), Some(trace));
        }
    })
    .await;
}

#[tokio::test]
async fn a_throw_to_all_of_a_simple_server_does_not_wait_for_room_beyond_its_time_limit() {
    const LIMIT: Duration = Duration::from_millis(50);
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = SimpleServer::new(connector.clone(), |(): ()| ());
        let server = server.limits(Limits::new().queued(1, 1 << 20).unacknowledged(1, 1 << 20));
        let server = server.start().await.unwrap();
        let gate = Gate::shut();
        let held = gate.clone();
        let handler = move |(): ()| {
            let gate = held.clone();
            async move { gate.pass().await }
        };
        let limits = Limits::new().running(1).waiting(1, 1 << 20);
        let client = SimpleClient::builder(connector).handler(handler).limits(limits);
        let _client = client.connect().await.unwrap();
        let all = server.all_peers().timeout(LIMIT);
        let late = loop {
            let thrown = all.throw(&()).await;
            let [(_, outcome)] = &thrown[..] else { panic!("{thrown:?}") };
            if outcome.is_err() {
                break outcome.clone();
            }
        };
        assert!(matches!(late, Err(Error::NotSent(Reason::TimedOut { limit: LIMIT, .. }))), "{late:?}");
        gate.open();
    })
    .await;
}

#[tokio::test]
async fn a_handler_given_before_its_format_is_told() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let _server = SimpleServer::new(connector.clone(), |(): ()| ()).start().await.unwrap();
        let handler = |number: u8| number;
        let early =
            || SimpleClient::builder(connector.clone()).handler(handler).serializer(MsgPackSerializer);
        let ended = early().connect().await.expect_err("its handler speaks JSON").to_string();
        assert!(ended.contains("speaks JSON: call `serializer` first"), "{ended}");
        let ended = early().start().expect_err("its handler speaks JSON").to_string();
        assert!(ended.contains("speaks JSON: call `serializer` first"), "{ended}");
        let _client = early().handler(handler).connect().await.expect("this one speaks the format");
    })
    .await;
}

#[test]
fn a_client_ends_with_the_runtime_that_it_was_made_in() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let client = first.block_on(async { SimpleClient::builder(MemoryConnector::unique()).start().unwrap() });
    drop(first);
    let ended = runtime().block_on(within(20, client.throw(&1_u8)));
    assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
}

#[tokio::test]
async fn a_simple_peer_tells_how_it_stands() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = SimpleServer::new(connector.clone(), |(): ()| ()).start().await.unwrap();
        let anybody = server.any_peer();
        assert!(!anybody.is_connected() && !anybody.supports(Feature::Cancel), "there is nobody");
        let gate = Gate::shut();
        let client = SimpleClient::builder(connector).client_id("w1").handler({
            let gate = gate.clone();
            move |(): ()| {
                let gate = gate.clone();
                async move { gate.pass().await }
            }
        });
        let client = client.connect().await.unwrap();
        let peer = server.peer("w1").await;
        assert!(peer.is_connected() && peer.supports(Feature::Cancel) && peer.inflight().is_empty());
        assert!(anybody.is_connected() && anybody.supports(Feature::Cancel));
        assert_eq!(peer.info().map(|info| info.address).as_deref(), Some("this process"));
        assert!(client.info().address.starts_with("memory:"));
        assert!(anybody.info().is_none(), "it is nobody in particular");
        let calling = tokio::spawn({
            let peer = peer.clone();
            async move { peer.request::<_, ()>(&()).await }
        });
        eventually("its handler runs", || gate.is_awaited()).await;
        assert_eq!(peer.inflight()[0].client_id, "w1");
        assert_eq!(anybody.inflight().len(), 1);
        gate.open();
        calling.await.unwrap().unwrap();
        client.close().await;
        eventually("the server sees the client go", || !peer.is_connected() && !anybody.is_connected()).await;
    })
    .await;
}
