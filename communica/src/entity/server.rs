//! The listening side: connections become peers, by client id.

mod places;
mod running;

use std::collections::HashMap;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::applicant::{Applicant, Authorize};
use super::caller::CallOptions;
use super::client::{REPLACED, SUPERSEDED};
use super::peer::Inflight;
use crate::connector::{
    Connector, Delivery, Incoming, Link, LinkError, Listener, PeerInfo, Process, SUCCEEDED, is_elsewhere,
};
use crate::driver::{LinkEnd, drive};
use crate::error::{Error, Reason};
use crate::excerpt::excerpt;
use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::route::Handlers;
use crate::session::Goodbye;
use crate::wire::hello::{self, About, ClientHello, ServerHello};
use places::{Known, Place, Turn};
pub(crate) use running::Running;

/// After an attempt to accept failed (no more file handles, say), the next comes so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a client id. It is kept for as long as the client is known, and stands in logs.
const MAX_CLIENT_ID: usize = 1024;

/// Client ids in the log, beside the one that somebody waits for.
const IDS_TOLD: usize = 5;

/// How a server listens, as its builder collected it.
pub(crate) struct ServerSettings {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) limits: Limits,
    pub(crate) grace: Duration,
    pub(crate) authorize: Authorize,
}

impl ServerSettings {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self {
            connector,
            limits: Limits::default(),
            grace: Duration::from_secs(10),
            authorize: Authorize::default(),
        }
    }

    pub(crate) async fn start(self, handlers: Handlers) -> Result<Arc<Running>, Error> {
        let address = self.connector.address();
        let listener = self.connector.listen(&self.limits).await;
        let listener = listener
            .map_err(|source| Error::Listen { address: address.clone(), source: Arc::new(source) })?;
        let state = listener.dump_state();
        let handlers = Arc::new(handlers);
        let server = Arc::new(Server {
            handlers: Arc::downgrade(&handlers),
            limits: self.limits,
            authorize: self.authorize,
            runtime: Handle::current(),
            known: Mutex::new(HashMap::new()),
            leaving: Mutex::default(),
            arrived: Notify::new(),
            connections: Mutex::new(JoinSet::new()),
            accepts: AtomicBool::new(true),
            nobody_told: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let tasks = [
            tokio::spawn(server.clone().accept(Accepting(server.clone()), listener)),
            tokio::spawn(server.clone().forget(Living(server.clone()))),
        ];
        Ok(Arc::new(Running::new(server, handlers, tasks, address, state, self.grace)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The table is changed in single steps; a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is there and who was.
pub(crate) struct Server {
    handlers: Weak<Handlers>,
    limits: Limits,
    authorize: Authorize,
    runtime: Handle,
    known: Mutex<HashMap<String, Known>>,
    /// Clients that were forgotten, while what they threw is handled. Locked after `known`.
    leaving: Mutex<Vec<Arc<Exchange>>>,
    /// A client came, or the server ended.
    arrived: Notify,
    /// Handshakes and links.
    connections: Mutex<JoinSet<()>>,
    /// It was not asked to accept no more.
    accepts: AtomicBool,
    /// It was told in the log that nobody is connected, and nobody came since.
    nobody_told: AtomicBool,
    /// Clients that are not known yet are not let in any more.
    stopping: AtomicBool,
    /// No client will come any more.
    ended: AtomicBool,
}

/// A client that was let in, and its link.
struct Guest<'a> {
    turn: Turn<'a>,
    about: Option<About>,
    link: Link,
}

/// While connections are accepted. Should that end unasked, with its runtime or by a panic, nobody waits for clients any
/// more.
struct Accepting(Arc<Server>);

impl Drop for Accepting {
    fn drop(&mut self) {
        if self.0.accepts.load(Ordering::Relaxed) {
            tracing::warn!("a server is over: it accepts no more connections, and nobody asked it to stop");
            self.0.end();
        }
    }
}

/// While clients are forgotten. Should that end with its runtime, after a server was asked to stop, nobody waits for clients any
/// more.
struct Living(Arc<Server>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Server {
    // Finding peers ---------------------------------------------------------------------------------------------

    /// Calls to all clients, whether they are connected or not.
    pub(crate) fn inflight(&self) -> Vec<Inflight> {
        let known: Vec<_> = lock(&self.known).values().map(|known| known.exchange.clone()).collect();
        let mut calls: Vec<_> = known.iter().flat_map(|exchange| exchange.inflight()).collect();
        calls.sort_by_key(|call| std::cmp::Reverse(call.age));
        calls
    }

    pub(crate) fn connected(&self) -> Vec<Arc<Exchange>> {
        let known = lock(&self.known);
        let here = known.values().filter(|known| known.exchange.session().is_linked());
        here.map(|known| known.exchange.clone()).collect()
    }

    /// A client by id, once it has been here. After the server ended, one that answers every call with that.
    pub(crate) async fn by_id(&self, client_id: &str) -> Arc<Exchange> {
        let look = || lock(&self.known).get(client_id).map(|known| known.exchange.clone());
        let found = self.find_or_tell(look, || self.tell_that_one_does_not_come(client_id)).await;
        found.unwrap_or_else(|reason| {
            let exchange = self.exchange(client_id.to_owned());
            exchange.close(reason);
            exchange
        })
    }

    /// For one more client.
    fn exchange(&self, client_id: String) -> Arc<Exchange> {
        Exchange::new(client_id, self.handlers.clone(), self.limits.clone(), self.runtime.clone())
    }

    /// A connected client, by chance; and what is left of the call's time.
    pub(crate) async fn any(&self, options: &CallOptions) -> Result<(Arc<Exchange>, CallOptions), Error> {
        let choose = || {
            let connected = self.connected();
            (!connected.is_empty()).then(|| connected[crate::random::index(connected.len())].clone())
        };
        let (found, options) =
            options.spend(&self.runtime, self.find_or_tell(choose, || self.tell_that_nobody_comes())).await?;
        Ok((found.map_err(Error::NotSent)?, options))
    }

    /// Looks until there is something, without end, but not in silence.
    async fn find_or_tell<T>(&self, look: impl Fn() -> Option<T>, tell: impl FnOnce()) -> Result<T, Reason> {
        // By the server's own clock: there may be none where the caller is.
        let found = {
            let _entered = self.runtime.enter();
            timeout(self.limits.resume_time, self.find(&look))
        };
        match found.await {
            Ok(found) => found,
            Err(_) => {
                tell();
                self.find(look).await
            }
        }
    }

    fn tell_that_one_does_not_come(&self, client_id: &str) {
        let mut connected: Vec<_> =
            self.connected().iter().map(|exchange| excerpt(exchange.client_id())).collect();
        connected.sort_unstable();
        let more = connected.len().saturating_sub(IDS_TOLD);
        connected.truncate(IDS_TOLD);
        let client_id = excerpt(client_id);
        let waited = self.limits.resume_time;
        tracing::warn!(
            client_id,
            ?connected,
            more,
            ?waited,
            "nobody with this client id has come yet, still waiting: `connected` are others, and `more` that are not listed"
        );
    }

    /// Once, until there is somebody again: there may be a thousand calls.
    fn tell_that_nobody_comes(&self) {
        if !self.nobody_told.swap(true, Ordering::Relaxed) {
            let waited = self.limits.resume_time;
            tracing::warn!(?waited, "no client is connected, calls to any wait for one");
        }
    }

    /// Looks until there is something, whenever a client came.
    async fn find<T>(&self, look: impl Fn() -> Option<T>) -> Result<T, Reason> {
        loop {
            let mut arrived = pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if let Some(found) = look() {
                return Ok(found);
            }
            if self.ended.load(Ordering::Relaxed) {
                return Err(Reason::Closed);
            }
            arrived.await;
        }
    }

    // Letting them in -------------------------------------------------------------------------------------------

    async fn accept(self: Arc<Self>, _accepting: Accepting, mut listener: Box<dyn Listener>) {
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes));
        for order in 0.. {
            // Never closed, so there is always a permit to come.
            let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok(incoming) => {
                    let server = self.clone();
                    let mut connections = lock(&self.connections);
                    // Looked at under the lock under which those that are there are ended.
                    if self.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    connections.spawn(async move { server.connection(incoming, order, permit).await });
                    while connections.try_join_next().is_some() {}
                }
                // One that was over before it was accepted.
                Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => {}
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(&self, incoming: Box<dyn Incoming>, order: u64, permit: OwnedSemaphorePermit) {
        // Nothing of the handshake is kept for as long as the link lives.
        let Some(guest) = self.welcome(incoming, order, permit).await else { return };
        self.serve(guest).await;
    }

    async fn welcome(
        &self,
        incoming: Box<dyn Incoming>,
        order: u64,
        _permit: OwnedSemaphorePermit,
    ) -> Option<Guest<'_>> {
        let address = incoming.address();
        match timeout(self.limits.handshake_time, self.handshake(incoming, order)).await {
            Ok(Ok(guest)) => return guest,
            Ok(Err(error)) => tracing::warn!(address, %error, "a connection did not come to be"),
            Err(_) => tracing::warn!(address, "a connection was closed: it did not say hello in time"),
        }
        None
    }

    async fn handshake(
        &self,
        mut incoming: Box<dyn Incoming>,
        order: u64,
    ) -> Result<Option<Guest<'_>>, LinkError> {
        let address = incoming.address();
        let hello = incoming.hello().await?;
        let refused = match self.let_in(&hello, &incoming.peer(), incoming.delivery(), order) {
            Ok((place, about)) => {
                let say = |place: &Place<'_>| {
                    let ours = place.exchange.session().about(about.as_ref());
                    hello::text(&ServerHello::new(Some(ours)))
                };
                incoming.prepare(&say(&place)?).await?;
                match self.take_turn(place).await {
                    Some(turn) => {
                        // Only now nothing more comes over an earlier link, and the client can be told what did.
                        let link = incoming.accept(&say(&turn.place)?).await?;
                        return Ok(Some(Guest { turn, about, link }));
                    }
                    None => SUPERSEDED.to_owned(),
                }
            }
            Err(reason) => reason,
        };
        let (client_id, pid) = (claimed_id(&hello), incoming.peer().pid);
        tracing::warn!(address, client_id, pid, reason = refused, "refused a connection");
        incoming.refuse(&refused).await;
        Ok(None)
    }

    /// Gives the client its place, if it may have it.
    fn let_in(
        &self,
        hello: &Bytes,
        peer: &PeerInfo,
        delivery: Delivery,
        order: u64,
    ) -> Result<(Place<'_>, Option<About>), String> {
        let ClientHello { client_id, communica: mut about } =
            hello::decode(hello).map_err(|error| error.to_string())?;
        if client_id.is_empty() {
            // All that have none would push each other out.
            return Err("the client id is empty: give each client one of its own, or none to have it chosen"
                .to_owned());
        }
        if client_id.len() > MAX_CLIENT_ID {
            let len = client_id.len();
            return Err(format!(
                "the client id has {len} bytes where {MAX_CLIENT_ID} are allowed: take a shorter one"
            ));
        }
        let token = about.as_ref().and_then(|about| about.token.as_ref());
        self.authorize.check(&Applicant { client_id: &client_id, token, peer, hello })?;
        // Through a store two clients may change places between their hellos and their links.
        let direct = delivery == Delivery::Direct;
        let instance = about.as_ref().filter(|_| direct).map(|about| about.instance.clone());
        let place = self.admit(client_id, instance, order)?;
        if let Some(about) = &mut about {
            let server = place.exchange.session().about(None).instance;
            about.complete_heard(&server);
        }
        Ok((place, about))
    }

    async fn serve(&self, guest: Guest<'_>) {
        let Guest { turn, about, link } = guest;
        let address = link.peer.address.clone();
        let process = link.peer.pid.and_then(Process::seen);
        let (exchange, number) = (&turn.place.exchange, turn.number);
        tracing::info!(client_id = exchange.client_id(), address = %link.peer.address, "a client connected");
        let attached = || {
            // A newer one may have come while this one waited for its turn. It saw no link to end then.
            if !exchange.session().is_newest(number) {
                exchange.end_link(takeover());
            }
            self.nobody_told.store(false, Ordering::Relaxed);
            self.arrived.notify_waiters();
        };
        let end = drive(exchange, link, about, true, attached).await;
        match &end {
            LinkEnd::Broken(error) if end.is_cut() => {
                tracing::info!(client_id = exchange.client_id(), address, %error, "lost a connection");
            }
            LinkEnd::Broken(error) => {
                tracing::warn!(client_id = exchange.client_id(), address, %error, "ended a connection");
            }
            LinkEnd::Here | LinkEnd::Peer(_) => {}
        }
        // Somebody else has all that is at the broker. A newer link of this session would have had it, too.
        if let LinkEnd::Peer(Some(reason)) = &end {
            if is_elsewhere(Some(reason)) && exchange.session().is_newest(number) {
                exchange.moved(reason, reason == SUCCEEDED);
            }
        }
        let process = process.filter(|_| end.is_cut() && exchange.session().has_calls());
        if let Some(process) = process {
            let exchange = exchange.clone();
            // It may come back meanwhile.
            drop(turn);
            super::death::noticed(&process, &exchange, number).await;
        }
    }
}

/// The client id in a hello, if there is one; of one that is too long, the beginning and the end.
fn claimed_id(hello: &Bytes) -> Option<String> {
    Some(excerpt(hello::decode::<ClientHello>(hello).ok()?.client_id))
}

/// What an earlier link of a client is told.
fn takeover() -> Goodbye {
    Goodbye { reason: Some(REPLACED.to_owned()), at_once: true }
}
