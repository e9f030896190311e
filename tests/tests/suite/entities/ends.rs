//! Entities end, or the runtimes that they live in: nothing is lost, nobody waits for it, and nothing of them stays.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{self, Waker};
use std::thread;
use std::time::Duration;

use communica::{
    Context, Error, FaultConnector, Faults, Limits, LocalConnector, Outcome, Peer, Reason, RouteClient,
    RouteServer, RouteTable, TcpConnector,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::coop::{consume_budget, has_budget_remaining};
use tokio::time::{Instant, sleep};

use crate::support::{
    Gate, echo, eventually, hanging, holding, memory_server, noting, request_in, take, unique, within,
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the system has threads")
}

/// A service that remembers who called it, as one with subscribers does.
fn remembering() -> (RouteTable, Arc<Mutex<Vec<Peer>>>) {
    let callers = Arc::new(Mutex::new(Vec::new()));
    let state = callers.clone();
    let routes = RouteTable::new().route("subscribe", move |cx: Context, (): ()| {
        state.lock().unwrap().push(cx.peer().clone());
    });
    (routes, callers)
}

#[tokio::test]
async fn a_state_that_keeps_its_callers_ends_with_its_server() {
    within(30, async {
        let (routes, callers) = remembering();
        let (server, road) = memory_server(routes).await;
        let client = RouteClient::connect(road).await.unwrap();
        client.request::<_, ()>("subscribe", &()).await.unwrap();
        assert_eq!(callers.lock().unwrap().len(), 1);
        drop((client, server));
        eventually("only the test holds the state", || Arc::strong_count(&callers) == 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_state_that_keeps_its_callers_ends_with_its_client() {
    within(30, async {
        let (routes, callers) = remembering();
        let (server, road) = memory_server(echo()).await;
        let client = RouteClient::builder(road).routes(routes).client_id("w1").connect().await.unwrap();
        server.peer("w1").await.request::<_, ()>("subscribe", &()).await.unwrap();
        drop(client);
        eventually("only the test holds the state", || Arc::strong_count(&callers) == 1).await;
    })
    .await;
}

/// `main` returns right after its last throw, and its runtime ends; maybe when it used up the budget that tokio gives to a task, as
/// one does that takes much out of a channel.
#[tokio::test]
async fn a_throw_survives_the_end_of_its_runtime() {
    within(30, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let road = LocalConnector::new(unique("ends"));
        let _server = RouteServer::new(road.clone(), routes).start().await.unwrap();
        for uses_up_its_budget in [false, true] {
            let road = road.clone();
            let elsewhere = tokio::task::spawn_blocking(move || {
                runtime().block_on(async {
                    let client = RouteClient::connect(road).await.unwrap();
                    for number in 0..10 {
                        client.throw("note", &number).await.unwrap();
                    }
                    while uses_up_its_budget && has_budget_remaining() {
                        let _ = pin!(consume_budget()).poll(&mut task::Context::from_waker(Waker::noop()));
                    }
                });
            });
            elsewhere.await.unwrap();
            assert_eq!(take(&mut noted, 10).await, (0..10).collect::<Vec<_>>());
        }
    })
    .await;
}

/// A link in memory takes a thousand messages at once, however large.
#[tokio::test]
async fn large_throws_that_the_link_takes_survive_the_end_of_their_runtime() {
    within(30, async {
        let (notes, mut noted) = mpsc::unbounded_channel();
        let routes = RouteTable::new()
            .route("note", move |(number, _): (i64, String)| notes.send(number).unwrap_or_default());
        let (_server, road) = memory_server(routes).await;
        let elsewhere = tokio::task::spawn_blocking(move || {
            runtime().block_on(async {
                let client = RouteClient::connect(road).await.unwrap();
                for number in 0..50 {
                    client.throw("note", &(number, "x".repeat(200_000))).await.unwrap();
                }
            });
        });
        elsewhere.await.unwrap();
        assert_eq!(take(&mut noted, 50).await, (0..50).collect::<Vec<_>>());
    })
    .await;
}

#[test]
fn calls_to_clients_end_with_the_runtime_of_their_server() {
    for asked_to_stop in [false, true] {
        calls_end_with_the_runtime_of_their_server(asked_to_stop);
    }
}

fn calls_end_with_the_runtime_of_their_server(asked_to_stop: bool) {
    let (servers, clients) = (runtime(), Builder::new_multi_thread().enable_all().build().unwrap());
    let (routes, mut entries) = hanging(RouteTable::new(), "hang");
    let road = LocalConnector::new(unique("ends"));
    let (waits, mut waiting) = hanging(RouteTable::new(), "wait");
    let server = servers.block_on(RouteServer::new(road.clone(), waits).start()).unwrap();
    let builder = RouteClient::builder(road).routes(routes).client_id("w1");
    let connecting = clients.spawn(builder.connect());
    let (client, peer) = servers.block_on(within(20, async {
        let client = connecting.await.unwrap().unwrap();
        (client, server.peer("w1").await)
    }));
    let hung = clients.spawn({
        let peer = peer.clone();
        async move { peer.request::<_, ()>("hang", &1).await }
    });
    let keeps_it = clients.spawn(async move { client.request::<_, ()>("wait", &0).await });
    servers.block_on(async {
        take(&mut entries, 1).await;
        take(&mut waiting, 1).await;
        if asked_to_stop {
            // It waits for that handler, and whoever asked does not wait for it.
            let stopped = tokio::time::timeout(Duration::from_millis(50), server.stop()).await;
            assert!(stopped.is_err());
        }
    });
    drop(servers);
    clients.block_on(within(20, async {
        let ended = hung.await.unwrap();
        assert!(matches!(ended, Err(Error::MayHaveRun(_))), "{ended:?}");
        let ended = peer.request::<_, ()>("hang", &2).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
        let ended = server.any_peer().request::<_, ()>("hang", &3).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Closed))), "{ended:?}");
    }));
    keeps_it.abort();
}

