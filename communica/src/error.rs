//! What can go wrong, by what it means for the call: not sent, perhaps run, or answered with an error.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::excerpt::excerpt;

mod any;
mod service;

pub use crate::wire::{Fault, FaultKind, WireError};
pub use any::AnyError;
pub(crate) use any::unknown;
pub use service::{CallError, NoServiceError, ServiceError};

/// That its time passed is half of what happened to a message that waited for a connection.
fn why_not_sent(reason: &Reason) -> String {
    match reason {
        Reason::TimedOut { limit, no_connection } => {
            let why = why_none(no_connection.as_deref());
            format!("no connection took it within its time limit of {limit:?}{why}")
        }
        reason => reason.to_string(),
    }
}

fn why_none(no_connection: Option<&str>) -> String {
    no_connection.map_or_else(String::new, |why| format!(": {why}"))
}

/// How a call, a connect or a start failed.
///
/// For a call, [`outcome`](Self::outcome) says which of three things is true: it was never sent, it may have run, or
/// the peer answered: with an error, or with a result that could not be loaded here.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message never left this process, or at least no peer got the whole of it, or it began nothing
    /// ([`Reason::NotBegun`]). Calling again is safe.
    #[error("not sent: {}", why_not_sent(.0))]
    NotSent(Reason),
    /// The message was sent and no answer came. The handler may have run.
    #[error("sent, but the answer did not come, so it may have run: {0}")]
    MayHaveRun(Reason),
    /// The peer says that the requester is to blame; also the answer to an unknown route.
    #[error(transparent)]
    Req(ReqError),
    /// The peer says that it is to blame itself.
    #[error(transparent)]
    Resp(RespError),
    /// The handler panicked, or failed with an error without a variant.
    #[error(transparent)]
    Unknown(UnknownError),
    /// A value could not be dumped or loaded; [`SerializerError::side`] says where.
    #[error(transparent)]
    Serializer(SerializerError),
    /// There was no connection within the time that was given, to connect first or, with `give_up_after`, to connect again; or the
    /// connector cannot be used.
    #[error("could not connect to {address}: {reason}")]
    #[non_exhaustive]
    Connect {
        /// Where to.
        address: String,
        /// What the last attempt ran into, or what is wrong with the connector.
        reason: String,
    },
    /// The server refused this client in the handshake, or gave its place to another connection with its client id.
    #[error("{address} refused the connection: {reason}")]
    #[non_exhaustive]
    Refused {
        /// Where to.
        address: String,
        /// What it said.
        reason: String,
    },
    /// The server cannot listen.
    #[error("could not listen on {address}: {source}")]
    #[non_exhaustive]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The system does not tell when this process is to end, so `run` cannot wait for it.
    #[error("could not wait for the signal to stop: {0}")]
    Signals(Arc<io::Error>),
    /// Two handlers have one name.
    #[error("the route `{route}` is defined twice: at {first} and at {second}")]
    #[non_exhaustive]
    DuplicateRoute {
        /// Its name.
        route: String,
        /// File, line and column.
        first: String,
        /// File, line and column.
        second: String,
    },
}

/// Which of three things is true of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No handler ran, and none will.
    NotSent,
    /// It was sent; whether the handler ran is not known.
    MayHaveRun,
    /// The peer answered: with an error, or with a result that could not be loaded here ([`SerializerSide::Result`]).
    Answered,
}

