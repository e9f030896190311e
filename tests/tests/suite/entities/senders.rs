//! Who sent a message is known by the link that brought it, whoever has the client id by now.

use std::sync::{Arc, Mutex};

use communica::{
    Context, Limits, Peer, RouteClient, RouteServer, RouteServerHandle, RouteTable, TcpConnector,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::raw_peer::peer::RawPeer;
use crate::support::{Gate, Held, eventually, holding, within};

/// A server whose `who` notes the address of its caller, and whose `hold` stands before the gate.
struct Desk {
    server: RouteServerHandle,
    port: u16,
    gate: Gate,
    held: Held,
    seen: mpsc::UnboundedReceiver<String>,
}

impl Desk {
    async fn with(limits: Limits) -> Self {
        let (sees, seen) = mpsc::unbounded_channel();
        let who = move |cx: Context, (): ()| sees.send(cx.peer().info().address).unwrap_or_default();
        let gate = Gate::shut();
        let (routes, held) = holding(RouteTable::new().route("who", who), "hold", &gate);
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes).limits(limits);
        let server = server.start().await.unwrap();
        let state: Value = serde_json::from_str(&server.dump_state()).unwrap();
        let port = u16::try_from(state["port"].as_u64().unwrap()).unwrap();
        Self { server, port, gate, held, seen }
    }

    /// A client with the id that all of them have.
    async fn client(&self) -> RouteClient {
        let road = TcpConnector::new("127.0.0.1", self.port);
        RouteClient::builder(road).client_id("w1").connect().await.unwrap()
    }

    async fn seen(&mut self) -> String {
        self.seen.recv().await.expect("the handler is there")
    }
}

#[tokio::test]
async fn a_throw_that_waited_is_not_taken_for_one_of_the_client_that_came_later() {
    within(30, async {
        let mut desk = Desk::with(Limits::new().running(1)).await;
        let earlier = desk.client().await;
        earlier.throw("who", &()).await.unwrap();
        let address = desk.seen().await;
        earlier.throw("hold", &1).await.unwrap();
        earlier.throw("who", &()).await.unwrap();
        // All of it came before the goodbye did.
        earlier.close().await;
        let later = desk.client().await;
        later.throw("who", &()).await.unwrap();
        desk.gate.open();
        assert_eq!(desk.seen().await, address);
        assert_ne!(desk.seen().await, address);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_a_handler_keeps_says_who_called_it() {
    within(30, async {
        let kept: Arc<Mutex<Vec<Peer>>> = Arc::default();
        let keeps = kept.clone();
        let routes = RouteTable::new().route("keep", move |cx: Context, (): ()| {
            keeps.lock().unwrap().push(cx.peer().clone());
        });
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes).start().await.unwrap();
        let road = TcpConnector::load_state(&server.dump_state()).unwrap();
        let mut clients = Vec::new();
        for _ in 0..2 {
            let client = RouteClient::builder(road.clone()).client_id("w1").connect().await.unwrap();
            client.request::<_, ()>("keep", &()).await.unwrap();
            clients.push(client);
        }
        let addresses: Vec<_> = kept.lock().unwrap().iter().map(|peer| peer.info().address).collect();
        assert_ne!(addresses[0], addresses[1]);
        let latest = server.peer("w1").await.info();
        assert_eq!(latest.address, addresses[1]);
        assert_eq!(kept.lock().unwrap()[0].clone().info().address, addresses[0], "a clone is the same peer");
    })
    .await;
}

/// A raw client whose request is with its handler.
async fn asking(desk: &Desk, about: Option<&Value>) -> RawPeer {
    let mut peer = RawPeer::tcp(desk.port).await;
    match about {
        None => peer.hello("w1").await,
        Some(about) => drop(peer.introduce("w1", about).await),
    }
    peer.send_message(r#"{"id": "asked", "type": 1, "route": "hold"}"#, b"7").await;
    eventually("the handler runs", || desk.held.inside() == 1).await;
    peer
}

#[tokio::test]
async fn what_a_client_without_a_session_asked_ends_when_one_with_a_session_comes() {
    within(30, async {
        let desk = Desk::with(Limits::new()).await;
        let _earlier = asking(&desk, None).await;
        let _later = desk.client().await;
        eventually("the handler is stopped", || desk.held.inside() == 0).await;
        assert_eq!(desk.held.finished(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_client_with_a_session_asked_ends_when_one_without_comes() {
    within(30, async {
        let desk = Desk::with(Limits::new()).await;
        let _earlier = asking(&desk, Some(&json!({"instance": "a", "features": []}))).await;
        RawPeer::tcp(desk.port).await.hello("w1").await;
        eventually("the handler is stopped", || desk.held.inside() == 0).await;
        assert_eq!(desk.held.finished(), 0);
    })
    .await;
}

/// Whether it is the same process is known to nobody: Python's clients come back like that.
#[tokio::test]
async fn what_a_client_without_a_session_asked_is_answered_to_the_next_one_without() {
    within(30, async {
        let desk = Desk::with(Limits::new()).await;
        let _earlier = asking(&desk, None).await;
        let mut later = RawPeer::tcp(desk.port).await;
        later.hello("w1").await;
        eventually("it has its link", || desk.server.peers().len() == 1).await;
        desk.gate.open();
        assert_eq!(later.message().await.1, b"7");
        assert_eq!(desk.held.finished(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_place_one_without_took_does_not_get_it_back() {
    within(30, async {
        let desk = Desk::with(Limits::new()).await;
        let about = json!({"instance": "a", "features": []});
        let mut earlier = RawPeer::tcp(desk.port).await;
        earlier.introduce("w1", &about).await;
        let mut later = RawPeer::tcp(desk.port).await;
        later.hello("w1").await;
        // It did not hear that its place was taken.
        drop(earlier);
        let mut again = RawPeer::tcp(desk.port).await;
        again.send(format!("{}\0", json!({"client_id": "w1", "communica": about})).as_bytes()).await;
        let told = again.expect_end().await;
        assert_eq!(told.first(), Some(&4), "it was let in: {:?}", String::from_utf8_lossy(&told));
        assert!(String::from_utf8_lossy(&told).contains("took over"));
        desk.gate.open();
        later.send_message(r#"{"id": "asked", "type": 1, "route": "hold"}"#, b"7").await;
        assert_eq!(later.message().await.1, b"7");
    })
    .await;
}
