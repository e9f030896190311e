//! The other end, as a handle to call it: one peer, whichever is connected, or all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::caller::{self, CallOptions, Caller, IntoCaller};
use super::client::Client;
use super::server::Server;
use crate::connector::PeerInfo;
use crate::error::{CallError, NoServiceError, ServiceError};
use crate::exchange::Exchange;
use crate::serializer::{Dump, Load};
use crate::session::Sender;
use crate::wire::Feature;

/// One peer. Cheap to clone; stays good over reconnects, until the server forgets a client that is away for too long
/// ([`Limits::forget_time`](crate::Limits::forget_time)).
///
/// A call to a peer that is away just now waits until it is back, within the time given with the call.
#[derive(Clone)]
pub struct Peer {
    pub(crate) exchange: Arc<Exchange>,
    /// For what is said through this handle.
    sender: Sender,
    /// Who it was, where a handler was called; `None` for whoever has the latest link.
    info: Option<Arc<PeerInfo>>,
    /// Keeps a client connected as long as somebody can call through it.
    _client: Option<Arc<Client>>,
}

impl Peer {
    /// That it is known does not keep the connection open.
    pub(crate) fn of(exchange: Arc<Exchange>) -> Self {
        Self { exchange, sender: Sender::Caller, info: None, _client: None }
    }

    /// The peer as handlers see it. `info`: of the link that brought the message.
    pub(crate) fn of_handler(exchange: Arc<Exchange>, info: Option<Arc<PeerInfo>>) -> Self {
        Self { sender: Sender::Handler, info, ..Self::of(exchange) }
    }

    pub(crate) fn of_client(client: Arc<Client>) -> Self {
        let exchange = client.exchange.clone();
        Self { _client: Some(client), ..Self::of(exchange) }
    }

    /// Id of the client at the other end; on the client's side, its own.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.exchange.client_id()
    }

    /// What the connector knows of who is at the other end of the latest link. The peer of a [`Context`](crate::Context) says who
    /// sent that very message, also when somebody else came with the same client id since; what is said to it goes to whoever has
    /// the id.
    #[must_use]
    pub fn info(&self) -> PeerInfo {
        self.info.as_deref().map_or_else(|| self.exchange.peer_info(), PeerInfo::clone)
    }

    /// A link is open at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.exchange.session().is_linked()
    }

    /// The peer announced this on the latest link, so it is used with it. Python's library announces nothing.
    #[must_use]
    pub fn supports(&self, feature: Feature) -> bool {
        self.exchange.session().supports(feature)
    }

    /// The calls to this peer that wait for their answer, the longest first.
    #[must_use]
    pub fn inflight(&self) -> Vec<Inflight> {
        self.exchange.inflight()
    }
}

/// A call that waits for its answer, or a throw that waits for room ([`Limits::queued`](crate::Limits::queued)): accepted, it waits for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inflight {
    /// What is called; `None` in Simple entities.
    pub route: Option<String>,
    /// Id of the client at the other end; on the client's side, its own. Empty while a call to any client waits for one.
    pub client_id: String,
    /// How long it has been waiting.
    pub age: Duration,
    /// Its message left this process.
    pub is_sent: bool,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

impl Caller for Peer {
    type Outcome<T: Send, E: ServiceError> = Result<T, CallError<E>>;

    async fn request<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<T, CallError<E>>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
        E: ServiceError,
    {
        caller::request((&self.exchange, self.sender), options, Some(route), serializer, args).await
    }

    async fn throw<S, A>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<(), CallError<NoServiceError>>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        Ok(caller::throw((&self.exchange, self.sender), options, Some(route), serializer, args).await?)
    }
}

/// Whichever client of a server is connected: each call goes to one of them, by chance. While there is none, calls
/// wait for one to come, within the time given with the call; after [`Limits::resume_time`](crate::Limits::resume_time) the log says
/// that they do.
///
/// A call whose client goes before it had it, or does not begin it because it is stopping, say, is given to another one; and so is one
/// with `#[route(idempotent)]` that may have run. A throw stays with the client that it was accepted for.
///
/// Over a broker the queue of a client that died has the calls that were made to it before the server knew, and nobody can take them out.
/// Those that may run twice are given to another client as soon as the server knows (see `RmqConnector::check_period`), and withdrawn
/// from the one that died, should it come back. The others may still run there: they wait for it for
/// [`Limits::resume_time`](crate::Limits::resume_time), and then end as [`Outcome::MayHaveRun`](crate::Outcome::MayHaveRun).
///
/// What routes a client has is not known here. Where some clients only ask and others work, call the workers by their
/// ids, see [`RouteServerHandle::peer`](crate::RouteServerHandle::peer).
#[derive(Clone)]
pub struct AnyPeer(pub(crate) Arc<Server>);

impl fmt::Debug for AnyPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyPeer")
    }
}

impl Caller for AnyPeer {
    type Outcome<T: Send, E: ServiceError> = Result<T, CallError<E>>;

    async fn request<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<T, CallError<E>>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
        E: ServiceError,
    {
        self.0.request_any(options, Some(route), serializer, args).await
    }

    async fn throw<S, A>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<(), CallError<NoServiceError>>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        Ok(self.0.throw_any(options, Some(route), serializer, args).await?)
    }
}

/// Every client of a server that is connected when the call is made: a call gives each one's client id and outcome.
/// It waits for the slowest of them, or until the [`timeout`](Self::timeout). Nobody connected, no outcomes.
#[derive(Clone)]
pub struct AllPeers(pub(crate) Arc<Server>);

impl fmt::Debug for AllPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllPeers")
    }
}

impl Caller for AllPeers {
    type Outcome<T: Send, E: ServiceError> = Vec<(String, Result<T, CallError<E>>)>;

    async fn request<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Self::Outcome<T, E>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
        E: ServiceError,
    {
        self.0.request_all(options, Some(route), serializer, args).await
    }

    async fn throw<S, A>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Self::Outcome<(), NoServiceError>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        let outcomes = self.0.throw_all(options, Some(route), serializer, args).await;
        outcomes.into_iter().map(|(id, outcome)| (id, outcome.map_err(CallError::from))).collect()
    }
}

/// A caller is a caller, and so is one that is lent.
macro_rules! into_itself {
    ($($caller:ty),*) => {$(
        impl IntoCaller for $caller {
            type Caller = Self;

            fn into_caller(self) -> Self {
                self
            }
        }

        impl IntoCaller for &$caller {
            type Caller = $caller;

            fn into_caller(self) -> $caller {
                self.clone()
            }
        }
    )*};
}

into_itself!(Peer, AnyPeer, AllPeers);