/// Why a call ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The link to the peer ended.
    #[error("the connection ended: {0}")]
    Disconnected(String),
    /// The time given with the call is over.
    #[error("the time limit of {limit:?} passed{}", why_none(no_connection.as_deref()))]
    #[non_exhaustive]
    TimedOut {
        /// What was given.
        limit: Duration,
        /// Where there was no connection at the end: what the last attempt to connect ran into, or how the last connection ended.
        no_connection: Option<String>,
    },
    /// The peer was started anew, or another process took its place: nobody knows what became of the call.
    #[error("the peer is another process now")]
    Restarted,
    /// This side was closed or stopped, or the tokio runtime that it was made in ended.
    #[error("this side was closed, or the runtime that it was made in ended")]
    Closed,
    /// Another connection came with the same client id and took over.
    #[error("another connection with the same client id took over: give each client an id of its own")]
    Replaced,
    /// The server turned this client away, and said why.
    #[error("the server refused the connection: {0}")]
    Refused(String),
    /// The peer refused the call, because it is stopping, say, and began no handler. Peers that speak 0.4 answer with a
    /// [`RespError`].
    #[error("the peer did not begin it: {0}")]
    NotBegun(String),
    /// The client was away for longer than [`Limits::forget_time`](crate::Limits::forget_time), or away when its place was needed
    /// ([`Limits::peers`](crate::Limits::peers)): the server forgot it.
    #[error(
        "the client was away, for too long or when its place was needed, and was forgotten: ask the server for the peer again"
    )]
    Forgotten,
    /// The message is larger than `Limits::message_size`.
    #[error(
        "the message has {size} bytes where {limit} are allowed: raise `Limits::message_size` on both sides"
    )]
    #[non_exhaustive]
    TooLarge {
        /// Bytes of its payload.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// What stands around the name of a route that nobody has, as Python's library says it.
const UNDEFINED: [&str; 2] = ["Route \"", "\" is not defined"];

/// The answer to a call of a route that nobody has.
pub(crate) fn undefined_route(name: &str) -> Fault {
    let [before, after] = UNDEFINED;
    Fault::new(FaultKind::Req, format!("{before}{}{after}", excerpt(name)), None)
}

impl Error {
    /// Which of three things is true of the call; for errors of connecting and starting, [`Outcome::NotSent`].
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::MayHaveRun(_) => Outcome::MayHaveRun,
            Self::Req(_) | Self::Resp(_) | Self::Unknown(_) => Outcome::Answered,
            Self::Serializer(error) => match error.side {
                SerializerSide::Request => Outcome::NotSent,
                SerializerSide::Result | SerializerSide::Peer => Outcome::Answered,
            },
            _ => Outcome::NotSent,
        }
    }

    /// The peer has no route of the name that was called, as one that is older than its caller may. It is known by the peer's words, which
    /// are Python's, too.
    ///
    /// ```
    /// # #[cfg(feature = "memory")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), communica::Error> {
    /// # use communica::{MemoryConnector, RouteClient, RouteServer, RouteTable};
    /// # let connector = MemoryConnector::unique();
    /// # let _server = RouteServer::new(connector.clone(), RouteTable::new()).start().await?;
    /// # let client = RouteClient::connect(connector).await?;
    /// let error = client.request::<_, u32>("newer", &()).await.unwrap_err();
    /// assert!(error.is_undefined_route());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "memory"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn is_undefined_route(&self) -> bool {
        let Self::Req(error) = self else { return false };
        let name =
            error.message().strip_prefix(UNDEFINED[0]).and_then(|rest| rest.strip_suffix(UNDEFINED[1]));
        name.is_some() && error.code().is_none()
    }

    /// Values that cannot be dumped or loaded are easier to find where the route is known.
    pub(crate) fn of_route(self, route: Option<&str>) -> Self {
        match self {
            Self::Serializer(error) => Self::Serializer(error.of_route(route)),
            other => other,
        }
    }

    /// The code that the peer gave its error.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Req(error) => error.code(),
            Self::Resp(error) => error.code(),
            _ => None,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault.kind() {
            FaultKind::Req => Self::Req(ReqError(fault)),
            FaultKind::Resp => Self::Resp(RespError(fault)),
            FaultKind::Unknown => Self::Unknown(UnknownError(fault)),
            FaultKind::Serializer => Self::Serializer(SerializerError {
                side: SerializerSide::Peer,
                ..SerializerError::whole(fault.into_message())
            }),
        }
    }
}

/// An error of a call inside a handler becomes its answer with `?`: the caller learns that this side failed it.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = error.code();
        Self::new(FaultKind::Resp, error.to_string(), code)
    }
}

