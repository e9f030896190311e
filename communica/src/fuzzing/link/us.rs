//! The attacked side: a server with a client that behaves well, or a client; and the calls that it makes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::script::Script;
use super::in_time;
use super::road::{Knocking, Road};
use crate::{
    Backoff, CallError, CallOptions, Caller, Context, Error, IntoCaller, JsonSerializer, Limits,
    NoServiceError, Peer, RouteClient, RouteServer, RouteServerHandle, RouteTable,
};

/// Handlers of one peer at once, while nobody waits for it.
const RUNNING: usize = 2;
/// At so many times that there is an end, see [`Limits::running`].
const NESTED: usize = 16;
/// Clients that are gone are forgotten after this time.
pub(super) const FORGET: Duration = Duration::from_secs(5);
const GOOD: &str = "good";

pub(super) struct Us {
    entity: Entity,
    calls: Vec<JoinHandle<()>>,
    running: Running,
}

enum Entity {
    Server { server: RouteServerHandle, good: RouteClient },
    Client(RouteClient),
}

impl Us {
    pub(super) async fn server(road: &Road, knocking: Knocking) -> Self {
        road.listens(knocking);
        let running = Running::default();
        let server = RouteServer::new(road.clone(), routes(&running)).limits(limits());
        let server = server.grace(Duration::from_secs(2)).start().await.expect("nobody else listens");
        let good = RouteClient::builder(road.clone()).client_id(GOOD).connect().await;
        let good = good.expect("the server lets it in");
        Self { entity: Entity::Server { server, good }, calls: Vec::new(), running }
    }

    pub(super) fn client(road: &Road) -> Self {
        let running = Running::default();
        let builder = RouteClient::builder(road.clone()).routes(routes(&running)).limits(limits());
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(100));
        let builder = builder.client_id("ours").backoff(backoff).grace(Duration::from_secs(2));
        let client = builder.start().expect("its routes are fine");
        Self { entity: Entity::Client(client), calls: Vec::new(), running }
    }

    /// Somebody hostile to call.
    fn target(&self, script: &mut Script<'_>) -> Option<Peer> {
        match &self.entity {
            Entity::Client(client) => Some(client.clone().into_caller()),
            Entity::Server { server, .. } => {
                let mut peers = server.peers();
                peers.retain(|peer| peer.client_id() != GOOD);
                peers.sort_by(|a, b| a.client_id().cmp(b.client_id()));
                let which = script.byte();
                (!peers.is_empty()).then(|| peers.swap_remove(usize::from(which) % peers.len()))
            }
        }
    }

    pub(super) fn request(&mut self, script: &mut Script<'_>) {
        let Some(peer) = self.target(script) else { return };
        let text = "x".repeat(script.pick(&[1, 1, 100, 3000]));
        let options = match script.byte() % 2 {
            0 => CallOptions::new(),
            _ => CallOptions::new().timeout(Duration::from_millis(20)),
        };
        self.calls.push(tokio::spawn(async move {
            let ended: Result<Value, CallError<NoServiceError>> =
                Caller::request(&peer, &options, "ask", &JsonSerializer, &text).await;
            drop(ended);
        }));
    }

    pub(super) fn throw(&mut self, script: &mut Script<'_>) {
        let Some(peer) = self.target(script) else { return };
        let text = "x".repeat(script.pick(&[1, 1, 100, 3000]));
        self.calls.push(tokio::spawn(async move { drop(peer.throw("tell", &text).await) }));
    }

    pub(super) fn give_up_a_call(&mut self, script: &mut Script<'_>) {
        let which = script.byte();
        if !self.calls.is_empty() {
            self.calls.swap_remove(usize::from(which) % self.calls.len()).abort();
        }
    }

    /// Whoever behaves well is served.
    pub(super) async fn is_well(&self) {
        if let Entity::Server { good, .. } = &self.entity {
            let answer = in_time("an answer to a good client", good.request::<_, i64>("echo", &7)).await;
            assert_eq!(answer.expect("a good client is served"), 7);
        }
    }

    /// Ends in order; then every call has ended.
    pub(super) async fn end(self) {
        match self.entity {
            Entity::Client(client) => client.close().await,
            Entity::Server { server, good } => {
                good.close().await;
                server.stop().await;
            }
        }
        for call in self.calls {
            let ended = in_time("the end of a call", call).await;
            assert!(ended.is_ok_and(|()| true), "a call panicked");
        }
        for (client_id, (_, most)) in self.running.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            assert!(*most <= RUNNING * NESTED, "{most} handlers of {client_id} ran at once");
        }
    }
}

fn limits() -> Limits {
    Limits::new()
        .message_size(4096)
        .chunk_size(1024)
        .running(RUNNING)
        .waiting(8, 2048)
        .queued(8, 4096)
        .peers(3)
        .handshakes(4)
        .handshake_time(Duration::from_secs(2))
        .stall_time(Duration::from_secs(3))
        .forget_time(FORGET)
        .silence_time(Duration::from_secs(2))
        .resume_time(Duration::from_secs(2))
        .unacknowledged(8, 4096)
}

/// Handlers by client: that run now, and the most that did.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<String, (usize, usize)>>>);

impl Running {
    fn enter(&self, cx: &Context) -> Inside {
        let client_id = cx.client_id().to_owned();
        self.count(&client_id, |now| now + 1);
        Inside { running: self.clone(), client_id }
    }

    fn count(&self, client_id: &str, change: impl Fn(usize) -> usize) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, most) = all.entry(client_id.to_owned()).or_default();
        *now = change(*now);
        *most = (*most).max(*now);
    }
}

struct Inside {
    running: Running,
    client_id: String,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.running.count(&self.client_id, |now| now - 1);
    }
}

fn routes(running: &Running) -> RouteTable {
    let (later, back) = (running.clone(), running.clone());
    RouteTable::new()
        .route("echo", |value: Value| value)
        .route("later", move |cx: Context, value: Value| {
            let inside = later.enter(&cx);
            async move {
                sleep(Duration::from_millis(50)).await;
                drop(inside);
                value
            }
        })
        .route("back", move |cx: Context, value: Value| {
            let inside = back.enter(&cx);
            async move {
                let options = CallOptions::new().timeout(Duration::from_secs(1));
                let ended: Result<Value, CallError<NoServiceError>> =
                    Caller::request(cx.peer(), &options, "ask", &JsonSerializer, &value).await;
                drop(inside);
                ended.map_err(Error::from)
            }
        })
}
