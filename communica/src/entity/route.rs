//! Entities whose handlers have names.

mod calls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::caller::IntoCaller;
use super::client::{Client, ClientSettings};
use super::peer::{AllPeers, AnyPeer, Inflight, Peer};
use super::server::{PeerWatch, Running, ServerSettings};
use crate::connector::{Connector, PeerInfo};
use crate::error::Error;
use crate::limits::Limits;
use crate::route::{Handlers, RouteTable};
use crate::wire::Feature;
pub use calls::RouteCalls;

/// Answers requests by route, and can call the clients that connect. The counterpart of [`RouteClient`].
///
/// ```no_run
/// # #[cfg(all(feature = "local", feature = "json"))]
/// # async fn example() -> Result<(), communica::Error> {
/// use communica::{LocalConnector, RouteServer, RouteTable};
///
/// let routes = RouteTable::new().route("upper", |text: String| text.to_uppercase());
/// RouteServer::new(LocalConnector::new("desk"), routes).run().await
/// # }
/// ```
#[must_use = "a server does nothing before `run` or `start`"]
pub struct RouteServer {
    settings: ServerSettings,
    routes: RouteTable,
}

impl RouteServer {
    /// A server that will listen on `connector` and answer with `routes`.
    pub fn new(connector: impl Connector, routes: RouteTable) -> Self {
        Self { settings: ServerSettings::new(Arc::new(connector)), routes }
    }

    /// Starts to listen. The server runs until the handle is stopped or its last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Listen`] and [`Error::DuplicateRoute`].
    ///
    /// # Panics
    /// Where there is no tokio runtime, or one without the I/O that sockets need. Without time a task of the server's panics, and it
    /// does not listen. `enable_all` of the runtime's builder gives both.
    pub async fn start(self) -> Result<RouteServerHandle, Error> {
        let handlers = Handlers::checked(self.routes)?;
        Ok(RouteServerHandle { running: self.settings.start(handlers).await? })
    }

    /// Listens until Ctrl-C or SIGTERM, then stops in order, see [`RouteServerHandle::stop`]. Asked once more meanwhile, it ends at
    /// once.
    ///
    /// # Errors
    /// As [`start`](Self::start); and [`Error::Signals`].
    pub async fn run(self) -> Result<(), Error> {
        Running::run_from(async { Ok(self.start().await?.running) }).await
    }
}

super::server_settings!(RouteServer);

impl fmt::Debug for RouteServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteServer")
            .field("connector", &self.settings.connector)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

/// A running [`RouteServer`]. Cheap to clone; when the last clone is dropped the server ends on the spot, its
/// connections with it.
#[derive(Clone)]
#[must_use = "the server ends when its handle is dropped"]
pub struct RouteServerHandle {
    running: Arc<Running>,
}

impl RouteServerHandle {
    /// A client by its id. Waits until it has been here, for as long as that takes; cancel safe, so a time limit can
    /// be put around it. When nobody came within [`Limits::resume_time`](crate::Limits::resume_time), 30 s, the log says so, once, and who
    /// is connected. The peer stays good while the client is away, until the server
    /// forgets it ([`Limits::forget_time`](crate::Limits::forget_time)): should it come back after that, ask for it again.
    pub async fn peer(&self, client_id: &str) -> Peer {
        Peer::of(self.running.server.by_id(client_id).await)
    }

    /// Whichever client is connected. It is who the handle's own `request` and `throw` call; with a time limit: [`AnyPeer::timeout`].
    /// Calls wait while there is none, and the log says so after [`Limits::resume_time`](crate::Limits::resume_time).
    #[must_use]
    pub fn any_peer(&self) -> AnyPeer {
        AnyPeer(self.running.server.clone())
    }

    /// Every client that is connected when a call is made. A call gives each one's id and how it ended; it waits for the slowest
    /// of them, so give it a time limit: [`AllPeers::timeout`].
    #[must_use]
    pub fn all_peers(&self) -> AllPeers {
        AllPeers(self.running.server.clone())
    }

