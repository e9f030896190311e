//! Values for every client that is connected → their handlers, and each one's outcome back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::caller::CallOptions;
use super::super::server::Server;
use super::peer::options_of_calls;
use crate::error::{CallError, Error};
use crate::serializer::{Dump, Load, Serializer};

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
        let outcomes = self.server.request_all(&self.options, None, &self.serializer, value).await;
        let plain = |(id, outcome): (String, Result<T, CallError>)| (id, outcome.map_err(Error::from));
        outcomes.into_iter().map(plain).collect()
    }

    /// Sends `value` to the handler of each and waits for no answers: done when all are accepted, or until the
    /// [`timeout`](Self::timeout).
    pub async fn throw<A>(&self, value: &A) -> Vec<(String, Result<(), Error>)>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        self.server.throw_all(&self.options, None, &self.serializer, value).await
    }
}

options_of_calls!(SimplePeers);

impl<S> fmt::Debug for SimplePeers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplePeers").finish_non_exhaustive()
    }
}
