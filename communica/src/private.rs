//! What generated code uses. Not for people: it may change with every release.

pub use ::bytes::Bytes;
pub use ::serde;

pub use crate::error::NoServiceError;
pub use crate::serializer::Payload;

#[cfg(feature = "json")]
pub use crate::JsonSerializer as DefaultSerializer;
#[cfg(not(feature = "json"))]
pub use no_format::NoFormat as DefaultSerializer;

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use crate::context::{Context, GivenUp, HandledCall};
use crate::error::{Fault, FaultKind, SerializerError, ServiceError};
use crate::route::{Block, Ran, Route, RouteTable, handler};
use crate::serializer::{Dump, Load, Serializer};

pub type Answer = Result<Payload, Fault>;
pub type BoxAnswer = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The two types of a `Result`, also behind an alias.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result` but is not `core::result::Result`",
    label = "write the type this stands for, or rename yours"
)]
pub trait ResultParts {
    type Ok;
    type Err;

    fn parts(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn parts(self) -> Self {
        self
    }
}

/// The value after `serializer =`. Of what is no serializer there is no `Itself`, so nothing more is missed of it.
pub fn chosen<S: Chosen<M>, M>(serializer: S) -> S::Itself {
    serializer.itself()
}

/// `M` is worked out by the compiler: two ways to be chosen, of which one is closed, make it look before it leaps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a serializer",
    label = "not a format",
    note = "name one of the library's, as `JsonSerializer`, or implement `communica::Serializer` for yours"
)]
pub trait Chosen<M> {
    type Itself;

    fn itself(self) -> Self::Itself;
}

#[diagnostic::do_not_recommend]
impl<S: Serializer> Chosen<Open> for S {
    type Itself = S;

    fn itself(self) -> S {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<S: Never> Chosen<Closed> for S {
    type Itself = S;

    fn itself(self) -> S {
        self
    }
}

pub enum Open {}
pub enum Closed {}
pub trait Never {}

/// Whether a type is a `Result`, also behind an alias: what a type has itself goes before what a trait gives it.
pub struct Probe<T>(PhantomData<T>);

impl<T, E> Probe<Result<T, E>> {
    pub const IS_RESULT: bool = true;
}

pub trait NoResult {
    const IS_RESULT: bool = false;
}

impl<T> NoResult for Probe<T> {}

/// Text that stays in the payload where it can: a `Cow` in a derived struct would be copied.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

#[cfg(feature = "validated")]
impl crate::serializer::Validated for Text<'_> {
    fn check(&self, _: &mut crate::serializer::BrokenRules) {}
}

/// Without the default format, a service that names none is told so once.
#[cfg(not(feature = "json"))]
#[path = "private/no_format.rs"]
mod no_format;

#[cfg(feature = "json")]
#[doc(hidden)]
#[macro_export]
macro_rules! __communica_default_format {
    () => {};
}

#[cfg(not(feature = "json"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __communica_default_format {
    () => {
        ::core::compile_error!(
            "this service names no format, and the default, JSON, is off: turn on the feature `json` of `communica`, or write `#[communica::service(serializer = …)]`"
        );
    };
}

// Server side ----------------------------------------------------------------------------------------------------

/// Under which names a method is found, and what is known about it.
#[derive(Clone, Copy)]
pub struct Registration {
    /// The route and its aliases.
    pub names: &'static [&'static str],
    pub idempotent: bool,
}

/// An async method becomes a route.
#[track_caller]
pub fn method<H>(table: &mut RouteTable, registration: Registration, handler: H)
where
    H: Fn(HandledCall<'_>, Bytes) -> BoxAnswer + Send + Sync + 'static,
{
    register(
        table,
        registration,
        Route::new(registration.idempotent, move |call, payload| Ran::Later(handler(call, payload))),
    );
}

/// A plain method becomes a route that runs where messages are read.
#[track_caller]
pub fn method_inline<H>(table: &mut RouteTable, registration: Registration, handler: H)
where
    H: Fn(HandledCall<'_>, Bytes) -> Answer + Send + Sync + 'static,
{
    register(
        table,
        registration,
        Route::new(registration.idempotent, move |call, payload| Ran::Ready(handler(call, payload))),
    );
}

/// A plain method becomes a route that runs on the blocking pool.
#[track_caller]
pub fn method_blocking<H>(table: &mut RouteTable, registration: Registration, handler: H)
where
    H: Fn(HandledCall<'_>, Bytes) -> Block + Send + Sync + 'static,
{
    register(
        table,
        registration,
        Route::new(registration.idempotent, move |call, payload| Ran::Blocking(handler(call, payload))),
    );
}

#[track_caller]
fn register(table: &mut RouteTable, registration: Registration, route: Route) {
    for name in registration.names {
        table.insert((*name).into(), route.clone());
    }
}

impl RouteTable {
    /// Whether the route may be run twice for one call; `None` when there is no such route.
    pub fn __is_idempotent(&self, name: &str) -> Option<bool> {
        self.find(name).map(|(_, route)| route.is_idempotent())
    }
}

/// Whether somebody waits for what the handler gives back.
pub fn wants_answer(call: &HandledCall<'_>) -> bool {
    call.wants_answer()
}

/// The context of a call that is done at once.
pub fn context(call: HandledCall<'_>) -> Context {
    call.context()
}

/// The context of one that is not: it keeps nothing of the link from being used again.
pub fn context_to_keep(call: HandledCall<'_>) -> Context {
    call.context().detached()
}

/// The same of a method that may block.
pub fn context_of_blocking(context: Context, given_up: GivenUp) -> Context {
    context.with_given_up(given_up)
}

/// The only argument of a method, of this name, that it takes as it is.
pub fn load<'de, S, T>(serializer: &S, payload: &'de Bytes, name: &str) -> Result<T, Fault>
where
    S: Load<'de, T>,
    T: Send,
{
    handler::load(serializer, payload, Some(name))
}

/// The same where the method borrows it.
pub fn load_lent<'de, S, T>(serializer: &S, payload: &'de Bytes, name: &str) -> Result<T, Fault>
where
    S: Load<'de, T>,
    T: Send + Sync,
{
    handler::load(serializer, payload, Some(name))
}

/// Arguments as the fields of a struct.
pub fn load_several<'de, S, T>(serializer: &S, payload: &'de Bytes) -> Result<T, Fault>
where
    S: Load<'de, T>,
{
    handler::load(serializer, payload, None)
}

