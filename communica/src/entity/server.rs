//! The listening side: connections become peers, by client id.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::applicant::{Applicant, Authorize};
use super::caller::CallOptions;
use super::client::{GOODBYE, REPLACED, STOPPING, SUPERSEDED};
use super::peer::Inflight;
use super::shutdown::Shutdown;
use crate::connector::{Connector, Delivery, Incoming, Link, LinkError, Listener, MOVED, PeerInfo, Process};
use crate::driver::{LinkEnd, drive};
use crate::error::{Error, Reason};
use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::route::Handlers;
use crate::session::Goodbye;
use crate::wire::hello::{self, About, ClientHello, Heard, ServerHello};

/// After an attempt to accept failed (no more file handles, say), the next comes so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// So many sessions whose place was taken are remembered for each client id.
const REPLACED_REMEMBERED: usize = 8;

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
        let server = Arc::new(Server {
            handlers: Arc::new(handlers),
            limits: self.limits,
            authorize: self.authorize,
            known: Mutex::new(HashMap::new()),
            arrived: Notify::new(),
            connections: Mutex::new(JoinSet::new()),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let accepting = tokio::spawn(server.clone().accept(listener));
        let forgetting = tokio::spawn(server.clone().forget());
        let tasks = Mutex::new(vec![accepting, forgetting]);
        Ok(Arc::new(Running { server, tasks, address, state, grace: self.grace }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The table is changed in single steps; a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is there and who was.
pub(crate) struct Server {
    handlers: Arc<Handlers>,
    limits: Limits,
    authorize: Authorize,
    known: Mutex<HashMap<String, Known>>,
    /// A client came, or the server ended.
    arrived: Notify,
    /// Handshakes and links.
    connections: Mutex<JoinSet<()>>,
    /// Clients that are not known yet are not let in any more.
    stopping: AtomicBool,
    /// No client will come any more.
    ended: AtomicBool,
}

struct Known {
    exchange: Arc<Exchange>,
    /// When the last of its connections ended.
    gone: Option<Instant>,
    /// The session that had this id last, …
    instance: Option<String>,
    /// … and the number of the newest of its connections that had its turn.
    newest: u64,
    /// Those that had it before, and whose place was taken. Should their link have been cut before they were told, they
    /// come back, and must not push out the newer one.
    replaced: VecDeque<String>,
}

impl Known {
    /// This session has the id from now on, unless its place was taken. What comes without a session of its own, as from
    /// a client that speaks 0.4 or with a broker's work, takes no place from one that has.
    fn hand_over(&mut self, to: Option<&str>) -> Result<(), String> {
        let Some(to) = to else { return Ok(()) };
        if self.replaced.iter().any(|earlier| earlier == to) {
            return Err(REPLACED.to_owned());
        }
        if self.instance.as_deref() != Some(to) {
            self.newest = 0;
            self.replaced.extend(self.instance.replace(to.to_owned()));
            let too_many = self.replaced.len().saturating_sub(REPLACED_REMEMBERED);
            self.replaced.drain(..too_many);
        }
        Ok(())
    }
}

/// A connection that was let in, until it ends or fails to come to be.
struct Place<'a> {
    server: &'a Server,
    exchange: Arc<Exchange>,
    /// The session that it is for, if it has one.
    instance: Option<String>,
    /// How many connections were accepted before it.
    order: u64,
}

/// A place whose turn it is: every earlier link of this client has ended.
struct Turn<'a> {
    place: Place<'a>,
    /// The connection's number.
    number: u64,
    _slot: OwnedMutexGuard<()>,
}

/// A client that was let in, and its link.
struct Guest<'a> {
    turn: Turn<'a>,
    about: Option<About>,
    link: Link,
}

impl<'a> Place<'a> {
    /// The table of clients is locked meanwhile.
    fn new(server: &'a Server, exchange: Arc<Exchange>, instance: Option<String>, order: u64) -> Self {
        exchange.places.fetch_add(1, Ordering::Relaxed);
        Self { server, exchange, instance, order }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut known = lock(&self.server.known);
        let others = self.exchange.places.fetch_sub(1, Ordering::Relaxed) - 1;
        if let Some(known) = known.get_mut(self.exchange.client_id()) {
            known.gone = (others == 0).then(Instant::now);
        }
        // Whoever waits for the connection waits in vain now.
        self.exchange.changed.notify_waiters();
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
        let found = self.find(|| lock(&self.known).get(client_id).map(|known| known.exchange.clone())).await;
        found.unwrap_or_else(|reason| {
            let exchange = Exchange::new(client_id.to_owned(), self.handlers.clone(), self.limits.clone());
            exchange.close(reason);
            exchange
        })
    }

    /// A connected client, by chance; and what is left of the call's time.
    pub(crate) async fn any(&self, options: &CallOptions) -> Result<(Arc<Exchange>, CallOptions), Error> {
        let choose = || {
            let connected = self.connected();
            (!connected.is_empty()).then(|| connected[crate::random::index(connected.len())].clone())
        };
        let (found, options) = options.spend(self.find(choose)).await?;
        Ok((found.map_err(Error::NotSent)?, options))
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

    async fn accept(self: Arc<Self>, mut listener: Box<dyn Listener>) {
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
        let address = incoming.address();
        let shaken = timeout(self.limits.handshake_time, self.handshake(incoming, order)).await;
        drop(permit);
        match shaken {
            Ok(Ok(Some(guest))) => self.serve(guest).await,
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(address, %error, "a connection did not come to be"),
            Err(_) => tracing::warn!(address, "a connection was closed: it did not say hello in time"),
        }
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
        tracing::warn!(address, reason = refused, "refused a connection");
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
            // A client that says nothing of it never came to the end of a handshake, so it heard nothing.
            let instance = place.exchange.session().about(None).instance;
            about.heard.get_or_insert(Heard { instance, messages: 0 });
        }
        Ok((place, about))
    }

    /// Ends the link that had this place, and waits for that. `None` when a newer connection came first.
    async fn take_turn<'a>(&self, place: Place<'a>) -> Option<Turn<'a>> {
        let number = self.take_over(&place)?;
        let slot = self.turn(&place.exchange, number).await?;
        Some(Turn { place, number, _slot: slot })
    }

    /// Asks the link that has this place to end. `None` when it is for another session now, which came between hello and
    /// here; or when its session made a newer connection, because it gave this one up: those may have their turns in any
    /// order.
    fn take_over(&self, place: &Place<'_>) -> Option<u64> {
        let mut known = lock(&self.known);
        if let (Some(known), Some(instance)) = (known.get_mut(place.exchange.client_id()), &place.instance) {
            if known.instance.as_ref() != Some(instance) || place.order < known.newest {
                return None;
            }
            known.newest = place.order;
        }
        Some(place.exchange.take_over(takeover()))
    }

    /// The place of this client: the one it had, or a new one.
    fn admit(&self, client_id: String, instance: Option<String>, order: u64) -> Result<Place<'_>, String> {
        let mut known = lock(&self.known);
        if self.ended.load(Ordering::Relaxed) {
            return Err(STOPPING.to_owned());
        }
        if let Some(known) = known.get_mut(&client_id) {
            known.hand_over(instance.as_deref())?;
            known.gone = None;
            return Ok(Place::new(self, known.exchange.clone(), instance, order));
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Err(STOPPING.to_owned());
        }
        if known.len() >= self.limits.peers {
            let longest_gone = known.iter().filter_map(|(id, known)| Some((known.gone?, id))).min();
            let Some(id) = longest_gone.map(|(_, id)| id.clone()) else {
                return Err(format!("the server has its {} clients, see `Limits::peers`", self.limits.peers));
            };
            if let Some(forgotten) = known.remove(&id) {
                forgotten.exchange.forget();
            }
        }
        let exchange = Exchange::new(client_id.clone(), self.handlers.clone(), self.limits.clone());
        let newcomer = Known {
            exchange: exchange.clone(),
            gone: None,
            instance: instance.clone(),
            newest: 0,
            replaced: VecDeque::new(),
        };
        known.insert(client_id, newcomer);
        Ok(Place::new(self, exchange, instance, order))
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
        // Another server has all that is at the broker. A newer link to this one would have had it, too.
        if matches!(&end, LinkEnd::Peer(Some(reason)) if reason == MOVED)
            && exchange.session().is_newest(number)
        {
            exchange.moved(MOVED);
            // They begin anew there.
            exchange.stop_requests();
        }
        let process = process.filter(|_| end.is_cut() && exchange.session().is_calling());
        if let Some(process) = process {
            let exchange = exchange.clone();
            // It may come back meanwhile.
            drop(turn);
            super::death::noticed(&process, &exchange, number).await;
        }
    }

    /// Waits for the link before this one to end. `None` when a newer connection came first.
    async fn turn(&self, exchange: &Exchange, number: u64) -> Option<OwnedMutexGuard<()>> {
        let mut slot = pin!(exchange.link_slot.clone().lock_owned());
        let mut superseded = pin!(exchange.wait_until(|session| !session.is_newest(number)));
        poll_fn(|cx| match slot.as_mut().poll(cx) {
            Poll::Ready(slot) => Poll::Ready(Some(slot)),
            Poll::Pending => superseded.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Forgets clients that are gone for long.
    async fn forget(self: Arc<Self>) {
        let time = self.limits.forget_time;
        loop {
            tokio::time::sleep((time / 4).max(Duration::from_millis(10))).await;
            let mut forgotten = Vec::new();
            lock(&self.known).retain(|_, known| {
                let keep = known.gone.is_none_or(|gone| gone.elapsed() < time);
                if !keep {
                    forgotten.push(known.exchange.clone());
                }
                keep
            });
            for exchange in forgotten {
                tracing::debug!(client_id = exchange.client_id(), "forgot a client");
                exchange.forget();
            }
        }
    }
}

/// What an earlier link of a client is told.
fn takeover() -> Goodbye {
    Goodbye { reason: Some(REPLACED.to_owned()), at_once: true }
}

/// A server while somebody holds it. Dropping the last handle ends it on the spot; `stop` ends it in order.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    /// The one that accepts, which holds the listener, and the one that forgets.
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Without secrets.
    pub(crate) address: String,
    pub(crate) state: String,
    grace: Duration,
}

impl Running {
    pub(crate) async fn stop(&self) {
        self.accept_no_more().await;
        let exchanges: Vec<_> = {
            let known = lock(&self.server.known);
            self.server.stopping.store(true, Ordering::Relaxed);
            known.values().map(|known| known.exchange.clone()).collect()
        };
        for exchange in &exchanges {
            exchange.session().drain();
        }
        let since = Instant::now();
        let work = exchanges.iter().map(|exchange| async {
            exchange.wait_until(|session| session.no_jobs()).await;
            // A client whose connection is about to become a link gets what is for it, too.
            let none_to_come = || exchange.places.load(Ordering::Relaxed) == 0;
            exchange.wait_until(|session| session.is_idle() || !session.is_linked() && none_to_come()).await;
        });
        let _ = timeout(self.grace, all(work)).await;
        let goodbyes = exchanges.iter().map(|exchange| async {
            exchange.session().refuse_calls(Reason::Closed);
            exchange.end_link(Goodbye { reason: Some("the server stopped".to_owned()), at_once: false });
            exchange.wait_until(|session| !session.is_linked()).await;
        });
        let left = self.grace.saturating_sub(since.elapsed()).max(GOODBYE);
        let _ = timeout(left, all(goodbyes)).await;
        self.end();
    }

    /// The address is free when this is done.
    async fn accept_no_more(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // It was aborted, which is what its result says.
            let _ = task.await;
        }
    }

    fn end(&self) {
        lock(&self.tasks).iter().for_each(JoinHandle::abort);
        for known in lock(&self.server.known).values() {
            known.exchange.say_that_it_is_over("the server ended");
        }
        self.server.ended.store(true, Ordering::Relaxed);
        lock(&self.server.connections).abort_all();
        for (_, known) in lock(&self.server.known).drain() {
            known.exchange.abort_jobs();
            known.exchange.close(Reason::Closed);
        }
        self.server.arrived.notify_waiters();
    }

    /// Runs until the system wants the process to end, then stops in order.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let mut shutdown = Shutdown::listen()?;
        shutdown.asked().await;
        self.end_in_order(shutdown).await;
        Ok(())
    }

    async fn end_in_order(&self, shutdown: Shutdown) {
        shutdown.or_asked_again(self.stop()).await;
        self.end();
    }

    /// Starts and runs. It listens to the system before the first client can come, so that none sees it end without order.
    pub(crate) async fn run_from(start: impl Future<Output = Result<Arc<Self>, Error>>) -> Result<(), Error> {
        let mut shutdown = Shutdown::listen()?;
        let started = {
            let (mut start, mut asked) = (pin!(start), pin!(shutdown.asked()));
            poll_fn(|cx| match asked.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => start.as_mut().poll(cx).map(Some),
            })
            .await
        };
        let Some(running) = started else { return Ok(()) };
        let running = running?;
        shutdown.asked().await;
        running.end_in_order(shutdown).await;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for all, side by side.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut outcomes: Vec<_> = waiting.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut ready = true;
        for (slot, outcome) in waiting.iter_mut().zip(&mut outcomes) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(value) => (*slot, *outcome) = (None, Some(value)),
                Poll::Pending => ready = false,
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
