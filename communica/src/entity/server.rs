//! The listening side: connections become peers, by client id.

mod anybody;
mod everybody;
mod finding;
mod places;
mod running;
mod watch;

use std::collections::HashMap;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::applicant::{Applicant, Authorize};
use super::{EMPTY_CLIENT_ID, Waits};
use crate::connector::{
    Connector, Delivery, Incoming, Link, LinkError, Listener, PeerInfo, Process, REPLACED, SUCCEEDED,
    SUPERSEDED, is_elsewhere,
};
use crate::driver::{Driver, LinkEnd, drive};
use crate::error::Error;
use crate::excerpt::excerpt;
use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::route::Handlers;
use crate::session::Goodbye;
use crate::sparingly::Sparingly;
use crate::wire::hello::{self, About, ClientHello, ServerHello};
use finding::Missing;
use places::{Known, Place, Turn};
pub(crate) use running::Running;
pub use watch::{PeerEvent, PeerWatch};

/// After an attempt to accept failed (no more file handles, say), the next comes so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a client id. It is kept for as long as the client is known, and stands in logs.
const MAX_CLIENT_ID: usize = 1024;

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
            limits: self.limits.into(),
            authorize: self.authorize,
            runtime: Handle::current(),
            known: Mutex::new(HashMap::new()),
            here: Mutex::default(),
            leaving: Mutex::default(),
            came_or_went: Notify::new(),
            connections: Mutex::new(JoinSet::new()),
            accepts: AtomicBool::new(true),
            missing: Mutex::default(),
            unassigned: Waits::default(),
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
    limits: Arc<Limits>,
    authorize: Authorize,
    runtime: Handle,
    known: Mutex<HashMap<String, Known>>,
    /// Those of them that have a link, in no order.
    here: Mutex<Vec<Arc<Exchange>>>,
    /// Clients that were forgotten, while what they threw is handled. Locked after `known`.
    leaving: Mutex<Vec<Arc<Exchange>>>,
    /// A client did, or the server ended.
    came_or_went: Notify,
    /// Handshakes and links.
    connections: Mutex<JoinSet<()>>,
    /// It was not asked to accept no more.
    accepts: AtomicBool,
    /// Who is waited for.
    missing: Mutex<Missing>,
    unassigned: Waits,
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

/// A client's link, and what ends with it, in this order: the next one must not come before this one is given up.
struct Served<'a> {
    driver: Driver,
    presence: Presence<'a>,
    turn: Turn<'a>,
}

impl Served<'_> {
    /// Ready when the link ended.
    fn end(&mut self) -> &mut Driver {
        &mut self.driver
    }
}

/// A client that has a link.
struct Presence<'a>(&'a Server, Arc<Exchange>);

impl<'a> Presence<'a> {
    fn new(server: &'a Server, exchange: Arc<Exchange>) -> Self {
        lock(&server.here).push(exchange.clone());
        Self(server, exchange)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        {
            let mut here = lock(&self.0.here);
            let found = here.iter().position(|other| Arc::ptr_eq(other, &self.1));
            found.map(|index| here.swap_remove(index));
        }
        self.0.came_or_went.notify_waiters();
    }
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
    /// For one more client.
    fn exchange(&self, client_id: String) -> Arc<Exchange> {
        Exchange::new(client_id, self.handlers.clone(), self.limits.clone(), self.runtime.clone())
    }

    async fn accept(self: Arc<Self>, _accepting: Accepting, mut listener: Box<dyn Listener>) {
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes));
        let mut failures = Sparingly::new();
        for order in 0.. {
            // Never closed, so there is always a permit to come.
            let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok(incoming) => {
                    failures = Sparingly::new();
                    let server = self.clone();
                    let mut connections = lock(&self.connections);
                    // Looked at under the lock under which those that are there are ended.
                    if self.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    connections.spawn(server.connection(incoming, order, permit));
                    while connections.try_join_next().is_some() {}
                }
                // One that was over before it was accepted.
                Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => {}
                Err(error) => {
                    if let Some(failed) = failures.one_more() {
                        tracing::warn!(%error, failed, "could not accept a connection");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        incoming: Box<dyn Incoming>,
        order: u64,
        permit: OwnedSemaphorePermit,
    ) {
        // The handshake has room of its own: nothing of that is kept for as long as the link lives.
        let Some(guest) = Box::pin(self.welcome(incoming, order, permit)).await else { return };
        self.serve(guest).await;
    }

    async fn welcome(
        &self,
        incoming: Box<dyn Incoming>,
        order: u64,
        _permit: OwnedSemaphorePermit,
    ) -> Option<Guest<'_>> {
        let (address, said_hello) = (incoming.address(), AtomicBool::new(false));
        match timeout(self.limits.handshake_time, self.handshake(incoming, order, &said_hello)).await {
            Ok(Ok(guest)) => return guest,
            Ok(Err(LinkError::Io(error))) if error.kind() == ConnectionAborted => {
                tracing::debug!(address, %error, "a connection did not come to be");
            }
            Ok(Err(error)) => tracing::warn!(address, %error, "a connection did not come to be"),
            Err(_) if said_hello.into_inner() => {
                tracing::warn!(address, "a connection was closed: its handshake did not end in time");
            }
            Err(_) => tracing::warn!(address, "a connection was closed: it did not say hello in time"),
        }
        None
    }

    async fn handshake(
        &self,
        mut incoming: Box<dyn Incoming>,
        order: u64,
        said_hello: &AtomicBool,
    ) -> Result<Option<Guest<'_>>, LinkError> {
        let address = incoming.address();
        let hello = incoming.hello().await?;
        said_hello.store(true, Ordering::Relaxed);
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
            return Err(EMPTY_CLIENT_ID.to_owned());
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

    /// What is needed before the link is driven does not belong to the future, which would keep it for as long as the link lives.
    fn serve<'a>(&'a self, guest: Guest<'a>) -> impl Future<Output = ()> + Send + 'a {
        let Guest { turn, about, link } = guest;
        let process = link.peer.pid.and_then(Process::seen);
        let (exchange, number) = (turn.place.exchange.clone(), turn.number);
        tracing::info!(client_id = exchange.client_id(), address = %link.peer.address, "a client connected");
        let driver = drive(&exchange, link, about, true);
        let presence = Presence::new(self, exchange.clone());
        let mut served = Served { driver, presence, turn };
        // A newer one may have come while this one waited for its turn. It saw no link to end then.
        if !exchange.session().is_newest(number) {
            exchange.end_link(takeover());
        }
        self.somebody_came(exchange.client_id());
        async move {
            // By reference: it would move, and its former place stay. By a method: so the whole goes along, and ends in its order.
            let end = served.end().await;
            let Served { driver, presence, turn } = served;
            drop((driver, presence));
            Box::pin(self.farewell(turn, end, process)).await;
        }
    }

    async fn farewell(&self, turn: Turn<'_>, end: LinkEnd, process: Option<Process>) {
        let (exchange, number) = (&turn.place.exchange, turn.number);
        let address = exchange.peer_info().address;
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
        let process = process.filter(|_| {
            let session = exchange.session();
            end.is_cut() && (session.has_calls() || session.is_unacknowledged() || !session.no_jobs())
        });
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
