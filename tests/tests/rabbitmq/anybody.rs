//! Calls for whichever client is there, over a broker: one that is stopping, died or has too much to do holds up none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use communica::{
    AnyPeer, CallError, Context, Error, Limits, Outcome, Reason, RmqConnector, RouteClient, RouteServer,
    RouteServerHandle, RouteTable,
};
use communica_tests::broker::unique;
use communica_tests::patiently;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::support::{Calls, Gate, client, desk, eventually, fresh, serve, shared, within};

#[communica::service]
trait Once {
    async fn times_ten(&self, number: i64) -> i64;
}

#[communica::service]
trait Again {
    #[route(idempotent)]
    async fn times_ten(&self, number: i64) -> i64;
    #[route(idempotent)]
    async fn hold(&self, number: i64) -> i64;
}

type Ended = Result<i64, CallError<communica::NoServiceError>>;

/// Twenty calls, so that the one that does not take them is among those that are asked.
fn ask(server: &RouteServerHandle, idempotent: bool) -> Vec<JoinHandle<Ended>> {
    let once: OnceClient<AnyPeer> = OnceClient::new(server.any_peer());
    let again: AgainClient<AnyPeer> = AgainClient::new(server.any_peer());
    let ask = |number| {
        let (once, again) = (once.clone(), again.clone());
        tokio::spawn(async move {
            if idempotent { again.times_ten(number).await } else { once.times_ten(number).await }
        })
    };
    (0..20).map(ask).collect()
}

async fn ends(calls: Vec<JoinHandle<Ended>>) -> Vec<Ended> {
    let mut ends = Vec::new();
    for call in calls {
        let ended = timeout(patiently(20), call).await.expect("each call ends");
        ends.push(ended.expect("it does not panic"));
    }
    ends
}

async fn both_are_there(server: &RouteServerHandle) {
    eventually("both are there", async || server.peers().len() == 2).await;
}

async fn worker(connector: &RmqConnector, id: &str, gate: &Gate) -> RouteClient {
    client(connector, id).routes(desk(gate).0).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_client_is_stopping_the_other_is_asked() {
    within(60, async {
        let (connector, gate) = (fresh("any").await, Gate::shut());
        let server = serve(&connector, RouteTable::new()).await;
        let (routes, mut held) = desk(&gate);
        let stopping = client(&connector, "w1").routes(routes).connect().await.unwrap();
        let _other = worker(&connector, "w2", &gate).await;
        both_are_there(&server).await;
        let runs = Calls::start(server.peer("w1").await, "hold", 0..1);
        held.take(1).await;
        let closing = tokio::spawn(async move { stopping.close().await });
        // It drains as soon as it closes; until then it answers.
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (number, ended) in (0..).zip(ends(ask(&server, false)).await) {
            assert_eq!(ended.unwrap(), number * 10);
        }
        assert!(!closing.is_finished());
        let by_id = Calls::start(server.peer("w1").await, "times_ten", 5..8);
        gate.open();
        runs.are_answered().await;
        closing.await.unwrap();
        // What was for this client alone waits for it.
        let _back = worker(&connector, "w1", &gate).await;
        by_id.are_answered().await;
    })
    .await;
}

/// `killed`: its process. Those that are asked it before the server knows may run once only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_died_is_not_waited_for() {
    within(60, async {
        // What a server says by itself, it says as seldom as by default.
        let connector = RmqConnector::new(shared().await.url(), unique("any"));
        let limits = Limits::new().resume_time(Duration::from_secs(2));
        let server = RouteServer::new(connector.clone(), RouteTable::new()).limits(limits);
        let server = server.start().await.unwrap();
        let dies = Builder::client(&connector, "w1").start().await;
        let gate = Gate::shut();
        let _other = worker(&connector, "w2", &gate).await;
        both_are_there(&server).await;
        dies.kill().await;
        let (again, once) = (ask(&server, true), ask(&server, false));
        for (number, ended) in (0..).zip(ends(again).await) {
            assert_eq!(ended.unwrap(), number * 10, "what may run twice is asked again");
        }
        let mut lost = 0;
        for ended in ends(once).await {
            match ended {
                Err(CallError::Failed(error)) => {
                    assert_eq!(error.outcome(), Outcome::MayHaveRun, "{error}");
                    lost += 1;
                }
                ended => assert_eq!(ended.unwrap() % 10, 0),
            }
        }
        assert!(lost > 0, "the one that died was asked, too");
        assert_eq!(server.peers().len(), 1);
        assert!(server.inflight().is_empty());
    })
    .await;
}