macro_rules! coded_error {
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub(crate) Fault);

        impl $name {
            /// What happened, in words, and a code of your choice, or `None`.
            #[must_use]
            pub fn new(message: impl Into<String>, code: impl Into<Option<i64>>) -> Self {
                Self(Fault::new(FaultKind::$kind, message, code.into()))
            }

            /// What happened, in words.
            #[must_use]
            pub fn message(&self) -> &str {
                self.0.message()
            }

            /// The code that the failing side gave it.
            #[must_use]
            pub fn code(&self) -> Option<i64> {
                self.0.code()
            }

            /// The whole of it, with variant and data of a typed error.
            #[must_use]
            pub fn fault(&self) -> &Fault {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.code() {
                    Some(code) => write!(f, "{}: {} (code {code})", stringify!($name), self.message()),
                    None => write!(f, "{}: {}", stringify!($name), self.message()),
                }
            }
        }

        impl std::error::Error for $name {}

        impl From<$name> for Fault {
            fn from(error: $name) -> Self {
                error.0
            }
        }
    };
}

coded_error! {
    /// The requester's fault, said by a handler. As `ReqError` in Python.
    ReqError, Req
}
coded_error! {
    /// The responder's fault, said by a handler. As `RespError` in Python.
    RespError, Resp
}

/// A handler failed in a way it did not foresee: a panic or an [`AnyError`] here, an exception in Python. As
/// `UnknownError` in Python.
#[derive(Clone, Debug)]
pub struct UnknownError(pub(crate) Fault);

impl UnknownError {
    /// What the responder knows of it.
    #[must_use]
    pub fn message(&self) -> &str {
        self.0.message()
    }
}

impl fmt::Display for UnknownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnknownError: {}", self.message())
    }
}

impl std::error::Error for UnknownError {}

/// Where a value could not be dumped or loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SerializerSide {
    /// Here, before the message was sent.
    Request,
    /// Here, loading the result: the handler has run.
    Result,
    /// At the peer, loading what was sent: the handler has not run.
    Peer,
}

/// A value has no form in the format, or bytes are not the value that was expected. As `SerializerError` in Python.
#[derive(Clone, Debug)]
pub struct SerializerError {
    side: SerializerSide,
    /// What was called.
    route: Option<String>,
    message: String,
    /// The bytes are a value in the format; it is the value that is wrong.
    about_value: bool,
}

impl SerializerError {
    /// For serializers: what is wrong, in words. Of more than a thousand characters the middle is left out: a text like
    /// this often quotes what the peer sent.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { side: SerializerSide::Request, route: None, message: excerpt(message), about_value: false }
    }

    /// The message has a bound of its own.
    pub(crate) fn whole(message: String) -> Self {
        Self { message, ..Self::new("") }
    }

    /// The bytes were well, and the value in them is not. The message has a bound of its own.
    #[cfg_attr(not(feature = "validated"), allow(dead_code))]
    pub(crate) fn about_value(message: String) -> Self {
        Self { about_value: true, ..Self::whole(message) }
    }

    pub(crate) fn is_about_value(&self) -> bool {
        self.about_value
    }

    pub(crate) fn in_result(self) -> Self {
        Self { side: SerializerSide::Result, ..self }
    }

    pub(crate) fn of_route(self, route: Option<&str>) -> Self {
        Self { route: route.map(str::to_owned), ..self }
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The route that was called; `None` with a Simple entity, and for a serializer that is used alone.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Where it happened.
    #[must_use]
    pub fn side(&self) -> SerializerSide {
        self.side
    }
}

impl fmt::Display for SerializerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SerializerError: ")?;
        match (self.side, &self.route) {
            (SerializerSide::Request, None) => f.write_str("the value could not be sent")?,
            (SerializerSide::Request, Some(route)) => write!(f, "the value for `{route}` could not be sent")?,
            (SerializerSide::Result, None) => f.write_str("the result could not be loaded")?,
            (SerializerSide::Result, Some(route)) => {
                write!(f, "the result of `{route}` could not be loaded")?;
            }
            (SerializerSide::Peer, None) => f.write_str("the peer could not load what was sent")?,
            (SerializerSide::Peer, Some(route)) => {
                write!(f, "the peer could not load what was sent to `{route}`")?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SerializerError {}
