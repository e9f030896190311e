//! What generated code uses. Not for people: it may change with every release.

pub use ::bytes::Bytes;
pub use ::serde;

pub use crate::error::NoServiceError;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use crate::context::Context;
use crate::error::{Fault, FaultKind, ServiceError};
use crate::route::{Ran, Route, RouteTable, handler};
use crate::serializer::{Dump, Load, Payload};

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
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Text that stays in the payload where it can: a `Cow` in a derived struct would be copied.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An async method becomes a route.
#[track_caller]
pub fn method<H>(table: &mut RouteTable, route: &'static str, handler: H)
where
    H: Fn(Context, Bytes) -> BoxAnswer + Send + Sync + 'static,
{
    table.insert(route.to_owned(), Route::new(move |context, payload| Ran::Later(handler(context, payload))));
}

/// A plain method becomes a route.
#[track_caller]
pub fn method_inline<H>(table: &mut RouteTable, route: &'static str, handler: H)
where
    H: Fn(Context, Bytes) -> Answer + Send + Sync + 'static,
{
    table.insert(route.to_owned(), Route::new(move |context, payload| Ran::Ready(handler(context, payload))));
}

pub fn load<'de, S, T>(serializer: &S, payload: &'de Bytes) -> Result<T, Fault>
where
    S: Load<'de, T>,
{
    handler::load(serializer, payload)
}

pub fn dump<S, T: ?Sized>(serializer: &S, value: &T) -> Answer
where
    S: Dump<T>,
{
    handler::dump(serializer, value)
}

pub fn dump_result<S, T, E>(serializer: &S, result: Result<T, E>) -> Answer
where
    S: Dump<T>,
    E: ServiceError,
{
    handler::dump_result(serializer, result.map_err(ServiceError::into_fault))
}

pub fn fault<D: serde::Serialize + ?Sized>(
    responder: bool,
    code: Option<i64>,
    message: String,
    variant: &'static str,
    data: &D,
) -> Fault {
    Fault::new(kind(responder), message, code).with_variant(variant, data)
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

    pub fn __data<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        self.data()
    }
}
