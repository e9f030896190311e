//! The macros of communica: a trait becomes a service, an enum its errors.
//!
//! Both go the same way: the item is parsed into a model, every mistake in it is told at its place, and a model
//! without mistakes is expanded, which cannot fail.

use proc_macro::TokenStream;

mod args;
mod attrs;
mod check;
mod errors;
mod expand;
mod model;
mod names;
mod service;
mod service_error;
mod shape;
#[cfg(test)]
mod tests;

/// Makes a trait a service that other processes can call.
///
/// The trait stays as it is written, but for `Send` on the futures of its methods; a value implements it with plain
/// `async fn`. Two things are made of it:
///
/// - a provided method `into_routes(self)`, which gives the table of routes that a server, or a client that serves,
///   carries; `Arc` of a value that implements the trait implements it too, so that one value can offer more than one
///   service;
/// - a client, `CalculatorClient` for a trait `Calculator`. `new` takes what it calls over, `timeout` gives a copy
///   whose calls have a time limit, and each method `add` becomes a call `add` and, for a message without an answer,
///   `throw_add`.
///
/// ```
/// #[communica::service]
/// pub trait Calculator {
///     /// Adds two numbers.
///     async fn add(&self, a: i64, b: i64) -> i64;
///     async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero>;
///     async fn log(&self, line: &str);
/// }
/// # #[derive(Debug, communica::ServiceError)]
/// # pub struct DivisionByZero;
/// # impl std::fmt::Display for DivisionByZero {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         f.write_str("division by zero")
/// #     }
/// # }
///
/// async fn three(client: communica::RouteClient) -> Result<i64, communica::CallError> {
///     CalculatorClient::new(client).add(1, 2).await
/// }
/// ```
///
/// # Methods
///
/// A method is an `async fn`, or a plain `fn` that is quick enough to run where its message was read. It takes `&self`
/// and any number of arguments, owned or borrowed as a whole: `T`, `&T`, `&[T]`, `&str`, and an `Option` of these. The
/// caller lends, nothing is cloned. A type may have a lifetime of its own, as `Cow<'_, str>`. The result is owned; a
/// `Result<T, E>` needs an `E` that derives `ServiceError`. A method may have a default body.
///
/// # On the wire
///
/// The route is the method's name. No argument is `null`, which the responder does not look at; one is the value
/// itself; several are an object with the arguments' names as keys, where an `Option` may be missing and an unknown key
/// is no mistake.
///
/// # Arguments
///
/// - `crate = path`: where generated code finds the library, when it is not `::communica`.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    service::service(args.into(), item.into()).into()
}

/// Makes an enum or a struct an error that crosses to the caller and comes back as the variant it was.
///
/// The message on the wire is what `Display` says. The fields travel too: an object for named ones, an array for
/// others, so each has to be a serde type. `From` into `Fault` is written along, so that a closure can return the error.
///
/// `#[service_error(…)]` on a variant, or on a struct, takes
///
/// - `code = 400`: the number that the caller reads. A peer that sends no names of variants, as Python does, is
///   understood by it, for variants without fields.
/// - `responder`: the responder is to blame (`RespError`), and not the requester (`ReqError`).
///
/// On the type itself it takes `crate = path`, when the library is not at `::communica`.
///
/// ```
/// #[derive(Debug, communica::ServiceError)]
/// pub enum MathError {
///     #[service_error(code = 400)]
///     DivisionByZero,
///     #[service_error(code = 500, responder)]
///     Overflow { at: u32 },
/// }
///
/// impl std::fmt::Display for MathError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         match self {
///             Self::DivisionByZero => write!(f, "division by zero"),
///             Self::Overflow { at } => write!(f, "overflow at {at}"),
///         }
///     }
/// }
/// ```
#[proc_macro_derive(ServiceError, attributes(service_error))]
pub fn derive_service_error(item: TokenStream) -> TokenStream {
    service_error::derive(item.into()).into()
}
