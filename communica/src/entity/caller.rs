//! The seam under stubs: who is called, and how an outcome looks.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::runtime::Handle;

use crate::clock::timeout;
use crate::error::{CallError, Error, NoServiceError, SerializerError, ServiceError};
use crate::exchange::{Exchange, TimeLimit};
use crate::route::handler;
use crate::serializer::{Dump, Load, Payload};
use crate::session::{CallEnd, Sender, What};
use crate::wire;

/// Bytes of metadata a call may have of its own, its route included; the wire's bound for all of it is twice that.
const MAX_METADATA: usize = 32 * 1024;

/// What a call may be told beside its arguments. Cheap to clone.
///
/// Stubs, clients and peers have `timeout` and `metadata` of their own. It is for whoever writes or uses a [`Caller`]:
///
/// ```
/// # #[cfg(feature = "json")] {
/// use std::time::Duration;
///
/// use communica::{CallError, CallOptions, Caller, IntoCaller, JsonSerializer, RouteClient};
///
/// async fn upper(client: &RouteClient, text: &str) -> Result<String, CallError> {
///     let options = CallOptions::new().timeout(Duration::from_secs(5));
///     Caller::request(&client.into_caller(), &options, "upper", &JsonSerializer, text).await
/// }
/// # let _ = upper;
/// # }
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    time: Option<TimeLimit>,
    values: Option<Arc<BTreeMap<String, Box<RawValue>>>>,
    /// The first value that cannot be sent; told when a call is made.
    failed: Option<SerializerError>,
    idempotent: bool,
}

impl CallOptions {
    /// Nothing told: no time limit, no metadata.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the answer, the time in the queue included. After it the call ends with
    /// [`Error::NotSent`] if its message did not go out (and never will), else with [`Error::MayHaveRun`]. The
    /// responder is told, see [`Context::deadline`](crate::Context::deadline). Default: no limit.
    ///
    /// Of a throw it limits the wait until it is accepted: after that it does not expire, and is handled however late it comes.
    ///
    /// The clock is that of the tokio runtime from which the call is made, which must have one (`enable_time`), or the call panics;
    /// on a thread without a runtime it is that of the entity's runtime.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        Self { time: Some(TimeLimit::new(time)), ..self }
    }

    /// A value to send along, in JSON, beside the arguments; handlers read it with
    /// [`Context::value`](crate::Context::value). All of them together, with the route, have 32 KiB. A call whose
    /// value has no JSON form or more than 63 levels, or that sends more, ends with [`Error::Serializer`] and is not sent.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        let key = key.into();
        match serde_json::value::to_raw_value(&value) {
            Ok(value) if wire::is_too_deep(value.get()) => {
                self.fail(format!("the metadata `{key}` is nested more than 63 levels deep"))
            }
            Ok(value) => {
                Arc::make_mut(self.values.get_or_insert_default()).insert(key, value);
            }
            Err(error) => self.fail(format!("the metadata `{key}` has no JSON form: {error}")),
        }
        self
    }

    fn fail(&mut self, what: String) {
        self.failed.get_or_insert(SerializerError::new(what));
    }

    /// How long the call may take from now on, where it has a limit: for a [`Caller`] that calls again, or waits for something
    /// first.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.time.map(TimeLimit::left)
    }

    /// A value that was given to [`metadata`](Self::metadata) under this key, if there is one and it is a `T`.
    #[must_use]
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.values.as_ref()?.get(key)?.get()).ok()
    }

    /// The method may run twice without harm: it is one with `#[route(idempotent)]`.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// The method may run twice without harm.
    #[doc(hidden)]
    #[must_use]
    pub fn __idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// Further members of the message's metadata.
    fn more(&self, route: Option<&str>) -> Result<String, SerializerError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let none = BTreeMap::new();
        let more = wire::more(self.time.map(TimeLimit::left), self.values.as_deref().unwrap_or(&none));
        match more.len() + route.map_or(0, wire::string_len) {
            size if size > MAX_METADATA => {
                let what = format!("route and metadata have {size} bytes where {MAX_METADATA} are allowed");
                Err(SerializerError::new(what))
            }
            _ => Ok(more),
        }
    }

    /// The same after so much of the time has passed.
    pub(crate) fn without(self, spent: Duration) -> Self {
        Self { time: self.time.map(|time| time.without(spent)), ..self }
    }

    /// Looks for a connection first, within the time of the call. Gives what is left of it. `runtime`: that of the entity; `none`: what
    /// it means that there is none.
    pub(crate) async fn spend<T>(
        &self,
        runtime: &Handle,
        first: impl Future<Output = T>,
        none: &str,
    ) -> Result<(T, Self), Error> {
        let Some(time) = self.time else { return Ok((first.await, self.clone())) };
        let start = Instant::now();
        let done = timeout(time.left(), runtime, first).await;
        let done = done.map_err(|_| Error::NotSent(time.passed(Some(none.to_owned()))))?;
        Ok((done, Self { time: Some(time.without(start.elapsed())), ..self.clone() }))
    }
}

/// Without the values, which may be secrets.
impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.values.iter().flat_map(|values| values.keys()).collect();
        f.debug_struct("CallOptions")
            .field("time", &self.time)
            .field("metadata", &keys)
            .field("failed", &self.failed)
            .field("idempotent", &self.idempotent)
            .finish()
    }
}

