//! Values for one peer, or whichever is connected → its handler, and back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::caller::{self, CallOptions};
use super::super::peer::Inflight;
use super::super::server::Server;
use crate::connector::PeerInfo;
use crate::error::{CallError, Error, NoServiceError};
use crate::exchange::Exchange;
use crate::serializer::{Dump, Load, Serializer};
use crate::session::Sender;
use crate::wire::Feature;

/// What calls may be told beside their value, as stubs have it.
macro_rules! options_of_calls {
    ($who:ident) => {
        impl<S: Serializer> $who<S> {
            /// The same, whose calls end with an error when no answer came within `limit`: see [`CallOptions::timeout`]. A throw
            /// does not expire once it was accepted.
            #[must_use = "the limit is that of the copy"]
            pub fn timeout(&self, limit: Duration) -> Self {
                Self { options: self.options.clone().timeout(limit), ..self.clone() }
            }

            /// The same, whose calls carry `value` under `key`, beside what they send: see [`CallOptions::metadata`].
            #[must_use = "the calls of the copy carry it"]
            pub fn metadata(&self, key: impl Into<String>, value: impl serde::Serialize) -> Self {
                Self { options: self.options.clone().metadata(key, value), ..self.clone() }
            }
        }
    };
}

pub(super) use options_of_calls;

/// The other end of a Simple entity: one peer, or whichever is connected.
#[derive(Clone)]
pub struct SimplePeer<S> {
    pub(super) whom: Whom,
    pub(super) serializer: S,
    pub(super) options: CallOptions,
}

#[derive(Clone)]
pub(super) enum Whom {
    One(Arc<Exchange>),
    Any(Arc<Server>),
}

impl<S: Serializer> SimplePeer<S> {
    /// Id of the client; `None` for whichever is connected.
    pub fn client_id(&self) -> Option<&str> {
        match &self.whom {
            Whom::One(exchange) => Some(exchange.client_id()),
            Whom::Any(_) => None,
        }
    }

    /// What the connector knows of who is at the other end of the latest link; `None` for whichever is connected.
    #[must_use]
    pub fn info(&self) -> Option<PeerInfo> {
        match &self.whom {
            Whom::One(exchange) => Some(exchange.peer_info()),
            Whom::Any(_) => None,
        }
    }

    /// A link to it is open at this moment; for whichever is connected: there is one.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match &self.whom {
            Whom::One(exchange) => exchange.session().is_linked(),
            Whom::Any(server) => !server.connected().is_empty(),
        }
    }

    /// The peer announced this on the latest link, so it is used with it; for whichever is connected: each of them did, and there is
    /// one. Python's library announces nothing.
    #[must_use]
    pub fn supports(&self, feature: Feature) -> bool {
        match &self.whom {
            Whom::One(exchange) => exchange.session().supports(feature),
            Whom::Any(server) => {
                let connected = server.connected();
                !connected.is_empty() && connected.iter().all(|peer| peer.session().supports(feature))
            }
        }
    }

    /// The calls to it that wait for their answer, the longest first; for whichever is connected: those to all clients.
    #[must_use]
    pub fn inflight(&self) -> Vec<Inflight> {
        match &self.whom {
            Whom::One(exchange) => exchange.inflight(),
            Whom::Any(server) => server.inflight(),
        }
    }

    /// Sends `value` to the peer's handler and waits for its answer.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::outcome`] says whether the handler may have run.
    pub async fn request<A, T>(&self, value: &A) -> Result<T, Error>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
    {
        let outcome: Result<T, CallError> = match &self.whom {
            Whom::One(exchange) => {
                let to = (&**exchange, Sender::Caller);
                caller::request(to, &self.options, None, &self.serializer, value).await
            }
            Whom::Any(server) => server.request_any(&self.options, None, &self.serializer, value).await,
        };
        Ok(outcome?)
    }

    /// Sends `value` to the peer's handler and waits for no answer: done when it is accepted.
    ///
    /// # Errors
    /// See [`Error`]. What the handler makes of it is not told.
    pub async fn throw<A>(&self, value: &A) -> Result<(), Error>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        match &self.whom {
            Whom::One(exchange) => {
                let to = (&**exchange, Sender::Caller);
                caller::throw(to, &self.options, None, &self.serializer, value).await
            }
            Whom::Any(server) => server.throw_any(&self.options, None, &self.serializer, value).await,
        }
    }
}

options_of_calls!(SimplePeer);

pub(super) async fn request<S, A, T>(
    exchange: &Exchange,
    options: &CallOptions,
    serializer: &S,
    value: &A,
) -> Result<T, Error>
where
    S: Dump<A> + for<'de> Load<'de, T>,
    A: ?Sized + Sync,
{
    let outcome = caller::request((exchange, Sender::Caller), options, None, serializer, value).await;
    outcome.map_err(|error: CallError<NoServiceError>| error.into())
}

impl<S> fmt::Debug for SimplePeer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = match &self.whom {
            Whom::One(exchange) => exchange.client_id(),
            Whom::Any(_) => "any",
        };
        f.debug_struct("SimplePeer").field("client_id", &id).finish_non_exhaustive()
    }
}