#[tokio::test]
async fn each_of_two_stops_returns_when_the_address_is_free() {
    within(30, async {
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).start().await.unwrap();
        let state: serde_json::Value = serde_json::from_str(&server.dump_state()).unwrap();
        let port = state["port"].as_u64().expect("a port") as u16;
        let stop = async {
            server.stop().await;
            // At once: nothing else may run before.
            let accepted = std::net::TcpStream::connect(("127.0.0.1", port));
            accepted.expect_err("it listens");
        };
        tokio::join!(server.stop(), stop);
    })
    .await;
}

/// Longer than anything here should take, shorter than the grace time.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn closing_does_not_wait_for_what_was_given_up() {
    within(30, async {
        let client = RouteClient::builder(LocalConnector::new(unique("nobody"))).start().unwrap();
        let ended = request_in(Duration::from_millis(50), &client, "echo", 1).await;
        assert_eq!(ended.unwrap_err().outcome(), Outcome::NotSent);
        let since = Instant::now();
        client.close().await;
        assert!(since.elapsed() < AT_ONCE, "closed after {:?}", since.elapsed());
    })
    .await;
}

#[tokio::test]
async fn closing_does_not_wait_for_a_server_that_is_gone() {
    within(30, async {
        let (ends, ended) = std::sync::mpsc::channel::<()>();
        let (starts, started) = tokio::sync::oneshot::channel();
        let other = thread::spawn(move || {
            let runtime = runtime();
            // Not a named pipe: Windows closes those of a runtime that ended no sooner than its process ends.
            let (server, road) = runtime.block_on(memory_server(echo()));
            starts.send(road).unwrap();
            runtime.block_on(async {
                while ended.try_recv().is_err() {
                    sleep(Duration::from_millis(5)).await;
                }
            });
            // As a process that is killed: nobody says goodbye.
            std::mem::forget(server);
            runtime.shutdown_background();
        });
        let client = RouteClient::connect(started.await.unwrap()).await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        ends.send(()).unwrap();
        tokio::task::spawn_blocking(move || other.join().unwrap()).await.unwrap();
        eventually("the link is gone", || !client.is_connected()).await;
        let since = Instant::now();
        client.close().await;
        assert!(since.elapsed() < AT_ONCE, "closed after {:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_do_not_stay_when_their_server_is_over() {
    within(30, async {
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new(), "hold", &gate);
        let (entered, leaves) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (entered_in, leaves_in) = (entered.clone(), leaves.clone());
        // Holds its starter up, which has the others in hand.
        let routes = routes.route("block", move |(): ()| {
            entered_in.store(true, Ordering::SeqCst);
            while !leaves_in.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        });
        let (server, road) = memory_server(routes).await;
        let client = RouteClient::connect(road).await.unwrap();
        client.throw("block", &()).await.unwrap();
        for number in 0..20 {
            client.throw("hold", &number).await.unwrap();
        }
        // Not by a timer: whoever is held up may be the only thread that would look at it. This one belongs to the test.
        let began = Instant::now();
        while !entered.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        let blocks = entered.load(Ordering::SeqCst);
        drop(server);
        leaves.store(true, Ordering::SeqCst);
        assert!(blocks, "the first one began");
        drop(client);
        sleep(Duration::from_millis(100)).await;
        eventually("none is left", || held.inside() == 0).await;
    })
    .await;
}

/// It runs on for nobody; what it threw is another matter.
#[tokio::test]
async fn what_a_client_asked_for_ends_when_it_says_goodbye() {
    within(30, async {
        let gate = Gate::shut();
        let (routes, asked) = holding(RouteTable::new(), "asked", &gate);
        let (routes, thrown) = holding(routes, "thrown", &gate);
        let (_server, road) = memory_server(routes).await;
        let client = RouteClient::connect(road).await.unwrap();
        client.throw("thrown", &1).await.unwrap();
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("asked", &2).await }
        });
        eventually("both run", || asked.inside() + thrown.inside() == 2).await;
        client.close().await;
        assert_eq!(call.await.unwrap().unwrap_err().outcome(), Outcome::MayHaveRun);
        eventually("one is stopped", || asked.inside() == 0).await;
        assert_eq!((asked.finished(), thrown.inside()), (0, 1));
        gate.open();
        eventually("the other ends", || thrown.finished() == 1).await;
    })
    .await;
}

