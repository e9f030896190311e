//! Values for a route of one peer, of whichever is connected or of all → its handler, and back: the calls without a macro.

use std::time::Duration;

use super::super::caller::{CallOptions, Caller};
use super::super::peer::{AllPeers, AnyPeer, Peer};
use super::{RouteClient, RouteServerHandle};
use crate::error::{Error, NoServiceError};
use crate::serializer::{Dump, Load};

/// Calls by route that are told something beside their value. `timeout` and `metadata` of [`RouteClient`], [`Peer`], [`AnyPeer`] and
/// [`AllPeers`] give it. Cheap to clone.
///
/// ```
/// # #[cfg(all(feature = "memory", feature = "json"))]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), communica::Error> {
/// use std::time::Duration;
///
/// use communica::{Context, MemoryConnector, RouteClient, RouteServer, RouteTable};
///
/// let routes = RouteTable::new().route("greet", |cx: Context, name: String| {
///     let greeting: Option<String> = cx.value("greeting");
///     format!("{} {name}!", greeting.unwrap_or_default())
/// });
/// let server = RouteServer::new(MemoryConnector::new("calls"), routes).start().await?;
/// let client = RouteClient::connect(MemoryConnector::new("calls")).await?;
///
/// let polite = client.timeout(Duration::from_secs(5)).metadata("greeting", "Good morning");
/// let greeted: String = polite.request("greet", "Ada").await?;
/// assert_eq!(greeted, "Good morning Ada!");
/// # server.stop().await;
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "memory", feature = "json")))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing before `request` or `throw`"]
pub struct RouteCalls<C> {
    caller: C,
    options: CallOptions,
}

impl<C: Clone> RouteCalls<C> {
    fn of(caller: &C) -> Self {
        Self { caller: caller.clone(), options: CallOptions::new() }
    }

    /// The same, whose calls end with an error when no answer came within `limit`: see [`CallOptions::timeout`]. A throw does not
    /// expire once it was accepted.
    pub fn timeout(&self, limit: Duration) -> Self {
        Self { options: self.options.clone().timeout(limit), ..self.clone() }
    }

    /// The same, whose calls carry `value` under `key`, beside what they send: see [`CallOptions::metadata`].
    pub fn metadata(&self, key: impl Into<String>, value: impl serde::Serialize) -> Self {
        Self { options: self.options.clone().metadata(key, value), ..self.clone() }
    }
}

/// What calls may be told beside their value, as stubs have it.
macro_rules! options_of_calls {
    ($($who:ty => $caller:ty, $calls:expr;)*) => {$(
        impl $who {
            /// Its calls, which end with an error when no answer came within `limit`: see [`CallOptions::timeout`]. Default: they have
            /// as much time as they take. A throw does not expire once it was accepted.
            pub fn timeout(&self, limit: Duration) -> RouteCalls<$caller> {
                $calls(self).timeout(limit)
            }

            /// Its calls, which carry `value` under `key`, beside what they send: see [`CallOptions::metadata`]. Default: nothing.
            pub fn metadata(&self, key: impl Into<String>, value: impl serde::Serialize) -> RouteCalls<$caller> {
                $calls(self).metadata(key, value)
            }
        }
    )*};
}

options_of_calls! {
    RouteClient => Peer, of_client;
    Peer => Peer, RouteCalls::of;
    AnyPeer => AnyPeer, RouteCalls::of;
    AllPeers => AllPeers, RouteCalls::of;
}

fn of_client(client: &RouteClient) -> RouteCalls<Peer> {
    RouteCalls::of(&client.peer)
}

fn of_server(server: &RouteServerHandle) -> RouteCalls<AnyPeer> {
    RouteCalls { caller: server.any_peer(), options: CallOptions::new() }
}