    /// The clients that are connected now.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.running.server.connected().into_iter().map(Peer::of).collect()
    }

    /// Tells which clients come and go, beginning with those that are there.
    pub fn watch_peers(&self) -> PeerWatch {
        PeerWatch::new(self.running.server.clone())
    }

    /// The calls to clients that wait for their answer, the longest first.
    #[must_use]
    pub fn inflight(&self) -> Vec<Inflight> {
        self.running.server.inflight()
    }

    /// State of a connector that reaches this server, for a child process. Unlike the connector's own it holds what
    /// the system chose, such as the port where 0 was asked for.
    #[must_use]
    pub fn dump_state(&self) -> String {
        self.running.state.clone()
    }

    /// Runs until Ctrl-C or SIGTERM, then stops in order, see [`stop`](Self::stop). Asked once more meanwhile, it ends at once. It
    /// returns, too, when the server was stopped by another handle.
    ///
    /// # Errors
    /// [`Error::Signals`]; and [`Error::Listen`] when it accepts no more connections though nobody asked it to stop, as after a
    /// panic of its connector.
    pub async fn run(&self) -> Result<(), Error> {
        self.running.run().await
    }

    /// Stops in order: accepts no more, lets running handlers finish and sends what was accepted, within the grace
    /// time; then tells the clients and closes. The address is free again when it returns.
    ///
    /// Calls that this server makes end when the last handler has: wait for them first. Clients that are away are not waited for (`close`
    /// of a client does wait for its server): what is queued for them is dropped, and the log says how many throws were. A handler must
    /// not wait for this, since it would wait for itself: let it tell another task to stop. Dropped before its end, this leaves a server
    /// that lets nobody in: stop it again, or drop it.
    pub async fn stop(&self) {
        self.running.stop().await;
    }
}

impl fmt::Debug for RouteServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteServerHandle").field("address", &self.running.address).finish_non_exhaustive()
    }
}

/// Connects to a [`RouteServer`], calls it, and can answer its calls. Cheap to clone: all clones share the connection.
///
/// It reconnects by itself, under the same client id; calls made meanwhile wait. When the last clone, stub and peer
/// made of it is dropped, what was accepted is sent and the connection ends. It lives on the tokio runtime that it was made in:
/// when that ends, the client is closed, and calls from elsewhere end with [`Reason::Closed`](crate::Reason::Closed). Throws that the
/// link does not take at once are lost then: [`close`](Self::close) a client, and keep one of its clones for that, before `main` ends.
#[derive(Clone)]
#[must_use = "the connection ends when the last client, stub and peer made of it is dropped"]
pub struct RouteClient {
    client: Arc<Client>,
    peer: Peer,
}

impl RouteClient {
    /// Connects, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    /// [`Error::Connect`] after 30 s without a connection, and at once over a connector that can never work; [`Error::Refused`] when the
    /// server turns it away.
    ///
    /// # Panics
    /// Where there is no tokio runtime, or one without time. Without the I/O that sockets need a task of the client's panics, and it fails
    /// with [`Error::Connect`]. `enable_all` of the runtime's builder gives both.
    pub async fn connect(connector: impl Connector) -> Result<Self, Error> {
        Self::builder(connector).connect().await
    }

    /// What has defaults: routes, client id, limits, time limits.
    pub fn builder(connector: impl Connector) -> RouteClientBuilder {
        RouteClientBuilder { settings: ClientSettings::new(Arc::new(connector)), routes: RouteTable::new() }
    }

    fn of(client: Arc<Client>) -> Self {
        let peer = Peer::of_client(client.clone());
        Self { client, peer }
    }