/// What stood in the queue of one that went, and was done by another, does not run when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_did_is_withdrawn_from_who_comes_back() {
    within(60, async {
        let (connector, gate) = (fresh("any").await, Gate::shut());
        let server = serve(&connector, RouteTable::new()).await;
        let dies = Builder::client(&connector, "w1").start().await;
        eventually("it is there", async || server.peers().len() == 1).await;
        let any = AgainClient::new(server.any_peer());
        let call = tokio::spawn(async move { any.hold(7).await });
        let mut dies = dies;
        assert_eq!(dies.take("note", 1).await, [7]);
        dies.kill().await;
        let (routes, mut at_other) = desk(&gate);
        let _other = client(&connector, "w2").routes(routes).connect().await.unwrap();
        within(10, async { assert_eq!(at_other.take(1).await, [7]) }).await;
        let (routes, _) = desk(&gate);
        let _back = client(&connector, "w1").routes(routes).connect().await.unwrap();
        both_are_there(&server).await;
        gate.open();
        assert_eq!(call.await.unwrap().unwrap(), 70);
        Calls::start(server.peer("w1").await, "times_ten", 0..5).are_answered().await;
        assert!(server.inflight().is_empty());
    })
    .await;
}

/// A handler that calls back holds so much that nothing more starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_too_much_to_do_did_not_begin_and_the_other_is_asked() {
    within(60, async {
        let (connector, gate) = (fresh("any").await, Gate::shut());
        let (held, came) = (gate.clone(), Arc::new(AtomicBool::new(false)));
        let comes = came.clone();
        let server = RouteTable::new().route("wait", move |(): ()| {
            comes.store(true, Ordering::Relaxed);
            let held = held.clone();
            async move { held.pass().await }
        });
        let server = serve(&connector, server).await;
        let busy = desk(&gate).0.route("back", |cx: Context, _: String| async move {
            cx.peer().request::<_, ()>("wait", &()).await
        });
        let busy = client(&connector, "w1").routes(busy).limits(Limits::new().waiting(1000, 100));
        let _busy = busy.connect().await.unwrap();
        eventually("it is there", async || server.peers().len() == 1).await;
        let peer = server.peer("w1").await;
        let back = tokio::spawn({
            let peer = peer.clone();
            async move { peer.request::<_, ()>("back", &"x".repeat(3000)).await }
        });
        // Before that, what is asked for would wait for the handler, as for any other.
        eventually("it calls back", async || came.load(Ordering::Relaxed)).await;
        eventually("it is full", async || {
            let ended = timeout(Duration::from_secs(5), peer.request::<_, i64>("times_ten", &1)).await;
            match ended.expect("it is answered or refused") {
                Err(error) => {
                    assert!(matches!(error, Error::NotSent(Reason::NotBegun(_))), "{error:?}");
                    true
                }
                Ok(_) => false,
            }
        })
        .await;
        let _other = worker(&connector, "w2", &gate).await;
        both_are_there(&server).await;
        for (number, ended) in (0..).zip(ends(ask(&server, false)).await) {
            assert_eq!(ended.unwrap(), number * 10);
        }
        gate.open();
        back.await.unwrap().unwrap();
    })
    .await;
}
