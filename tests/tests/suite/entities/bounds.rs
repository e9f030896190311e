//! One bound after the other is met; what its documentation says happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use communica::{
    Error, FaultConnector, Faults, Limits, LocalConnector, MemoryConnector, RouteClient, RouteServer,
    RouteServerHandle, RouteTable, TcpConnector,
};
use communica_tests::{patience, patiently};
use serde_json::Value;
use tokio::time::timeout;

use super::log::Log;
use crate::raw_peer::peer::RawPeer;
use crate::support::{Gate, echo, eventually, holding, quick, unique, within};

#[tokio::test]
async fn no_more_handlers_run_than_may_and_all_run_in_the_end() {
    within(20, async {
        let gate = Gate::shut();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (gate_in, now_in, most_in) = (gate.clone(), now.clone(), most.clone());
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let (gate, now, most) = (gate_in.clone(), now_in.clone(), most_in.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.pass().await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let connector = MemoryConnector::unique();
        let server = RouteServer::new(connector.clone(), routes).limits(Limits::new().running(3));
        let _server = server.start().await.unwrap();
        let client = RouteClient::connect(connector).await.unwrap();
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.request::<_, ()>("slow", &()).await })
            })
            .collect();
        eventually("three handlers run", || now.load(Ordering::SeqCst) == 3).await;
        gate.open();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_too_much_waiting_is_cut_off_when_its_answer_is_awaited() {
    within(30, async {
        // The server waits for an answer of this client, so it has to go on reading.
        let (gate, asked) = (Gate::shut(), Gate::shut());
        let (server_gate, client_asked) = (gate.clone(), asked.clone());
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let gate = server_gate.clone();
            async move { gate.pass().await }
        });
        let connector = MemoryConnector::unique();
        let limits = Limits::new().running(2).waiting(10, 1 << 20);
        let server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let hang = RouteTable::new().route("hang", move |(): ()| {
            client_asked.open();
            std::future::pending::<()>()
        });
        let client = quick(RouteClient::builder(connector)).routes(hang).client_id("w1");
        let client = client.connect().await.unwrap();
        let peer = server.peer("w1").await;
        let awaited = tokio::spawn(async move { peer.request::<_, ()>("hang", &()).await });
        asked.pass().await;
        for _ in 0..200 {
            client.throw("slow", &()).await.unwrap();
        }
        let ended = awaited.await.unwrap();
        let text = format!("{ended:?}");
        assert!(matches!(ended, Err(Error::MayHaveRun(_))), "{text}");
        assert!(text.contains("Limits::waiting"), "{text}");
        gate.open();
    })
    .await;
}

#[tokio::test]
async fn a_link_that_takes_nothing_for_too_long_is_lost() {
    within(20, async {
        let name = unique("stall");
        let limits = Limits::new().stall_time(Duration::from_millis(200));
        let server = RouteServer::new(LocalConnector::new(&name), echo()).limits(limits);
        let server = server.start().await.unwrap();
        let mut deaf = RawPeer::local(&name).await;
        deaf.hello("deaf").await;
        let healthy = RouteClient::connect(LocalConnector::new(&name)).await.unwrap();
        eventually("both are there", || server.peers().len() == 2).await;
        server.peer("deaf").await.throw("any", &"x".repeat(4 << 20)).await.unwrap();
        eventually("the deaf one is given up", || server.peers().len() == 1).await;
        assert_eq!(healthy.request::<_, i64>("echo", &1).await.unwrap(), 1);
        drop(deaf);
    })
    .await;
}

/// Its signs of life are no word of what came.
#[tokio::test]
async fn a_peer_that_lives_and_takes_nothing_for_too_long_loses_its_link() {
    lives_and_takes_nothing(None).await;
}

/// Where small messages overtook a large one lately, turns are short.
#[tokio::test]
async fn so_does_one_for_which_something_large_was_overtaken() {
    lives_and_takes_nothing(Some("x".repeat(4 << 20))).await;
}

