//! A server keeps a place for each client it knows: so many, for so long, and no place is lost.

use std::time::Duration;

use communica::{Connector, RouteServerHandle};
use communica::{
    Error, Limits, LocalConnector, MemoryConnector, Reason, RouteClient, RouteServer, RouteTable,
};

use tokio::task::JoinHandle;

use super::gated::{GatedConnector, Step};
use super::log::Log;
use crate::raw_peer::peer::RawPeer;
use crate::support::{Gate, echo, eventually, noting, quick, request_in, soon, take, unique, within};

async fn serve(connector: impl Connector, limits: Limits) -> RouteServerHandle {
    RouteServer::new(connector, echo()).limits(limits).start().await.unwrap()
}

#[tokio::test]
async fn one_client_more_than_may_be_is_refused_with_the_reason() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = serve(connector.clone(), Limits::new().peers(2)).await;
        let _one = RouteClient::connect(connector.clone()).await.unwrap();
        let _two = RouteClient::connect(connector.clone()).await.unwrap();
        eventually("both are there", || server.peers().len() == 2).await;
        match RouteClient::connect(connector).await {
            Err(Error::Refused { reason, .. }) => {
                assert!(reason.contains("2 clients") && reason.contains("Limits::peers"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_that_no_hello_can_hold_is_told_at_once() {
    let client = RouteClient::builder(MemoryConnector::unique()).token("x".repeat(64 * 1024));
    match client.start() {
        Err(Error::Connect { reason, .. }) => assert!(reason.contains("take shorter ones"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// All that have none would push each other out.
#[tokio::test]
async fn an_empty_client_id_is_refused() {
    within(20, async {
        const WHY: &str = "the client id is empty";
        let log = Log::default();
        let _heard = log.hears();
        let name = unique("places");
        let road = LocalConnector::new(&name);
        let _server = serve(road.clone(), Limits::new()).await;
        match RouteClient::builder(road).client_id("").start() {
            Err(Error::Connect { reason, .. }) => assert!(reason.contains(WHY), "{reason}"),
            other => panic!("{other:?}"),
        }
        let mut peer = RawPeer::local(&name).await;
        peer.send_hello("").await;
        let said = peer.expect_end().await;
        assert!(String::from_utf8_lossy(&said).contains(WHY), "{said:?}");
        eventually("it is told", || log.text().contains("refused a connection")).await;
    })
    .await;
}

/// On one thread, so that all of it is heard.
#[tokio::test]
async fn the_log_says_who_was_refused() {
    within(20, async {
        let log = Log::default();
        let _heard = log.hears();
        let road = LocalConnector::new(unique("places"));
        let server = RouteServer::new(road.clone(), echo()).authorize(|_| Err("not on the list".to_owned()));
        let _server = server.start().await.unwrap();
        for (id, told) in [("w1".to_owned(), "w1".to_owned()), ("x".repeat(2000), "x […] x".to_owned())] {
            let ended = RouteClient::builder(road.clone()).client_id(id).connect().await;
            assert!(matches!(ended, Err(Error::Refused { .. })), "{ended:?}");
            eventually("it is told", || log.text().contains(&told)).await;
        }
        let text = log.text();
        for part in ["refused a connection", "not on the list", r#"("client_id", "\"w1\"")"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let pid = format!("(\"pid\", \"{}\")", std::process::id());
        assert!(!cfg!(target_os = "linux") || text.contains(&pid), "{pid} is not in {text}");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_gone_makes_room_for_a_new_one() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = serve(connector.clone(), Limits::new().peers(1)).await;
        let first = RouteClient::builder(connector.clone()).client_id("w1").connect().await.unwrap();
        let gone = server.peer("w1").await;
        first.close().await;
        eventually("the server sees the client go", || server.peers().is_empty()).await;
        let queued = tokio::spawn(async move { gone.request::<_, i64>("echo", &1).await });
        tokio::task::yield_now().await;
        let second = connect_soon(&connector).await;
        assert_eq!(second.request::<_, i64>("echo", &2).await.unwrap(), 2);
        let ended = queued.await.unwrap();
        assert!(matches!(ended, Err(Error::NotSent(Reason::Forgotten))), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn the_one_that_is_gone_longest_makes_room() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = serve(connector.clone(), Limits::new().peers(2)).await;
        let connect = |id| RouteClient::builder(connector.clone()).client_id(id).connect();
        // Not in the order of their names.
        let (longest, shorter) = (connect("w2").await.unwrap(), connect("w1").await.unwrap());
        let peers = [server.peer("w2").await, server.peer("w1").await];
        longest.close().await;
        eventually("the server sees the first go", || server.peers().len() == 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        shorter.close().await;
        eventually("the server sees the second go", || server.peers().is_empty()).await;
        let _newcomer = connect_soon(&connector).await;
        let [forgotten, known] = peers;
        let ended = request_in(soon(), &forgotten, "echo", 1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Forgotten))), "{ended:?}");
        let ended = request_in(Duration::from_millis(50), &known, "echo", 1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { .. }))), "{ended:?}");
    })
    .await;
}

/// The server may take a moment to note that a client is gone.
async fn connect_soon(connector: &MemoryConnector) -> RouteClient {
    loop {
        match RouteClient::connect(connector.clone()).await {
            Ok(client) => return client,
            Err(Error::Refused { .. }) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_is_gone_for_too_long_is_forgotten_with_what_waits_for_it() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server = serve(connector.clone(), Limits::new().forget_time(Duration::from_millis(100))).await;
        let client = RouteClient::builder(connector.clone()).client_id("w1").connect().await.unwrap();
        let stays = RouteClient::builder(connector.clone()).client_id("w2").routes(echo());
        let _stays = stays.connect().await.unwrap();
        let peer = server.peer("w1").await;
        client.close().await;
        let ended = peer.request::<_, i64>("echo", &1).await;
        // It may have gone out just before the link ended, else it waits until the client is forgotten.
        assert!(
            matches!(ended, Err(Error::NotSent(Reason::Forgotten)) | Err(Error::MayHaveRun(_))),
            "{ended:?}"
        );
        let ended = peer.request::<_, i64>("echo", &1).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::Forgotten))), "{ended:?}");
        assert_eq!(server.peer("w2").await.request::<_, i64>("echo", &1).await.unwrap(), 1);
        let back = RouteClient::builder(connector).client_id("w1").routes(echo()).connect().await.unwrap();
        assert_eq!(server.peer("w1").await.request::<_, i64>("echo", &2).await.unwrap(), 2);
        drop(back);
    })
    .await;
}

#[tokio::test]
async fn connections_that_break_off_after_their_hello_take_no_place() {
    within(30, async {
        let name = unique("places");
        let limits = Limits::new().peers(4).forget_time(Duration::from_millis(100));
        let _server = serve(LocalConnector::new(&name), limits).await;
        for number in 0..50 {
            let mut rude = RawPeer::local(&name).await;
            rude.send_hello(&format!("rude{number}")).await;
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let healthy = loop {
            match RouteClient::connect(LocalConnector::new(&name)).await {
                Ok(client) => break client,
                Err(Error::Refused { reason, .. }) => {
                    assert!(tokio::time::Instant::now() < deadline, "nobody is connected, and yet: {reason}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(healthy.request::<_, i64>("echo", &1).await.unwrap(), 1);
    })
    .await;
}

/// A client is back and in the last step of its handshake, which takes its time.
async fn coming_back(limits: Limits) -> (GatedConnector, RouteServerHandle, JoinHandle<RouteClient>) {
    let connector = GatedConnector::after(1, Step::Accept);
    let server = serve(connector.clone(), limits).await;
    let builder = || RouteClient::builder(connector.clone()).routes(echo()).client_id("w1");
    builder().connect().await.unwrap().close().await;
    eventually("the server sees the client go", || server.peers().is_empty()).await;
    let client = builder().connect();
    let client = tokio::spawn(async move { client.await.expect("the client comes back") });
    connector.reached.pass().await;
    (connector, server, client)
}

async fn assert_has_its_place(server: &RouteServerHandle, client: JoinHandle<RouteClient>) {
    let client = within(5, client).await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
    let peer = within(5, server.peer("w1")).await;
    assert_eq!(within(5, peer.request::<_, i64>("echo", &2)).await.unwrap(), 2);
    assert_eq!(server.peers().len(), 1);
}

#[tokio::test]
async fn a_client_that_is_coming_back_is_not_forgotten() {
    within(20, async {
        let limits = Limits::new().forget_time(Duration::from_millis(50));
        let (connector, server, client) = coming_back(limits).await;
        // Time enough to forget it several times over.
        tokio::time::sleep(Duration::from_millis(300)).await;
        connector.gate.open();
        assert_has_its_place(&server, client).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_coming_back_does_not_lose_its_place_to_another() {
    within(20, async {
        let (connector, server, client) = coming_back(Limits::new().peers(1)).await;
        let other = RouteClient::connect(connector.clone());
        let other = tokio::time::timeout(Duration::from_secs(1), other).await;
        assert!(matches!(other, Ok(Err(Error::Refused { .. }))), "the other one was let in: {other:?}");
        connector.gate.open();
        assert_has_its_place(&server, client).await;
    })
    .await;
}

/// The later of two clients with one id has it, however long the handshake of the other takes.
#[tokio::test]
async fn a_slow_handshake_does_not_take_the_place_of_a_client_that_came_later() {
    within(20, async {
        let connector = GatedConnector::after(0, Step::Prepare);
        let server = serve(connector.clone(), Limits::new()).await;
        let [older, newer] = [(), ()].map(|()| RouteClient::builder(connector.clone()).client_id("w1"));
        let older = tokio::spawn(quick(older).connect());
        connector.reached.pass().await;
        let newer = newer.connect().await.unwrap();
        assert_eq!(newer.request::<_, i64>("echo", &1).await.unwrap(), 1);
        connector.gate.open();
        let told = older.await.unwrap().unwrap_err().to_string();
        assert!(told.contains("another connection with the same client id took over"), "{told}");
        assert_eq!(newer.request::<_, i64>("echo", &2).await.unwrap(), 2);
        assert_eq!(server.peers().len(), 1);
    })
    .await;
}

/// It knows of its connection already, and its server does not carry anything yet.
#[tokio::test]
async fn stop_waits_for_a_client_whose_handshake_is_about_to_end() {
    within(20, async {
        let connector = GatedConnector::after(0, Step::Accept);
        let server = serve(connector.clone(), Limits::new()).await;
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let client = tokio::spawn(
            quick(RouteClient::builder(connector.clone())).client_id("w1").routes(routes).connect(),
        );
        connector.reached.pass().await;
        let peer = server.peer("w1").await;
        for number in 0..3 {
            peer.throw("note", &number).await.unwrap();
        }
        let stopping = tokio::spawn(async move { server.stop().await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!stopping.is_finished(), "what was thrown was not delivered");
        connector.gate.open();
        assert_eq!(take(&mut noted, 3).await, [0, 1, 2]);
        within(5, stopping).await.unwrap();
        drop(client.await.unwrap().unwrap());
    })
    .await;
}

/// Its server stood still, or was far away: the client gave that attempt up and made another.
#[tokio::test]
async fn an_attempt_that_a_client_gave_up_does_not_end_its_next_one() {
    within(20, async {
        let connector = GatedConnector::after(0, Step::Prepare);
        let server = serve(connector.clone(), Limits::new()).await;
        let limits = Limits::new().handshake_time(Duration::from_millis(200));
        let client = quick(RouteClient::builder(connector.clone())).limits(limits).client_id("w1");
        let client = client.connect().await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        connector.gate.open();
        for number in 0..50 {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(server.peers().len(), 1);
    })
    .await;
}

/// A newcomer comes in while the server waits for the handlers of others.
#[tokio::test]
async fn a_stopping_server_lets_no_newcomer_in() {
    within(20, async {
        let gate = Gate::shut();
        let connector = GatedConnector::after(1, Step::Hello);
        let slow = gate.clone();
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let gate = slow.clone();
            async move { gate.pass().await }
        });
        let server = RouteServer::new(connector.clone(), routes).start().await.unwrap();
        let client = RouteClient::connect(connector.clone()).await.unwrap();
        let held = tokio::spawn(async move { client.request::<_, ()>("slow", &()).await });
        eventually("the handler runs", || gate.is_awaited()).await;
        let newcomer = tokio::spawn(
            quick(RouteClient::builder(connector.clone())).connect_timeout(Duration::from_secs(1)).connect(),
        );
        connector.reached.pass().await;
        let stopping = tokio::spawn(async move { server.stop().await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        connector.gate.open();
        let told = newcomer.await.unwrap().unwrap_err();
        assert!(matches!(told, Error::Connect { .. }), "it may try again elsewhere: {told:?}");
        gate.open();
        held.await.unwrap().unwrap();
        stopping.await.unwrap();
    })
    .await;
}

/// Nobody waits any more for what a client asked that does not come back.
#[tokio::test]
async fn handlers_of_a_client_that_is_forgotten_are_stopped() {
    within(20, async {
        let gate = Gate::shut();
        let slow = gate.clone();
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let gate = slow.clone();
            async move { gate.pass().await }
        });
        let connector = MemoryConnector::unique();
        let limits = Limits::new().forget_time(Duration::from_millis(100));
        let _server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let client = RouteClient::connect(connector).await.unwrap();
        let held = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, ()>("slow", &()).await }
        });
        eventually("the handler runs", || gate.is_awaited()).await;
        client.close().await;
        held.await.unwrap().unwrap_err();
        eventually("the handler is stopped", || !gate.is_awaited()).await;
    })
    .await;
}
