//! Entities with one handler and no routes.

mod peer;
mod peers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::caller::{self, CallOptions};
use super::client::{Client, ClientSettings};
use super::peer::Inflight;
use super::server::{PeerWatch, Running, ServerSettings};
use crate::connector::{Connector, PeerInfo};
use crate::error::Error;
use crate::limits::Limits;
use crate::route::{Handler, Handlers, Route};
use crate::serializer::{Dump, Load, Serializer};
use crate::session::Sender;
use crate::wire::Feature;
pub use peer::SimplePeer;
use peer::{Whom, options_of_calls, request};
pub use peers::SimplePeers;

#[cfg(feature = "json")]
use crate::JsonSerializer;

/// Stands where a format is still to be chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSerializer;

/// One handler for everything, and calls to the clients that connect. The counterpart of [`SimpleClient`].
///
/// ```no_run
/// # #[cfg(all(feature = "tcp", feature = "json"))]
/// # async fn example() -> Result<(), communica::Error> {
/// use communica::{SimpleServer, TcpConnector};
///
/// let connector = TcpConnector::new("localhost", 16161);
/// SimpleServer::new(connector, |text: String| format!("Thanks for your {text:?}!")).run().await
/// # }
/// ```
#[must_use = "a server does nothing before `run` or `start`"]
pub struct SimpleServer<S> {
    settings: ServerSettings,
    handler: Route,
    serializer: S,
}

#[cfg(feature = "json")]
impl SimpleServer<JsonSerializer> {
    /// A server that will listen on `connector` and answer with `handler`, in JSON.
    pub fn new<M>(connector: impl Connector, handler: impl Handler<JsonSerializer, M>) -> Self {
        Self::with_serializer(connector, handler, JsonSerializer)
    }
}

impl<S: Serializer> SimpleServer<S> {
    /// The same in the format of `serializer`.
    pub fn with_serializer<M>(connector: impl Connector, handler: impl Handler<S, M>, serializer: S) -> Self {
        let handler = handler.bind(serializer.clone());
        Self { settings: ServerSettings::new(Arc::new(connector)), handler, serializer }
    }

    /// Starts to listen. The server runs until the handle is stopped or its last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Listen`].
    ///
    /// # Panics
    /// Where there is no tokio runtime, or one without the I/O that sockets need. Without time a task of the server's panics, and it
    /// does not listen. `enable_all` of the runtime's builder gives both.
    pub async fn start(self) -> Result<SimpleServerHandle<S>, Error> {
        let running = self.settings.start(Handlers::Simple(Some(self.handler))).await?;
        Ok(SimpleServerHandle { running, serializer: self.serializer })
    }

    /// Listens until Ctrl-C or SIGTERM, then stops in order, see [`SimpleServerHandle::stop`]. Asked once more meanwhile, it ends at
    /// once.
    ///
    /// # Errors
    /// [`Error::Listen`] and [`Error::Signals`].
    pub async fn run(self) -> Result<(), Error> {
        Running::run_from(async { Ok(self.start().await?.running) }).await
    }
}

super::server_settings!(SimpleServer<S>);

impl<S> fmt::Debug for SimpleServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleServer").field("connector", &self.settings.connector).finish_non_exhaustive()
    }
}

/// A running [`SimpleServer`]. Cheap to clone; when the last clone is dropped the server ends on the spot, its
/// connections with it.
#[derive(Clone)]
#[must_use = "the server ends when its handle is dropped"]
pub struct SimpleServerHandle<S> {
    running: Arc<Running>,
    serializer: S,
}

impl<S: Serializer> SimpleServerHandle<S> {
    /// A client by its id. Waits until it has been here, for as long as that takes; cancel safe. When nobody came within
    /// [`Limits::resume_time`](crate::Limits::resume_time), 30 s, the log says so, once, and who is connected.
    pub async fn peer(&self, client_id: &str) -> SimplePeer<S> {
        self.as_peer(Whom::One(self.running.server.by_id(client_id).await))
    }