    /// The id by which the server knows this client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.peer.client_id()
    }

    /// What the connector knows of the server at the other end of the latest link.
    #[must_use]
    pub fn info(&self) -> PeerInfo {
        self.peer.info()
    }

    /// A link is open at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// The calls that wait for their answer, the longest first.
    #[must_use]
    pub fn inflight(&self) -> Vec<Inflight> {
        self.peer.inflight()
    }

    /// The server announced this on the latest link, so it is used with it. Python's library announces nothing.
    #[must_use]
    pub fn supports(&self, feature: Feature) -> bool {
        self.peer.supports(feature)
    }

    /// Ends it in order: running handlers finish and what was accepted is sent, within the grace time, for which it tries to reach a
    /// server that is away; then the server is told. Should throws be left of which nobody knows whether they came, the log says how many. Calls that still wait end with an error, and so do later ones. A handler that waits for it
    /// waits for itself: let it tell another task to close. Dropped before its end, it leaves a client that serves no more: close it
    /// again, or drop it.
    pub async fn close(&self) {
        self.client.close().await;
    }

    /// Serves the server's calls until Ctrl-C or SIGTERM, or until the client is over; then closes in order. Asked once more
    /// meanwhile, it ends at once.
    ///
    /// # Errors
    /// A client that was closed is no error. Otherwise
    ///
    /// - [`Error::Signals`]: the signals cannot be listened to.
    /// - [`Error::Refused`]: another connection with its client id took over; or the server turned it down, where it began without
    ///   waiting for a connection.
    /// - [`Error::Connect`]: there was no connection for as long as `give_up_after` of its builder says; or its connector panicked.
    pub async fn run(&self) -> Result<(), Error> {
        self.client.run().await
    }

    /// Waits until the client is over: closed, pushed out by another connection with its id, turned down by the server
    /// before it was connected once, or given up, see `give_up_after` of its builder. Cancel safe.
    pub async fn closed(&self) {
        let _ = self.client.ended().await;
    }
}

impl fmt::Debug for RouteClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteClient").field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

/// Collects what a [`RouteClient`] is to be.
#[must_use = "a builder does nothing before `connect` or `start`"]
pub struct RouteClientBuilder {
    settings: ClientSettings,
    routes: RouteTable,
}

impl RouteClientBuilder {
    /// Handlers for the server's calls. Default: none.
    pub fn routes(mut self, routes: RouteTable) -> Self {
        self.routes = routes;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`RouteClient::connect`]; and [`Error::DuplicateRoute`].
    ///
    /// # Panics
    /// As [`RouteClient::connect`].
    pub async fn connect(self) -> Result<RouteClient, Error> {
        let handlers = Handlers::checked(self.routes)?;
        Ok(RouteClient::of(self.settings.connect(handlers).await?))
    }

    /// Starts to connect and returns at once; calls wait for the connection. A server that refuses ends the client.
    ///
    /// # Errors
    /// [`Error::DuplicateRoute`]; and [`Error::Connect`] if it is set up in a way that can never connect.
    ///
    /// # Panics
    /// Where there is no tokio runtime. In one without time, or without the I/O that sockets need, the client's task panics: the client
    /// is over, and its calls and `run` say so. `enable_all` of the runtime's builder gives both.
    pub fn start(self) -> Result<RouteClient, Error> {
        let handlers = Handlers::checked(self.routes)?;
        Ok(RouteClient::of(self.settings.start(handlers)?))
    }
}

super::client_settings!(RouteClientBuilder);

impl fmt::Debug for RouteClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteClientBuilder")
            .field("connector", &self.settings.connector)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

impl IntoCaller for RouteClient {
    type Caller = Peer;

    fn into_caller(self) -> Peer {
        self.peer
    }
}

impl IntoCaller for &RouteClient {
    type Caller = Peer;

    fn into_caller(self) -> Peer {
        self.peer.clone()
    }
}

/// A server is called back through whichever client is connected.
impl IntoCaller for &RouteServerHandle {
    type Caller = AnyPeer;

    fn into_caller(self) -> AnyPeer {
        self.any_peer()
    }
}
