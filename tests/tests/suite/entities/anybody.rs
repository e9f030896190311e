//! Calls for whichever client is there do not depend on the one that was chosen first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use communica::{
    CallError, Error, Limits, LocalConnector, MemoryConnector, Outcome, RouteClient, RouteServer,
    RouteServerHandle, RouteTable,
};

use crate::raw_peer::peer::RawPeer;
use crate::support::{Gate, eventually, hanging, holding, memory_server, take, unique, within};

#[communica::service]
trait Worker {
    async fn size(&self, text: &str) -> usize;
    #[route(idempotent)]
    async fn twice(&self, number: i64) -> i64;
}

struct Bench;

impl Worker for Bench {
    async fn size(&self, text: &str) -> usize {
        text.len()
    }

    async fn twice(&self, number: i64) -> i64 {
        2 * number
    }
}

async fn local_server() -> (String, RouteServerHandle) {
    let name = unique("anybody");
    let server = RouteServer::new(LocalConnector::new(&name), RouteTable::new()).start().await.unwrap();
    (name, server)
}

async fn worker(name: &str) -> RouteClient {
    let client = RouteClient::builder(LocalConnector::new(name)).routes(Bench.into_routes());
    client.client_id("able").connect().await.unwrap()
}

#[tokio::test]
async fn what_a_client_did_not_get_before_it_went_another_one_does() {
    within(60, async {
        let (name, server) = local_server().await;
        let mut deaf = RawPeer::local(&name).await;
        deaf.hello("deaf").await;
        let any = WorkerClient::new(server.any_peer());
        // More than a socket holds, so that most do not leave.
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let any = any.clone();
                tokio::spawn(async move { any.size(&"x".repeat(1 << 20)).await })
            })
            .collect();
        eventually("they wait", || server.inflight().len() == 8).await;
        drop(deaf);
        let _client = worker(&name).await;
        let mut answered = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(size) => {
                    assert_eq!(size, 1 << 20);
                    answered += 1;
                }
                Err(CallError::Failed(error)) => assert_eq!(error.outcome(), Outcome::MayHaveRun, "{error}"),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(answered >= 4, "{answered}");
    })
    .await;
}

#[tokio::test]
async fn what_may_run_twice_another_client_is_asked_when_one_went_with_it() {
    within(60, async {
        let (name, server) = local_server().await;
        let mut mute = RawPeer::local(&name).await;
        mute.hello("mute").await;
        let any = WorkerClient::new(server.any_peer());
        let call = tokio::spawn({
            let any = any.clone();
            async move { any.twice(21).await }
        });
        let once = tokio::spawn(async move { any.size("once").await });
        mute.message().await;
        mute.message().await;
        drop(mute);
        match once.await.unwrap() {
            Err(CallError::Failed(error)) => assert_eq!(error.outcome(), Outcome::MayHaveRun, "{error}"),
            other => panic!("{other:?}"),
        }
        let _client = worker(&name).await;
        assert_eq!(call.await.unwrap().unwrap(), 42);
    })
    .await;
}