    /// Whichever client is connected: each call goes to one of them, by chance. Calls wait while there is none, and the log says so
    /// after [`Limits::resume_time`](crate::Limits::resume_time).
    pub fn any_peer(&self) -> SimplePeer<S> {
        self.as_peer(Whom::Any(self.running.server.clone()))
    }

    /// Every client that is connected when a call is made.
    pub fn all_peers(&self) -> SimplePeers<S> {
        SimplePeers {
            server: self.running.server.clone(),
            serializer: self.serializer.clone(),
            options: CallOptions::new(),
        }
    }

    /// The clients that are connected now.
    pub fn peers(&self) -> Vec<SimplePeer<S>> {
        self.running.server.connected().into_iter().map(|peer| self.as_peer(Whom::One(peer))).collect()
    }

    fn as_peer(&self, whom: Whom) -> SimplePeer<S> {
        SimplePeer { whom, serializer: self.serializer.clone(), options: CallOptions::new() }
    }

    /// Calls whichever client is connected; waits for one if there is none. With a time limit: [`SimplePeer::timeout`] of
    /// [`any_peer`](Self::any_peer).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn request<A, T>(&self, value: &A) -> Result<T, Error>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
    {
        self.any_peer().request(value).await
    }

    /// Throws to whichever client is connected; waits for one if there is none. With a time limit, as for
    /// [`request`](Self::request).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn throw<A>(&self, value: &A) -> Result<(), Error>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        self.any_peer().throw(value).await
    }

    /// Calls every client that is connected; each one's id and how its call ended. It waits for the slowest of them. With a time
    /// limit: [`SimplePeers::timeout`] of [`all_peers`](Self::all_peers).
    pub async fn request_all<A, T>(&self, value: &A) -> Vec<(String, Result<T, Error>)>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
    {
        self.all_peers().request(value).await
    }

    /// Throws to every client that is connected. Where one has no room for it, it waits for that. With a time limit, as for
    /// [`request_all`](Self::request_all).
    pub async fn throw_all<A>(&self, value: &A) -> Vec<(String, Result<(), Error>)>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        self.all_peers().throw(value).await
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

impl<S> fmt::Debug for SimpleServerHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleServerHandle").field("address", &self.running.address).finish_non_exhaustive()
    }
}

/// Connects to a [`SimpleServer`], calls it, and can answer its calls with one handler. Cheap to clone: all clones
/// share the connection. It reconnects by itself, under the same client id. When the last clone is dropped, what was accepted is
/// sent and the connection ends; so it does with the runtime that the client was made in, and throws that the link does not take at
/// once are lost then: [`close`](Self::close) a client before `main` ends.
#[derive(Clone)]
#[must_use = "the connection ends when the client's last clone is dropped"]
pub struct SimpleClient<S> {
    client: Arc<Client>,
    serializer: S,
    options: CallOptions,
}

#[cfg(feature = "json")]
impl SimpleClient<JsonSerializer> {
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

    /// What has defaults: format, handler, client id, limits, time limits.
    pub fn builder(connector: impl Connector) -> SimpleClientBuilder<JsonSerializer> {
        SimpleClient::<NoSerializer>::builder_with(connector, JsonSerializer)
    }
}

impl SimpleClient<NoSerializer> {
    /// What has defaults, in the format of `serializer`.
    pub fn builder_with<S: Serializer>(connector: impl Connector, serializer: S) -> SimpleClientBuilder<S> {
        SimpleClientBuilder { settings: ClientSettings::new(Arc::new(connector)), handler: None, serializer }
    }
}

impl<S: Serializer> SimpleClient<S> {
    /// The id by which the server knows this client.
    pub fn client_id(&self) -> &str {
        self.client.exchange.client_id()
    }

    /// What the connector knows of the server at the other end of the latest link.
    #[must_use]
    pub fn info(&self) -> PeerInfo {
        self.client.exchange.peer_info()
    }