/// The calls without a macro, for whoever stands for one peer.
macro_rules! calls_of_one {
    ($($who:ty, $calls:expr;)*) => {$(
        impl $who {
            /// Sends `value` as JSON to the handler of `route` and waits for its answer.
            ///
            /// # Errors
            /// See [`Error`]; [`Error::outcome`] says whether the handler may have run.
            #[cfg(feature = "json")]
            pub async fn request<A, T>(&self, route: &str, value: &A) -> Result<T, Error>
            where
                A: serde::Serialize + ?Sized + Sync,
                T: serde::de::DeserializeOwned + Send,
            {
                self.request_with(route, &crate::JsonSerializer, value).await
            }

            /// As `request`, in the format of `serializer`.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn request_with<S, A, T>(&self, route: &str, serializer: &S, value: &A) -> Result<T, Error>
            where
                S: Dump<A> + for<'de> Load<'de, T>,
                A: ?Sized + Sync,
                T: Send,
            {
                let RouteCalls { caller, options } = $calls(self);
                let outcome = Caller::request::<_, _, _, NoServiceError>(&caller, &options, route, serializer, value);
                Ok(outcome.await?)
            }

            /// Sends `value` as JSON to the handler of `route` and waits for no answer: done when it is accepted.
            ///
            /// # Errors
            /// See [`Error`]. What the handler makes of it is not told.
            #[cfg(feature = "json")]
            pub async fn throw<A>(&self, route: &str, value: &A) -> Result<(), Error>
            where
                A: serde::Serialize + ?Sized + Sync,
            {
                self.throw_with(route, &crate::JsonSerializer, value).await
            }

            /// As `throw`, in the format of `serializer`.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn throw_with<S, A>(&self, route: &str, serializer: &S, value: &A) -> Result<(), Error>
            where
                S: Dump<A>,
                A: ?Sized + Sync,
            {
                let RouteCalls { caller, options } = $calls(self);
                Ok(Caller::throw(&caller, &options, route, serializer, value).await?)
            }
        }
    )*};
}

calls_of_one! {
    RouteClient, of_client;
    RouteServerHandle, of_server;
    Peer, RouteCalls::of;
    AnyPeer, RouteCalls::of;
    RouteCalls<Peer>, RouteCalls::clone;
    RouteCalls<AnyPeer>, RouteCalls::clone;
}

/// The same for whoever stands for many.
macro_rules! calls_of_all {
    ($($who:ty, $calls:expr;)*) => {$(
        impl $who {
            /// Sends `value` as JSON to every connected client; each one's id and how its call ended. It waits for the slowest of
            /// them, or until the [`timeout`](Self::timeout).
            #[cfg(feature = "json")]
            pub async fn request<A, T>(&self, route: &str, value: &A) -> Vec<(String, Result<T, Error>)>
            where
                A: serde::Serialize + ?Sized + Sync,
                T: serde::de::DeserializeOwned + Send,
            {
                self.request_with(route, &crate::JsonSerializer, value).await
            }

            /// As `request`, in the format of `serializer`.
            pub async fn request_with<S, A, T>(
                &self,
                route: &str,
                serializer: &S,
                value: &A,
            ) -> Vec<(String, Result<T, Error>)>
            where
                S: Dump<A> + for<'de> Load<'de, T>,
                A: ?Sized + Sync,
                T: Send,
            {
                let RouteCalls { caller, options } = $calls(self);
                let outcomes =
                    Caller::request::<_, _, _, NoServiceError>(&caller, &options, route, serializer, value).await;
                outcomes.into_iter().map(|(id, outcome)| (id, outcome.map_err(Error::from))).collect()
            }

            /// Throws `value` as JSON to every connected client.
            #[cfg(feature = "json")]
            pub async fn throw<A>(&self, route: &str, value: &A) -> Vec<(String, Result<(), Error>)>
            where
                A: serde::Serialize + ?Sized + Sync,
            {
                self.throw_with(route, &crate::JsonSerializer, value).await
            }

            /// As `throw`, in the format of `serializer`.
            pub async fn throw_with<S, A>(
                &self,
                route: &str,
                serializer: &S,
                value: &A,
            ) -> Vec<(String, Result<(), Error>)>
            where
                S: Dump<A>,
                A: ?Sized + Sync,
            {
                let RouteCalls { caller, options } = $calls(self);
                let outcomes = Caller::throw(&caller, &options, route, serializer, value).await;
                outcomes.into_iter().map(|(id, outcome)| (id, outcome.map_err(Error::from))).collect()
            }
        }
    )*};
}

calls_of_all! {
    AllPeers, RouteCalls::of;
    RouteCalls<AllPeers>, RouteCalls::clone;
}