async fn lives_and_takes_nothing(large: Option<String>) {
    within(30, async {
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new(), "hold", &gate);
        let inner = LocalConnector::new(unique("stall"));
        let busy = Limits::new().running(1).waiting(2, usize::MAX).silence_time(Duration::from_millis(200));
        let _server = RouteServer::new(inner.clone(), routes).limits(busy).start().await.unwrap();
        let road = FaultConnector::new(inner, Faults::seeded(1));
        let limits = Limits::new()
            .unacknowledged(4, usize::MAX)
            .stall_time(Duration::from_millis(500))
            .silence_time(Duration::from_millis(200));
        let client = quick(RouteClient::builder(road.clone())).limits(limits).connect().await.unwrap();
        if let Some(large) = large {
            client.throw("unknown", &large).await.unwrap();
        }
        for number in 0..200 {
            client.throw("hold", &number).await.unwrap();
        }
        let since = Instant::now();
        eventually("it is given up", || road.links() > 1).await;
        assert!(
            since.elapsed() < Duration::from_secs(3),
            "its signs of life kept it for {:?}",
            since.elapsed()
        );
        gate.open();
        eventually("all of it comes", || held.finished() == 200).await;
    })
    .await;
}

/// A server with these limits, and the way to it with faults.
async fn over_tcp(limits: Limits, faults: Faults) -> (RouteServerHandle, FaultConnector) {
    let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).limits(limits);
    let server = server.start().await.unwrap();
    let road = TcpConnector::load_state(&server.dump_state()).unwrap();
    (server, FaultConnector::new(road, faults))
}

#[tokio::test]
async fn a_link_that_takes_its_time_is_not_lost_when_nothing_waits() {
    within(20, async {
        let limits = Limits::new().stall_time(Duration::from_millis(50));
        let (_server, road) = over_tcp(limits.clone(), Faults::seeded(1)).await;
        let client = RouteClient::builder(road.clone()).limits(limits).connect().await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        // Longer than the bound several times over, with nothing to say.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
        assert_eq!(road.links(), 1, "a good link was lost");
    })
    .await;
}

#[tokio::test]
async fn a_link_that_takes_little_at_a_time_is_not_lost() {
    within(40, async {
        // Each time it takes something, its time begins anew.
        let limits = Limits::new().stall_time(patiently(2));
        let faults = Faults::seeded(1).stall(1000..=1000, Duration::from_millis(50) * patience());
        let (_server, road) = over_tcp(limits.clone(), faults).await;
        let client = RouteClient::builder(road.clone()).limits(limits).connect().await.unwrap();
        let (text, since) = ("x".repeat(60_000), Instant::now());
        assert!(client.request::<_, String>("echo", &text).await.unwrap() == text);
        assert!(since.elapsed() > patiently(2), "it took {:?} only", since.elapsed());
        assert_eq!((road.cuts(), road.links()), (0, 1), "a good link was lost");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_in_time() {
    within(20, async {
        let name = unique("silent");
        let limits = Limits::new().handshake_time(Duration::from_millis(100)).handshakes(2);
        let server = RouteServer::new(LocalConnector::new(&name), echo()).limits(limits);
        let _server = server.start().await.unwrap();
        // As many as may be in their handshake, and more.
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(RawPeer::local(&name).await);
        }
        let healthy = RouteClient::connect(LocalConnector::new(&name)).await.unwrap();
        assert_eq!(healthy.request::<_, i64>("echo", &1).await.unwrap(), 1);
        for peer in &mut silent {
            peer.expect_end().await;
        }
    })
    .await;
}

#[tokio::test]
async fn further_connections_wait_while_so_many_are_in_their_handshake() {
    within(60, async {
        let limits = Limits::new().handshake_time(patiently(40)).handshakes(2);
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).limits(limits);
        let server = server.start().await.unwrap();
        let state: Value = serde_json::from_str(&server.dump_state()).unwrap();
        let port = u16::try_from(state["port"].as_u64().unwrap()).unwrap();
        let [silent, _also_silent] = [RawPeer::tcp(port).await, RawPeer::tcp(port).await];
        let mut third = RawPeer::tcp(port).await;
        third.send_hello("third").await;
        let answered = timeout(Duration::from_millis(500), third.read_hello()).await;
        assert!(answered.is_err(), "one more than may be was let in");
        drop(silent);
        third.read_hello().await;
        third.expect_served().await;
    })
    .await;
}

/// A large message makes room for callers when it is done, not only when the queue is filled anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_for_room_behind_large_messages_all_have_their_turn() {
    within(60, async {
        let connector = LocalConnector::new(unique("bounds"));
        let routes = RouteTable::new().route("len", |text: String| text.len());
        let _server = RouteServer::new(connector.clone(), routes).start().await.unwrap();
        let limits = Limits::new().queued(1000, 4 << 20);
        let client = RouteClient::builder(connector).limits(limits).connect().await.unwrap();
        let text: Arc<str> = "x".repeat(2 << 20).into();
        for _ in 0..5 {
            let calls: Vec<_> = (0..12)
                .map(|_| {
                    let (client, text) = (client.clone(), text.clone());
                    tokio::spawn(async move { client.request::<_, usize>("len", &text).await })
                })
                .collect();
            for call in calls {
                assert_eq!(within(50, call).await.unwrap().unwrap(), text.len());
            }
        }
    })
    .await;
}

