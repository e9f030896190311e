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
mod route_args;
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
///   service (then say which: `Calculator::into_routes(value)`);
/// - a stub that calls it, `CalculatorClient` for a trait `Calculator`, see [below](#stubs).
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
/// A method is an `async fn`, or a plain `fn`. It takes `&self`, then, if it wants to know its caller, `cx: &Context`,
/// which is neither sent nor in the stub; then any number of arguments. It may have a default body.
///
/// | argument or result | what it means |
/// |---|---|
/// | `cx: &Context` | caller's id, the way to call back, deadline, metadata; first, and found by this name of the type |
/// | `T`, `Vec<T>`, `Cow<'_, str>`, … | sent as it is |
/// | `&T`, `&[T]`, `&str` | lent by the caller, nothing is cloned; text also stays in the message, where the format can |
/// | `Option<T>`, `Option<&T>` | among several arguments, it may be missing in the message, where the format has names |
/// | `-> T` | owned |
/// | `-> Result<T, E>` | `E` derives `ServiceError` and comes back as the variant it was |
/// | `-> Result<T, AnyError>` | `?` works on any error, and its message is what comes back, see [below](#errors-without-a-variant) |
/// | plain `fn` | runs where its message was read: let it be done in microseconds, or make it `blocking` |
/// | `async fn` | runs there, too, until it first waits: what blocks belongs into tokio's `spawn_blocking` |
///
/// What blocks where messages are read holds up its connection, and all else that its thread of the runtime has to do: on a runtime with few
/// threads other connections and timers, too. Of a second and more the log tells, once it is over. A plain `fn` that calls somebody itself is
/// `blocking`, and waits with `tokio::runtime::Handle::current().block_on(…)`. Handlers begin in the order in which their
/// messages came, and run side by side: who waits lets the next one begin.
///
/// A `Result` is known by that name: `Result<T>`, or `Result` alone, may be an alias of yours, and the compiler finds what it
/// stands for. An alias of another name that ends with `Result` does not compile; any other is a value, and sent whole, whether it is `Ok`
/// or `Err`.
///
/// # Errors without a variant
///
/// A method that has nothing to tell by type returns `communica::AnyError`, which `?` makes of any error, `anyhow`'s
/// included; an enum that derives `ServiceError` has a variant with `#[service_error(unknown)]` for the rest. The
/// caller gets `CallError::Failed(Error::Unknown(…))` with the words of the error and of its sources: so what must not
/// leave the process belongs behind a variant, or in the log. A handler that panics is answered for in the same way, with the text of its
/// panic, of which 1,000 characters are told.
///
/// ```
/// use communica::AnyError;
///
/// #[communica::service]
/// pub trait Files {
///     async fn count(&self, path: &str) -> Result<u32, AnyError>;
/// }
///
/// struct Disk;
///
/// impl Files for Disk {
///     async fn count(&self, path: &str) -> Result<u32, AnyError> {
///         if path.is_empty() {
///             return Err("the path is empty".into());
///         }
///         Ok(std::fs::read_to_string(path)?.trim().parse()?)
///     }
/// }
/// ```
///
/// # On the wire
///
/// The route is the method's name. No argument is `null`, which the responder does not look at; one is the value
/// itself; several are an object with the arguments' names as keys, where an unknown key is no mistake. So a method
/// with several arguments, or a `named` one, can gain an `Option`, and callers of both ages go on: in JSON and MessagePack,
/// while in Postcard, whose payloads have no names, both sides change together. A leading underscore belongs to the key.
///
/// # Attributes
///
/// `#[communica::service(…)]` takes
///
/// | setting | what it does |
/// |---|---|
/// | `prefix = "calc."` | stands before the name of each route, and not before aliases |
/// | `serializer = MsgPackSerializer` | the format of all methods that name none; without it, JSON |
/// | `crate = path` | where generated code finds the library, when it is not `::communica` |
///
/// and `#[route(…)]` on a method takes
///
/// | setting | what it does |
/// |---|---|
/// | `name = "plus"` | the route's name, after the prefix, instead of the method's |
/// | `alias = "add"` | another whole route to the same method, for callers that know an older name; repeatable |
/// | `serializer = BytesSerializer` | the format of this method |
/// | `named` | an object, also for one argument or none |
/// | `idempotent` | running it twice for one call does no harm, so a call may be repeated |
/// | `blocking` | for a plain `fn`: runs on the blocking pool and holds nobody up, and those behind it do not wait for it to begin; once begun, it runs to its end, also after its caller has given up, unless it looks at `Context::is_given_up` |
///
/// A serializer is given as a value, which is made anew wherever it is needed: a unit struct, or an expression that
/// costs nothing. One argument, and the result, may be of any type that the format takes: `BytesSerializer` has
/// `Bytes`, `Vec<u8>` and `&[u8]`, and at most one argument. With a `ValidatedSerializer`, called so, several
/// arguments keep the rules of each.
///
/// # Stubs
///
/// `CalculatorClient::new` takes what it calls over: a `RouteClient`, a peer, any peer, or all peers, when each call
/// gives the outcome of each. It is cheap to clone.
///
/// | method | what it does |
/// |---|---|
/// | `add(…)` | calls `add` and waits for its outcome |
/// | `throw_add(…)` | sends the call, and there is no answer |
/// | `timeout(limit)` | a copy whose calls end with an error when no answer came in time; a throw does not expire once it was accepted |
/// | `metadata(key, value)` | a copy whose calls carry a value beside their arguments, for `Context::value` |
///
/// # In unit tests
///
/// A mock is one more implementation of the trait, and memory is one more road (communica's feature `memory`, which is not on
/// by default): no socket, and the code under test has the stub that it has in production.
///
/// ```
/// # #[communica::service]
/// # pub trait Calculator {
/// #     async fn add(&self, a: i64, b: i64) -> i64;
/// # }
/// use std::sync::Mutex;
///
/// use communica::{MemoryConnector, RouteClient, RouteServer};
///
/// /// The code under test.
/// async fn total(desk: &CalculatorClient, numbers: &[i64]) -> Result<i64, communica::CallError> {
///     let mut sum = 0;
///     for number in numbers {
///         sum = desk.add(sum, *number).await?;
///     }
///     Ok(sum)
/// }
///
/// /// Adds, and remembers what it was asked.
/// #[derive(Default)]
/// struct Mock(Mutex<Vec<(i64, i64)>>);
///
/// impl Calculator for Mock {
///     async fn add(&self, a: i64, b: i64) -> i64 {
///         self.0.lock().unwrap().push((a, b));
///         a + b
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mock = std::sync::Arc::new(Mock::default());
/// let road = MemoryConnector::new("mock");
/// let server = RouteServer::new(road.clone(), mock.clone().into_routes()).start().await?;
/// let desk = CalculatorClient::new(RouteClient::connect(road).await?);
///
/// assert_eq!(total(&desk, &[1, 2, 3]).await?, 6);
/// assert_eq!(*mock.0.lock().unwrap(), [(0, 1), (1, 2), (3, 3)]);
/// # server.stop().await;
/// # Ok(())
/// # }
/// ```
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    service::service(args.into(), item.into()).into()
}