/// Somebody who can be called: one peer, whichever is connected, or all. Generated stubs stand on it, and so can
/// yours: a caller that retries, counts or imitates a service. What the call was told is in its [`CallOptions`]:
/// [`time_left`](CallOptions::time_left), [`value`](CallOptions::value), [`is_idempotent`](CallOptions::is_idempotent).
///
/// The trait may get more methods one day, with a default each.
///
/// Dropping a future of a call gives the call up; a message that did not go out yet is not sent then.
pub trait Caller: Clone + Send + Sync + 'static {
    /// How a call ends: a `Result` for one peer, one per peer for all.
    type Outcome<T: Send, E: ServiceError>: Send;

    /// Sends `args` and waits for the answer.
    fn request<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> impl Future<Output = Self::Outcome<T, E>> + Send
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
        E: ServiceError;

    /// Sends `args` and waits for no answer: done when the message is accepted.
    fn throw<S, A>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> impl Future<Output = Self::Outcome<(), NoServiceError>> + Send
    where
        S: Dump<A>,
        A: ?Sized + Sync;
}

/// What a stub can be made of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called",
    label = "not a client or peer, nor a server's handle that is lent (`&server`)",
    note = "give a `RouteClient`, or `server.peer(id).await`, `server.any_peer()`, `server.all_peers()`; in a handler `cx.peer()`"
)]
pub trait IntoCaller {
    /// Who is called in the end.
    type Caller: Caller;

    /// Makes the caller.
    fn into_caller(self) -> Self::Caller;
}

pub(crate) async fn request<S, A, T, E>(
    to: (&Exchange, Sender),
    options: &CallOptions,
    route: Option<&str>,
    serializer: &S,
    args: &A,
) -> Result<T, CallError<E>>
where
    S: Dump<A> + for<'de> Load<'de, T>,
    A: ?Sized + Sync,
    E: ServiceError,
{
    let (exchange, sender) = to;
    let args = dump(route, serializer, args)?;
    let more = options.more(route).map_err(|error| not_sent(error, route))?;
    let what = What { route, more: &more, idempotent: options.idempotent, sender, ..What::default() };
    // Not by way of `request_dumped`: a future keeps a copy of whatever goes on to another.
    loaded(exchange.request(what, args, options.time).await, route, serializer)
}

/// The same for the link that is there: a call that this does not take waits for no other.
pub(crate) async fn request_here<S, A, T, E>(
    exchange: &Exchange,
    options: &CallOptions,
    route: Option<&str>,
    serializer: &S,
    args: &A,
) -> Result<T, CallError<E>>
where
    S: Dump<A> + for<'de> Load<'de, T>,
    A: ?Sized + Sync,
    E: ServiceError,
{
    let args = dump(route, serializer, args)?;
    let more = options.more(route).map_err(|error| not_sent(error, route))?;
    let idempotent = options.idempotent;
    let what = What { route, more: &more, idempotent, here: true, ..What::default() };
    loaded(exchange.request(what, args, options.time).await, route, serializer)
}

pub(crate) async fn throw<S, A>(
    to: (&Exchange, Sender),
    options: &CallOptions,
    route: Option<&str>,
    serializer: &S,
    args: &A,
) -> Result<(), Error>
where
    S: Dump<A>,
    A: ?Sized + Sync,
{
    throw_dumped(to, options, route, dump(route, serializer, args)?).await
}

pub(crate) async fn throw_here<S, A>(
    exchange: &Exchange,
    options: &CallOptions,
    route: Option<&str>,
    serializer: &S,
    args: &A,
) -> Result<(), Error>
where
    S: Dump<A>,
    A: ?Sized,
{
    let args = dump(route, serializer, args)?;
    let more = options.more(route).map_err(|error| not_sent(error, route))?;
    let what = What { route, more: &more, here: true, ..What::default() };
    exchange.throw(what, args, options.time).await
}

/// Of arguments that go to many, who share the bytes.
pub(crate) fn dump_to_share<S, A>(route: Option<&str>, serializer: &S, args: &A) -> Result<Bytes, Error>
where
    S: Dump<A>,
    A: ?Sized,
{
    dump(route, serializer, args).map(Payload::into_bytes)
}

fn dump<S, A>(route: Option<&str>, serializer: &S, args: &A) -> Result<Payload, Error>
where
    S: Dump<A>,
    A: ?Sized,
{
    serializer.dump(args).map_err(|error| not_sent(error, route))
}

fn not_sent(error: SerializerError, route: Option<&str>) -> Error {
    Error::Serializer(error.of_route(route))
}

pub(crate) async fn request_dumped<S, T, E>(
    (exchange, sender): (&Exchange, Sender),
    options: &CallOptions,
    route: Option<&str>,
    serializer: &S,
    args: Payload,
) -> Result<T, CallError<E>>
where
    S: for<'de> Load<'de, T>,
    E: ServiceError,
{
    let more = options.more(route).map_err(|error| not_sent(error, route))?;
    let idempotent = options.idempotent;
    let what = What { route, more: &more, idempotent, sender, ..What::default() };
    loaded(exchange.request(what, args, options.time).await, route, serializer)
}

fn loaded<S, T, E>(ended: CallEnd, route: Option<&str>, serializer: &S) -> Result<T, CallError<E>>
where
    S: for<'de> Load<'de, T>,
    E: ServiceError,
{
    match ended {
        CallEnd::Value(payload) => handler::load_result(serializer, &payload)
            .map_err(|error| CallError::Failed(error.of_route(route))),
        CallEnd::Fault(fault) => Err(match E::from_fault(fault) {
            Ok(error) => CallError::Service(error),
            Err(fault) => CallError::Failed(Error::from(fault).of_route(route)),
        }),
        CallEnd::Lost(error) => Err(error.into()),
    }
}

pub(crate) async fn throw_dumped(
    (exchange, sender): (&Exchange, Sender),
    options: &CallOptions,
    route: Option<&str>,
    args: Payload,
) -> Result<(), Error> {
    let more = options.more(route).map_err(|error| not_sent(error, route))?;
    let what = What { route, more: &more, sender, ..What::default() };
    exchange.throw(what, args, options.time).await
}
