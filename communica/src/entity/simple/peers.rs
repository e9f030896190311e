//! Values for every client that is connected → their handlers, and each one's outcome back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::all::all;
use super::super::caller::{self, CallOptions};
use super::super::server::Server;
use super::peer::options_of_calls;
use crate::error::{CallError, Error, NoServiceError};
use crate::serializer::{Dump, Load, Serializer};
use crate::session::Sender;

/// Every client of a Simple server that is connected when a call is made. Nobody connected, no outcomes.
#[derive(Clone)]
pub struct SimplePeers<S> {
    pub(super) server: Arc<Server>,
    pub(super) serializer: S,
    pub(super) options: CallOptions,
}

impl<S: Serializer> SimplePeers<S> {
    /// Sends `value` to the handler of each; each one's id and how its call ended. It waits for the slowest of them, or until the
    /// [`timeout`](Self::timeout).
    pub async fn request<A, T>(&self, value: &A) -> Vec<(String, Result<T, Error>)>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
    {
        let peers = self.server.connected();
        let args = &caller::dump_to_share(None, &self.serializer, value);
        let outcomes = all(peers.iter().map(|peer| async move {
            let (to, args) = ((&**peer, Sender::Caller), args.clone()?.into());
            caller::request_dumped(to, &self.options, None, &self.serializer, args).await
        }));
        let outcomes = outcomes
            .await
            .into_iter()
            .map(|outcome| outcome.map_err(|error: CallError<NoServiceError>| error.into()));
        peers.iter().map(|peer| peer.client_id().to_owned()).zip(outcomes).collect()
    }

    /// Sends `value` to the handler of each and waits for no answers: done when all are accepted, or until the
    /// [`timeout`](Self::timeout).
    pub async fn throw<A>(&self, value: &A) -> Vec<(String, Result<(), Error>)>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        let peers = self.server.connected();
        let args = &caller::dump_to_share(None, &self.serializer, value);
        let outcomes = all(peers.iter().map(|peer| async move {
            caller::throw_dumped((peer, Sender::Caller), &self.options, None, args.clone()?.into()).await
        }));
        let outcomes = outcomes.await;
        peers.iter().map(|peer| peer.client_id().to_owned()).zip(outcomes).collect()
    }
}

options_of_calls!(SimplePeers);

impl<S> fmt::Debug for SimplePeers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplePeers").finish_non_exhaustive()
    }
}