/// Makes an enum or a struct an error that crosses to the caller and comes back as the variant it was.
///
/// The message on the wire is what `Display` says. The fields travel too: an object for named ones, an array for
/// others, so each has to be a serde type, with a JSON form: one without, as a map whose keys are tuples, is an error in the responder's log,
/// and the caller gets `CallError::Failed` with code and message. `From` into `Fault` is written along, so that a closure can return the error.
///
/// `#[service_error(…)]` takes
///
/// | setting | where | what it does |
/// |---|---|---|
/// | `code = 400` | variant or struct | the number that the caller reads |
/// | `responder` | variant or struct | the responder is to blame (`RespError`), and not the requester (`ReqError`) |
/// | `unknown` | variant or struct | its message goes to the caller (`UnknownError`) and nothing else: any fields will do, and it does not come back |
/// | `crate = path` | the type | where generated code finds the library, when it is not `::communica` |
///
/// A type with an `unknown` variant is a `std::error::Error`, for the words of its sources are told too; the responder
/// logs it.
///
/// A peer that sends no names of variants, as Python does with `ReqError("…", 404)`, is understood by code and blame:
/// the first variant without fields that has both. A variant with fields is not made up from a code. What is no
/// variant of the caller's type, as one that a newer service has, is `CallError::Failed` with code and message. A variant with named fields,
/// or without any, may gain an `Option`, and callers of both ages go on; one whose fields have no names stays as it is.
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