/// That another one was not asked makes nothing undone.
#[tokio::test]
async fn what_may_have_run_once_is_not_told_as_not_sent() {
    within(60, async {
        let (name, server) = local_server().await;
        let mut mute = RawPeer::local(&name).await;
        mute.hello("mute").await;
        let any = WorkerClient::new(server.any_peer()).timeout(Duration::from_secs(2));
        let call = tokio::spawn(async move { any.twice(21).await });
        mute.message().await;
        drop(mute);
        match call.await.unwrap() {
            Err(CallError::Failed(error)) => assert_eq!(error.outcome(), Outcome::MayHaveRun, "{error}"),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

fn answering(number: i64) -> RouteTable {
    RouteTable::new().route("who", move |(): ()| number)
}

async fn client(road: &MemoryConnector, routes: RouteTable) -> RouteClient {
    RouteClient::builder(road.clone()).routes(routes).connect().await.unwrap()
}

#[tokio::test]
async fn while_one_client_is_stopping_the_other_is_asked() {
    within(60, async {
        let (server, road) = memory_server(RouteTable::new()).await;
        let gate = Gate::shut();
        let (routes, held) = holding(answering(1), "hold", &gate);
        let stopping = client(&road, routes).await;
        let holds = tokio::spawn({
            let server = server.clone();
            async move { server.any_peer().request::<_, i64>("hold", &1).await }
        });
        eventually("it is busy", || held.inside() == 1).await;
        let stops = tokio::spawn(async move { stopping.close().await });
        let ask = || async { server.any_peer().request::<_, i64>("who", &()).await };
        eventually_refused(&ask).await;
        let _other = client(&road, answering(2)).await;
        for _ in 0..20 {
            assert_eq!(ask().await.unwrap(), 2);
        }
        gate.open();
        holds.await.unwrap().unwrap();
        stops.await.unwrap();
    })
    .await;
}

/// What refused was another process than the one that has its id since.
#[tokio::test]
async fn who_is_back_after_it_refused_is_asked_again() {
    within(60, async {
        let (server, road) = memory_server(RouteTable::new()).await;
        let named =
            |id: &str, routes| RouteClient::builder(road.clone()).client_id(id).routes(routes).connect();
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new(), "hold", &gate);
        let stopping = named("w1", Bench.into_routes().merge(routes)).await.unwrap();
        let holds = tokio::spawn({
            let server = server.clone();
            async move { server.any_peer().request::<_, i64>("hold", &1).await }
        });
        eventually("it is busy", || held.inside() == 1).await;
        let stops = tokio::spawn(async move { stopping.close().await });
        let any = WorkerClient::new(server.any_peer());
        while any.size("x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (routes, asked) = hanging(RouteTable::new(), "twice");
        let other = named("w2", routes).await.unwrap();
        let mut asked = asked;
        let call = tokio::spawn({
            let any = any.clone();
            async move { any.twice(21).await }
        });
        take(&mut asked, 1).await;
        gate.open();
        holds.await.unwrap().unwrap();
        stops.await.unwrap();
        let _back = named("w1", Bench.into_routes()).await.unwrap();
        eventually("both are there", || server.peers().len() == 2).await;
        other.close().await;
        assert_eq!(call.await.unwrap().unwrap(), 42);
    })
    .await;
}

/// Nobody else is there, so the refusal is what its caller gets.
async fn eventually_refused<F: Future<Output = Result<i64, Error>>>(ask: &impl Fn() -> F) {
    loop {
        match ask().await {
            Ok(1) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => break assert_eq!(error.outcome(), Outcome::NotSent, "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_waits_for_anybody_is_told_by_inflight() {
    within(20, async {
        let (server, road) = memory_server(RouteTable::new()).await;
        let asks = tokio::spawn({
            let server = server.clone();
            async move { server.any_peer().request::<_, i64>("who", &()).await }
        });
        eventually("it waits", || server.inflight().len() == 1).await;
        let waiting = server.inflight().remove(0);
        assert_eq!((waiting.route.as_deref(), &*waiting.client_id), (Some("who"), ""));
        assert!(!waiting.is_sent);
        let _client = client(&road, answering(1)).await;
        assert_eq!(asks.await.unwrap().unwrap(), 1);
        assert!(server.inflight().is_empty());
    })
    .await;
}

/// It was not accepted: nobody else has it.
#[tokio::test]
async fn a_throw_that_waits_for_room_at_one_that_goes_is_for_another() {
    within(60, async {
        let name = unique("anybody");
        let limits = Limits::new().queued(4, 1 << 20).unacknowledged(4, 1 << 20);
        let server = RouteServer::new(LocalConnector::new(&name), RouteTable::new()).limits(limits);
        let server = server.start().await.unwrap();
        let any = server.any_peer();
        let mut deaf = RawPeer::local(&name).await;
        deaf.hello("deaf").await;
        let throws: Vec<_> = (0..40)
            .map(|_| {
                let any = any.clone();
                tokio::spawn(async move { any.throw("note", &"x".repeat(100_000)).await })
            })
            .collect();
        eventually("most wait for room", || server.inflight().len() > 10).await;
        let came = Arc::new(AtomicUsize::new(0));
        let counts = came.clone();
        let routes = RouteTable::new().route("note", move |_: String| {
            counts.fetch_add(1, Ordering::Relaxed);
        });
        let able = RouteClient::builder(LocalConnector::new(&name)).routes(routes).client_id("able");
        let _able = able.connect().await.unwrap();
        drop(deaf);
        for throw in throws {
            throw.await.unwrap().unwrap();
        }
        eventually("the other has them", || came.load(Ordering::Relaxed) > 10).await;
    })
    .await;
}