    /// A link is open at this moment.
    pub fn is_connected(&self) -> bool {
        self.client.exchange.session().is_linked()
    }

    /// The calls that wait for their answer, the longest first.
    #[must_use]
    pub fn inflight(&self) -> Vec<Inflight> {
        self.client.exchange.inflight()
    }

    /// The server announced this on the latest link, so it is used with it. Python's library announces nothing.
    #[must_use]
    pub fn supports(&self, feature: Feature) -> bool {
        self.client.exchange.session().supports(feature)
    }

    /// Sends `value` to the server's handler and waits for its answer.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::outcome`] says whether the handler may have run.
    pub async fn request<A, T>(&self, value: &A) -> Result<T, Error>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
    {
        request(&self.client.exchange, &self.options, &self.serializer, value).await
    }

    /// Sends `value` to the server's handler and waits for no answer: done when it is accepted.
    ///
    /// # Errors
    /// See [`Error`]. What the handler makes of it is not told.
    pub async fn throw<A>(&self, value: &A) -> Result<(), Error>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        caller::throw((&self.client.exchange, Sender::Caller), &self.options, None, &self.serializer, value)
            .await
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

options_of_calls!(SimpleClient);

impl<S> fmt::Debug for SimpleClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.client.exchange.client_id();
        f.debug_struct("SimpleClient").field("client_id", &id).finish_non_exhaustive()
    }
}

/// Collects what a [`SimpleClient`] is to be.
#[must_use = "a builder does nothing before `connect` or `start`"]
pub struct SimpleClientBuilder<S> {
    settings: ClientSettings,
    handler: Option<Route>,
    serializer: S,
}

impl<S: Serializer> SimpleClientBuilder<S> {
    /// The format. It comes before the [`handler`](Self::handler), which speaks it: `connect` and `start` fail otherwise.
    pub fn serializer<N: Serializer>(mut self, serializer: N) -> SimpleClientBuilder<N> {
        if self.handler.is_some() {
            self.settings.mistake = Some(format!(
                "the handler was given before `serializer` and speaks {}: call `serializer` first",
                S::NAME
            ));
        }
        SimpleClientBuilder { settings: self.settings, handler: None, serializer }
    }

    /// The handler for the server's calls. Default: none, and such calls are answered with a `RespError`.
    pub fn handler<M>(mut self, handler: impl Handler<S, M>) -> Self {
        self.handler = Some(handler.bind(self.serializer.clone()));
        self.settings.mistake = None;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`] and [`Error::Refused`].
    ///
    /// # Panics
    /// Where there is no tokio runtime, or one without time. Without the I/O that sockets need a task of the client's panics, and it fails
    /// with [`Error::Connect`]. `enable_all` of the runtime's builder gives both.
    pub async fn connect(self) -> Result<SimpleClient<S>, Error> {
        let client = self.settings.connect(Handlers::Simple(self.handler)).await?;
        Ok(SimpleClient { client, serializer: self.serializer, options: CallOptions::new() })
    }

    /// Starts to connect and returns at once; calls wait for the connection. A server that refuses ends the client.
    ///
    /// # Errors
    /// [`Error::Connect`] if it is set up in a way that can never connect.
    ///
    /// # Panics
    /// Where there is no tokio runtime. In one without time, or without the I/O that sockets need, the client's task panics: the client
    /// is over, and its calls and `run` say so. `enable_all` of the runtime's builder gives both.
    pub fn start(self) -> Result<SimpleClient<S>, Error> {
        let client = self.settings.start(Handlers::Simple(self.handler))?;
        Ok(SimpleClient { client, serializer: self.serializer, options: CallOptions::new() })
    }
}

super::client_settings!(SimpleClientBuilder<S>);

impl<S> fmt::Debug for SimpleClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleClientBuilder")
            .field("connector", &self.settings.connector)
            .finish_non_exhaustive()
    }
}
