//! A call for every client that is connected → how each one's ended, with its id.

use super::Server;
use crate::entity::all::all;
use crate::entity::caller::{self, CallOptions};
use crate::error::{CallError, Error, ServiceError};
use crate::serializer::{Dump, Load};
use crate::session::Sender;

impl Server {
    pub(crate) async fn request_all<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: Option<&str>,
        serializer: &S,
        args: &A,
    ) -> Vec<(String, Result<T, CallError<E>>)>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        E: ServiceError,
    {
        let peers = self.connected();
        let args = &caller::dump_to_share(route, serializer, args);
        let outcomes = all(peers.iter().map(|peer| async move {
            let args = args.clone()?.into();
            caller::request_dumped((peer, Sender::Caller), options, route, serializer, args).await
        }));
        let outcomes = outcomes.await;
        peers.iter().map(|peer| peer.client_id().to_owned()).zip(outcomes).collect()
    }

    pub(crate) async fn throw_all<S, A>(
        &self,
        options: &CallOptions,
        route: Option<&str>,
        serializer: &S,
        args: &A,
    ) -> Vec<(String, Result<(), Error>)>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        let peers = self.connected();
        let args = &caller::dump_to_share(route, serializer, args);
        let outcomes = all(peers.iter().map(|peer| async move {
            caller::throw_dumped((peer, Sender::Caller), options, route, args.clone()?.into()).await
        }));
        let outcomes = outcomes.await;
        peers.iter().map(|peer| peer.client_id().to_owned()).zip(outcomes).collect()
    }
}
