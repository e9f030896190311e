//! Functions and closures → routes.

use std::future::Future;

use bytes::Bytes;

use super::mismatch::{explained, in_object};
use super::{Ran, Route};
use crate::context::Context;
use crate::error::{Error, Fault, FaultKind, SerializerError};
use crate::serializer::{Dump, Load, Serializer};
use crate::session::Answer;

/// What can handle requests: a function or closure, plain or async, of one value or of a [`Context`] and one value.
///
/// A plain one, and an async one until it first waits, runs where messages are read: let that be done within microseconds. What
/// computes or blocks for longer belongs into `tokio::task::spawn_blocking`, inside an async one.
///
/// A `Result` is an answer or an error where its error is `Into<Fault>`: [`AnyError`](crate::AnyError),
/// [`ReqError`](crate::ReqError), an enum with `#[derive(ServiceError)]`. Any other `Result` is a value like all others: the
/// caller gets it whole, as `{"Err": …}` in JSON, and its call went well.
///
/// What comes of a throw nobody reads: it is not dumped, so one that could not be dumped is no error there. The log tells of its errors.
///
/// `M` is worked out by the compiler. If it says that it cannot ("type annotations needed"), the error of a `Result` could be
/// either: it is text, or `Into<Fault>` and itself serializable. Let the handler return `AnyError`, or convert the error with
/// `.map_err(Fault::from)`.
#[diagnostic::on_unimplemented(
    message = "this function cannot handle requests in {S}",
    label = "not a handler",
    note = "a handler takes one value that can be loaded, or `Context` and one value",
    note = "it gives, at once or as a future that is Send, a value that can be dumped or `Result<value, E>` with `E: Into<Fault>`, as `AnyError` (made by `?` of any error) or `ReqError`"
)]
pub trait Handler<S, M>: Send + Sync + 'static {
    #[doc(hidden)]
    #[track_caller]
    fn bind(self, serializer: S) -> Route;
}

impl<S, F, I, R, K> Handler<S, (I, K)> for F
where
    S: Serializer + for<'de> Load<'de, I>,
    F: Fn(I) -> R + Send + Sync + 'static,
    R: Reply<S, K>,
{
    fn bind(self, serializer: S) -> Route {
        Route::new(false, move |call, payload| match load(&serializer, &payload, None) {
            Ok(input) => self(input).ran(&serializer, call.wants_answer()),
            Err(fault) => Ran::Ready(Err(fault)),
        })
    }
}

impl<S, F, I, R, K> Handler<S, (Context, I, K)> for F
where
    S: Serializer + for<'de> Load<'de, I>,
    F: Fn(Context, I) -> R + Send + Sync + 'static,
    R: Reply<S, K>,
{
    fn bind(self, serializer: S) -> Route {
        Route::new(false, move |call, payload| match load(&serializer, &payload, None) {
            Ok(input) => {
                let wanted = call.wants_answer();
                self(call.context().detached(), input).ran(&serializer, wanted)
            }
            Err(fault) => Ran::Ready(Err(fault)),
        })
    }
}

/// What a handler may give back; `K` is one of the markers in [`reply`]. A `Result` whose error is not `Into<Fault>` is a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing a handler can answer with in {S}",
    label = "cannot be an answer",
    note = "give a value that can be dumped, or `Result<value, E>` with `E: Into<Fault>`, as `AnyError` (made by `?` of any error) or `ReqError`, at once or as a future that is Send"
)]
pub trait Reply<S, K> {
    /// `wanted`: somebody waits for it.
    #[doc(hidden)]
    fn ran(self, serializer: &S, wanted: bool) -> Ran;
}

/// Kinds of replies, so that the compiler can tell them apart.
pub mod reply {
    /// A value, at once.
    #[derive(Debug)]
    pub enum Value {}
    /// A `Result`, at once.
    #[derive(Debug)]
    pub enum Fallible {}
    /// A future of a value.
    #[derive(Debug)]
    pub enum LaterValue {}
    /// A future of a `Result`.
    #[derive(Debug)]
    pub enum LaterFallible {}
}

impl<S: Dump<T>, T> Reply<S, reply::Value> for T {
    fn ran(self, serializer: &S, wanted: bool) -> Ran {
        Ran::Ready(dump(serializer, wanted, &self))
    }
}

impl<S: Dump<T>, T, E: Into<Fault>> Reply<S, reply::Fallible> for Result<T, E> {
    fn ran(self, serializer: &S, wanted: bool) -> Ran {
        Ran::Ready(dump_result(serializer, wanted, self))
    }
}

impl<S, F> Reply<S, reply::LaterValue> for F
where
    F: Future + Send + 'static,
    S: Dump<F::Output>,
{
    fn ran(self, serializer: &S, wanted: bool) -> Ran {
        let serializer = serializer.clone();
        Ran::Later(Box::pin(async move { dump(&serializer, wanted, &self.await) }))
    }
}

impl<S, F, T, E> Reply<S, reply::LaterFallible> for F
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    S: Dump<T>,
    E: Into<Fault>,
{
    fn ran(self, serializer: &S, wanted: bool) -> Ran {
        let serializer = serializer.clone();
        Ran::Later(Box::pin(async move { dump_result(&serializer, wanted, self.await) }))
    }
}

/// A payload that cannot be loaded is the sender's business: it gets a `SerializerError`. `argument`: it is sent alone, as the value.
pub(crate) fn load<'de, S: Load<'de, T>, T>(
    serializer: &S,
    payload: &'de Bytes,
    argument: Option<&str>,
) -> Result<T, Fault> {
    serializer.load(payload).map_err(|error| {
        let mut why = explained::<S>(&error, payload);
        let argument = argument.filter(|_| !error.is_about_value());
        why.extend(argument.and_then(|name| in_object::<S>(name, payload)));
        Fault::new(FaultKind::Serializer, why, None)
    })
}

/// A result that cannot be loaded: the handler has run.
pub(crate) fn load_result<'de, S: Load<'de, T>, T>(serializer: &S, payload: &'de Bytes) -> Result<T, Error> {
    serializer.load(payload).map_err(|error| {
        let explained = SerializerError::whole(explained::<S>(&error, payload));
        Error::Serializer(explained.in_result())
    })
}

/// A result that cannot be dumped is this side's fault. One that is not `wanted` is not dumped at all.
pub(crate) fn dump<S: Dump<T>, T: ?Sized>(serializer: &S, wanted: bool, value: &T) -> Answer {
    if !wanted {
        return Ok(Vec::new().into());
    }
    serializer.dump(value).map_err(|error| {
        Fault::new(
            FaultKind::Resp,
            format!("the result cannot be sent as {}: {}", S::NAME, error.message()),
            None,
        )
    })
}

pub(crate) fn dump_result<S: Dump<T>, T, E: Into<Fault>>(
    serializer: &S,
    wanted: bool,
    result: Result<T, E>,
) -> Answer {
    match result {
        Ok(value) => dump(serializer, wanted, &value),
        Err(error) => Err(error.into()),
    }
}