/// What a client threw is handled though it is forgotten, and holds its place for so long: others could come, throw and leave, one
/// after the other.
#[tokio::test]
async fn a_client_whose_throws_still_run_holds_its_place() {
    within(30, async {
        let gate = Gate::shut();
        let (routes, held) = holding(echo(), "hold", &gate);
        let road = MemoryConnector::unique();
        let limits = Limits::new().peers(2).running(1).forget_time(Duration::from_millis(50));
        let server = RouteServer::new(road.clone(), routes).limits(limits).start().await.unwrap();
        let comes =
            |number: usize| RouteClient::builder(road.clone()).client_id(format!("w{number}")).connect();
        for number in 0..2 {
            let client = comes(number).await.unwrap();
            client.throw("hold", &1).await.unwrap();
            client.close().await;
        }
        eventually("they run", || held.inside() == 2).await;
        eventually("they are gone", || server.peers().is_empty()).await;
        for number in 2..6 {
            // Also when those that left were forgotten.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let refused = comes(number).await.expect_err("there is no place");
            assert!(refused.to_string().contains("Limits::peers"), "{refused}");
        }
        gate.open();
        // The server learns a moment after its handlers that they are done.
        let client = loop {
            match comes(7).await {
                Ok(client) => break client,
                Err(refused) => assert!(refused.to_string().contains("Limits::peers"), "{refused}"),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_room_is_told_by_inflight() {
    within(20, async {
        let limits = Limits::new().queued(2, 1 << 20);
        let client = RouteClient::builder(MemoryConnector::unique()).limits(limits).start().unwrap();
        for number in 0..2 {
            client.throw("note", &number).await.unwrap();
        }
        assert!(client.inflight().is_empty(), "what is accepted waits for nothing");
        let asks = client.clone();
        let call = tokio::spawn(async move { asks.request::<_, i64>("echo", &1).await });
        eventually("it is told", || client.inflight().len() == 1).await;
        let told = client.inflight().remove(0);
        assert!(told.route.as_deref() == Some("echo") && !told.is_sent, "{told:?}");
        call.abort();
        eventually("nobody waits", || client.inflight().is_empty()).await;
    })
    .await;
}

/// As where one client is shared by many who wait for each other.
#[tokio::test]
async fn the_log_tells_of_messages_that_wait_for_handlers_of_which_none_ends() {
    within(30, async {
        let (log, gate) = (Log::default(), Gate::shut());
        let _hears = log.hears();
        let (routes, held) = holding(echo(), "hold", &gate);
        let road = MemoryConnector::unique();
        let limits = Limits::new().running(2).silence_time(Duration::from_millis(400));
        let _server = RouteServer::new(road.clone(), routes).limits(limits).start().await.unwrap();
        let client = RouteClient::builder(road).client_id("gateway").connect().await.unwrap();
        for number in 0..2 {
            client.throw("hold", &number).await.unwrap();
        }
        let asks = client.clone();
        let waits = tokio::spawn(async move { asks.request::<_, i64>("echo", &1).await });
        eventually("two run", || held.inside() == 2).await;
        eventually("it is told", || log.text().contains("Limits::running")).await;
        assert!(log.text().contains("gateway"), "{}", log.text());
        gate.open();
        assert_eq!(waits.await.unwrap().unwrap(), 1);
        assert_eq!(log.text().matches("Limits::running").count(), 1, "it is told once");
    })
    .await;
}