#[tokio::test]
async fn what_came_for_a_client_is_handled_though_it_was_dropped() {
    within(30, async {
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new(), "hold", &gate);
        let (server, road) = memory_server(echo()).await;
        let limits = Limits::new().running(1);
        let client =
            RouteClient::builder(road).routes(routes).limits(limits).client_id("w1").connect().await.unwrap();
        let peer = server.peer("w1").await;
        for number in 0..3 {
            peer.throw("hold", &number).await.unwrap();
        }
        eventually("the first runs", || held.inside() == 1).await;
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1, "all came");
        drop(client);
        eventually("the client is gone", || server.peers().is_empty()).await;
        gate.open();
        eventually("all were handled", || held.finished() == 3).await;
    })
    .await;
}

#[tokio::test]
async fn limits_without_a_limit_are_limits() {
    within(30, async {
        let limits = Limits::new()
            .handshakes(usize::MAX)
            .peers(usize::MAX)
            .running(usize::MAX)
            .waiting(usize::MAX, usize::MAX)
            .queued(usize::MAX, usize::MAX)
            .unacknowledged(usize::MAX, usize::MAX)
            .handshake_time(Duration::MAX)
            .silence_time(Duration::MAX)
            .stall_time(Duration::MAX)
            .resume_time(Duration::MAX)
            .forget_time(Duration::MAX);
        let road = LocalConnector::new(unique("ends"));
        let server = RouteServer::new(road.clone(), echo()).limits(limits.clone()).start().await.unwrap();
        let client = RouteClient::builder(road).limits(limits).connect().await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        server.stop().await;
    })
    .await;
}

/// A server that stops finishes what it accepted, of whom it has forgotten, too.
#[tokio::test]
async fn what_a_forgotten_client_threw_is_handled_before_the_server_stops() {
    within(30, async {
        let handled = Arc::new(AtomicUsize::new(0));
        let count = handled.clone();
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let count = count.clone();
            async move {
                sleep(Duration::from_millis(300)).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let limits = Limits::new().running(2).forget_time(Duration::from_millis(40));
        let road = LocalConnector::new(unique("ends"));
        let server = RouteServer::new(road.clone(), routes).limits(limits).start().await.unwrap();
        let client = RouteClient::builder(road).client_id("w").connect().await.unwrap();
        for _ in 0..5 {
            client.throw("slow", &()).await.unwrap();
        }
        let peer = server.peer("w").await;
        client.close().await;
        let forgotten = peer.request::<_, i64>("back", &1).await.unwrap_err();
        assert!(matches!(forgotten, Error::NotSent(Reason::Forgotten)), "{forgotten}");
        assert!(handled.load(Ordering::Relaxed) < 5);
        server.stop().await;
        assert_eq!(handled.load(Ordering::Relaxed), 5);
    })
    .await;
}

/// Answers that nobody fetches hold up what was accepted behind them; a server that stops does not wait for that.
#[tokio::test]
async fn what_a_client_threw_is_handled_though_it_left_before_its_answers() {
    within(30, async {
        let gate = Gate::shut();
        let at_gate = gate.clone();
        let routes = RouteTable::new().route("ask", move |(): ()| {
            let gate = at_gate.clone();
            async move {
                gate.pass().await;
                "x".repeat(4096)
            }
        });
        let (routes, mut noted) = noting(routes, "note");
        let road = LocalConnector::new(unique("ends"));
        let limits = Limits::new().running(1).queued(1, 1024);
        let server = RouteServer::new(road.clone(), routes).limits(limits).start().await.unwrap();
        let road = FaultConnector::new(road, Faults::seeded(1));
        let client = Arc::new(RouteClient::builder(road.clone()).routes(echo()).connect().await.unwrap());
        let asks = client.clone();
        let asking = tokio::spawn(async move { asks.request::<_, String>("ask", &()).await });
        eventually("it runs", || gate.is_awaited()).await;
        for number in 0..3 {
            client.throw("note", &number).await.unwrap();
        }
        assert_eq!(server.any_peer().request::<_, i64>("echo", &1).await.unwrap(), 1, "all came");
        road.unplug();
        eventually("the client is gone", || server.peers().is_empty()).await;
        let since = Instant::now();
        let (opens, stops) = (async { gate.open() }, server.stop());
        tokio::join!(stops, opens);
        assert!(since.elapsed() < AT_ONCE, "stopped after {:?}", since.elapsed());
        assert_eq!(take(&mut noted, 3).await, [0, 1, 2]);
        asking.abort();
    })
    .await;
}

/// Nobody drives it, and so nobody ends the task that accepts.
#[test]
fn a_server_whose_runtime_stands_still_stops_in_its_time() {
    let (servers, others) = (runtime(), runtime());
    let server =
        RouteServer::new(LocalConnector::new(unique("ends")), echo()).grace(Duration::from_millis(100));
    let server = servers.block_on(server.start()).unwrap();
    others.block_on(within(10, server.stop()));
}
