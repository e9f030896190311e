//! Both sides send as fast as they can: it ends, and nothing waits for ever.

use communica::{
    Context, Error, IntoCaller, Limits, LocalConnector, MemoryConnector, RouteClient, RouteServer, RouteTable,
};
use tokio::sync::mpsc;

use crate::support::{noting, unique, within};

/// Calls the caller back until nothing is left; gives how deep it went.
fn nested() -> RouteTable {
    RouteTable::new().route("down", |cx: Context, left: i64| async move {
        if left == 0 {
            return Ok::<i64, Error>(0);
        }
        // A future that holds itself needs a box.
        let below: std::pin::Pin<Box<dyn Future<Output = Result<i64, Error>> + Send>> = Box::pin({
            let peer = cx.peer().clone();
            async move { peer.request("down", &(left - 1)).await }
        });
        Ok(below.await? + 1)
    })
}

async fn nest(depth: i64, at_once: usize) {
    let connector = MemoryConnector::unique();
    let server = RouteServer::new(connector.clone(), nested()).start().await.unwrap();
    let client = RouteClient::builder(connector).routes(nested()).client_id("w1").connect().await.unwrap();
    let peer = server.peer("w1").await;
    let calls: Vec<_> = (0..at_once)
        .flat_map(|_| [client.clone().into_caller(), peer.clone()])
        .map(|caller| tokio::spawn(async move { caller.request::<_, i64>("down", &depth).await }))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), depth);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_calls_within_the_bound_of_running_handlers_are_answered() {
    within(30, nest(200, 4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_that_flood_each_other_with_nested_calls_end() {
    within(90, async {
        let connector = MemoryConnector::unique();
        let server = RouteServer::new(connector.clone(), nested()).start().await.unwrap();
        let client =
            RouteClient::builder(connector).routes(nested()).client_id("w1").connect().await.unwrap();
        let peer = server.peer("w1").await;
        let calls: Vec<_> = (0..200)
            .flat_map(|_| [client.clone().into_caller(), peer.clone()])
            .map(|caller| tokio::spawn(async move { caller.request::<_, i64>("down", &200).await }))
            .collect();
        for call in calls {
            // More than the handlers that may run at once: an error is an end too, silence is not.
            let _ = call.await.unwrap();
        }
        let next = client.request::<_, i64>("down", &3).await;
        assert_eq!(next.expect("the connection is of no use any more"), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_that_flood_each_other_with_throws_both_finish() {
    const THROWS: i64 = 20_000;
    within(90, async {
        let connector = LocalConnector::new(unique("flood"));
        // Small bounds, so that both queues are full at once.
        let limits = Limits::new().queued(16, 1 << 20).waiting(16, 1 << 20);
        let text = "x".repeat(4 * 1024);
        let (server_routes, mut at_server) = counting();
        let (client_routes, mut at_client) = counting();
        let server = RouteServer::new(connector.clone(), server_routes).limits(limits.clone());
        let server = server.start().await.unwrap();
        let client = RouteClient::builder(connector).routes(client_routes).limits(limits).client_id("w1");
        let client = client.connect().await.unwrap();
        let peer = server.peer("w1").await;
        let flood = |caller: communica::Peer| {
            let text = text.clone();
            tokio::spawn(async move {
                for _ in 0..THROWS {
                    caller.throw("count", &text).await.unwrap();
                }
            })
        };
        let (one, other) = (flood(client.clone().into_caller()), flood(peer));
        one.await.unwrap();
        other.await.unwrap();
        for _ in 0..THROWS {
            at_server.recv().await.unwrap();
            at_client.recv().await.unwrap();
        }
    })
    .await;
}

fn counting() -> (RouteTable, mpsc::UnboundedReceiver<usize>) {
    let (counts, counted) = mpsc::unbounded_channel();
    let count = move |text: String| counts.send(text.len()).unwrap_or_default();
    (RouteTable::new().route("count", count), counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_that_flood_each_other_with_requests_both_finish() {
    within(40, async {
        let connector = LocalConnector::new(unique("flood"));
        let routes = || RouteTable::new().route("echo", |text: String| text);
        let server = RouteServer::new(connector.clone(), routes()).start().await.unwrap();
        let client =
            RouteClient::builder(connector).routes(routes()).client_id("w1").connect().await.unwrap();
        let peer = server.peer("w1").await;
        let text = "x".repeat(4 * 1024);
        let calls: Vec<_> = (0..3000)
            .flat_map(|_| [client.clone().into_caller(), peer.clone()])
            .map(|caller| {
                let text = text.clone();
                tokio::spawn(async move { caller.request::<_, String>("echo", &text).await })
            })
            .collect();
        for call in calls {
            assert!(call.await.unwrap().unwrap() == text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_throws_against_blocked_handlers_is_all_handled_in_the_end() {
    const THROWS: i64 = 5000;
    within(40, async {
        let gate = crate::support::Gate::shut();
        let (handled, mut noted) = mpsc::unbounded_channel();
        let held = gate.clone();
        let routes = RouteTable::new().route("slow", move |number: i64| {
            let (gate, handled) = (held.clone(), handled.clone());
            async move {
                gate.pass().await;
                handled.send(number).unwrap_or_default();
            }
        });
        let connector = MemoryConnector::unique();
        let limits = Limits::new().running(8).waiting(64, 1 << 20);
        let server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let limits = Limits::new().queued(64, 1 << 20);
        let client = RouteClient::builder(connector).limits(limits).connect().await.unwrap();
        let accepted = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let count = accepted.clone();
        let throwing = tokio::spawn(async move {
            for number in 0..THROWS {
                client.throw("slow", &number).await.unwrap();
                count.store(number + 1, std::sync::atomic::Ordering::Relaxed);
            }
            client
        });
        // It comes to rest with a few in each queue on the way, far from all of them.
        let mut before = -1;
        let mut still = 0;
        while still < 50 {
            tokio::time::sleep(std::time::Duration::from_millis(4)).await;
            let now = accepted.load(std::sync::atomic::Ordering::Relaxed);
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
        assert!(before < THROWS, "all {THROWS} throws were taken in while no handler went on");
        gate.open();
        let mut seen = crate::support::take(&mut noted, THROWS as usize).await;
        seen.sort_unstable();
        assert_eq!(seen, (0..THROWS).collect::<Vec<_>>());
        drop((throwing.await.unwrap(), server));
    })
    .await;
}

#[tokio::test]
async fn callers_wait_for_room_in_the_queue_and_go_on() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let connector = MemoryConnector::unique();
        let limits = Limits::new().queued(4, 1 << 20);
        let client = crate::support::quick(RouteClient::builder(connector.clone())).limits(limits);
        let client = client.start().unwrap();
        for number in 0..4 {
            client.throw("note", &number).await.unwrap();
        }
        let fifth = tokio::spawn({
            let client = client.clone();
            async move {
                for number in 4..100 {
                    client.throw("note", &number).await.unwrap();
                }
            }
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(!fifth.is_finished(), "more was accepted than may be queued");
        let _server = RouteServer::new(connector, routes).start().await.unwrap();
        assert_eq!(crate::support::take(&mut noted, 100).await, (0..100).collect::<Vec<_>>());
        fifth.await.unwrap();
    })
    .await;
}

/// Every handler says something to who called it, and waits until there is room for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_that_flood_each_other_with_throws_whose_handlers_throw_back_both_finish() {
    const THROWS: i64 = 50_000;
    fn routes() -> (RouteTable, mpsc::UnboundedReceiver<i64>) {
        let (routes, noted) = noting(RouteTable::new(), "back");
        let back = |cx: Context, number: i64| async move { cx.peer().throw("back", &number).await };
        (routes.route("there", back), noted)
    }
    within(60, async {
        let limits = Limits::new().queued(16, 1 << 20).waiting(16, 1 << 20).running(16);
        let connector = LocalConnector::new(unique("flood"));
        let (server_routes, mut at_server) = routes();
        let (client_routes, mut at_client) = routes();
        let server = RouteServer::new(connector.clone(), server_routes).limits(limits.clone());
        let server = server.start().await.unwrap();
        let client = RouteClient::builder(connector).routes(client_routes).limits(limits).client_id("w1");
        let client = client.connect().await.unwrap();
        let peer = server.peer("w1").await;
        let sides = [client.into_caller(), peer];
        let floods = sides.map(|side| {
            tokio::spawn(async move {
                for number in 0..THROWS {
                    side.throw("there", &number).await.unwrap();
                }
                // It keeps the link.
                side
            })
        });
        for came in [&mut at_server, &mut at_client] {
            // Those that wait for room have no order.
            for _ in 0..THROWS {
                came.recv().await.expect("all of them come");
            }
        }
        for flood in floods {
            flood.await.unwrap();
        }
    })
    .await;
}