/// `wanted`: see [`wants_answer`].
pub fn dump<S, T: ?Sized>(serializer: &S, wanted: bool, value: &T) -> Answer
where
    S: Dump<T>,
{
    handler::dump(serializer, wanted, value)
}

/// The first argument of a method, when it is named `Context`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of a call",
    label = "only `communica::Context` comes with a call",
    note = "an argument of type `&Context` is not sent: give your type another name to send it"
)]
pub trait Given {
    fn given(context: &Context) -> &Self;
}

impl Given for Context {
    fn given(context: &Context) -> &Self {
        context
    }
}

/// `wanted`: see [`wants_answer`].
pub fn dump_result<S, T, E>(serializer: &S, wanted: bool, result: Result<T, E>) -> Answer
where
    S: Dump<T>,
    E: ServiceError,
{
    handler::dump_result(serializer, wanted, result.map_err(ServiceError::into_fault))
}

// Client side ----------------------------------------------------------------------------------------------------

/// The serializer of a method, as its stub uses it: it loads the result, and what it dumps dumps itself. So whether an
/// argument can be sent is asked in one place for calls and throws, and not where the stub is generic.
#[derive(Clone)]
pub struct Format<S>(pub S);

/// The arguments of one call, ready to be dumped.
pub struct Args<F>(pub F);

impl<S: Serializer> Serializer for Format<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, F> Dump<Args<F>> for Format<S>
where
    S: Serializer,
    F: Fn() -> Result<Payload, SerializerError>,
{
    fn dump(&self, args: &Args<F>) -> Result<Payload, SerializerError> {
        args.0()
    }
}

impl<'de, S: Load<'de, T>, T> Load<'de, T> for Format<S> {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        self.0.load(payload)
    }
}

// Errors ---------------------------------------------------------------------------------------------------------

pub fn fault<D: serde::Serialize + ?Sized>(
    responder: bool,
    code: Option<i64>,
    message: String,
    variant: &'static str,
    data: &D,
) -> Fault {
    Fault::new(kind(responder), message, code).with_variant(variant, data)
}

/// A field of a variant that travels.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to the caller: it is not both `Serialize` and `Deserialize`",
    label = "a field of an error that comes back as the variant it was",
    note = "derive both for it; or let the variant stand for what does not travel: with `#[service_error(unknown)]` its fields may be of any type, and the caller gets its words"
)]
pub trait Travels: serde::Serialize + serde::de::DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Travels for T {}

/// The message of an error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its caller is told: it has no `Display`",
    label = "implement `std::fmt::Display`, or let `thiserror::Error` do it"
)]
pub trait Told {
    fn told(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<E: std::fmt::Display> Told for E {
    fn told(&self) -> String {
        self.to_string()
    }
}

/// The fault of a variant that does not travel.
pub fn unknown<E: std::error::Error + 'static>(error: &E) -> Fault {
    crate::error::unknown(error)
}

fn kind(responder: bool) -> FaultKind {
    if responder { FaultKind::Resp } else { FaultKind::Req }
}

impl Fault {
    pub fn __variant(&self) -> Option<&str> {
        self.variant()
    }

    pub fn __is(&self, responder: bool, code: i64) -> bool {
        self.kind() == kind(responder) && self.code() == Some(code)
    }

    /// A variant that had no fields where it comes from has those here that may be missing.
    pub fn __data<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        if self.has_data() { self.data() } else { serde_json::from_str("{}").ok() }
    }
}
