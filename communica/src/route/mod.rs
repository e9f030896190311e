//! Names → handlers. Types end here: bytes in, bytes out.

pub(crate) mod handler;
mod mismatch;
mod pace;
mod progress;

pub use handler::{Handler, Reply, reply};

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::connector::BoxFuture;
use crate::context::{GivenUp, HandledCall};
use crate::error::{Error, Fault, FaultKind, undefined_route};
use crate::serializer::Serializer;
use crate::session::Answer;
use pace::Pace;
pub(crate) use progress::Progress;

/// What a handler gave back: the answer, or the future that will have it.
pub enum Ran {
    Ready(Answer),
    Later(BoxFuture<'static, Answer>),
    /// It may block, and has to run where that holds nobody up.
    Blocking(Block),
}

/// Makes the answer, and may block meanwhile.
pub(crate) type Block = Box<dyn FnOnce(GivenUp) -> Answer + Send>;

/// A handler whose types are hidden: takes a payload, gives a payload. All of it stands in one place: a server with many routes
/// finds most of them in no cache.
#[derive(Clone)]
pub struct Route(Arc<Shared<Run>>);

type Run = dyn Fn(HandledCall<'_>, Bytes) -> Ran + Send + Sync;

struct Shared<F: ?Sized> {
    pace: Pace,
    /// Where it was defined, for the error about a second one.
    place: &'static Location<'static>,
    /// Running it twice for one call does no harm.
    idempotent: bool,
    run: F,
}

impl Route {
    #[track_caller]
    pub(crate) fn new(
        idempotent: bool,
        run: impl Fn(HandledCall<'_>, Bytes) -> Ran + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared { pace: Pace::default(), place: Location::caller(), idempotent, run }))
    }

    pub(crate) fn is_idempotent(&self) -> bool {
        self.0.idempotent
    }

    /// Runs the handler until it waits for something.
    pub(crate) fn start(&self, call: HandledCall<'_>, payload: Bytes) -> Ran {
        match (self.0.run)(call, payload) {
            done @ (Ran::Ready(_) | Ran::Blocking(_)) => done,
            // Many async handlers never wait: a first look costs less than a task.
            Ran::Later(mut future) => {
                match future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                    Poll::Ready(answer) => Ran::Ready(answer),
                    Poll::Pending => Ran::Later(future),
                }
            }
        }
    }

    /// The handlers of this route compute for so long that they should run aside. On a runtime of one thread nothing can.
    pub(crate) fn is_for_aside(&self) -> bool {
        self.0.pace.is_long() && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
    }

    /// The last one that started in place computed for so long. True if that is to be told.
    #[must_use]
    pub(crate) fn took(&self, time: Duration) -> bool {
        self.0.pace.took_in_place(time)
    }

    /// Runs the handler to its end in a task of its own, however long it computes before it first waits. `size`: of its payload; `start`:
    /// runs it until then; `begins`: is told how far this thread is before that; `waits`: is called when it waits, or is done.
    pub(crate) async fn run_aside(
        self,
        size: usize,
        start: impl FnOnce(&Self) -> Ran,
        begins: impl FnOnce(Progress),
        waits: impl FnOnce(),
    ) -> Answer {
        // On this thread other tasks may be queued, the driver among them, which no other thread may take over while it is
        // next in line.
        let ran = tokio::task::block_in_place(|| {
            let (progress, began) = (Progress::of_this_thread(size), Instant::now());
            begins(progress.clone());
            let ran = start(&self);
            self.0.pace.took_aside(began.elapsed(), || progress.is_known());
            ran
        });
        waits();
        match ran {
            Ran::Ready(answer) => answer,
            Ran::Later(future) => future.await,
            // Its route never counts as one that computes for long.
            Ran::Blocking(run) => tokio::task::block_in_place(|| run(GivenUp::default())),
        }
    }
}

/// Handlers by exact name, each with a format of its own. For both sides: servers answer clients with it, and
/// clients answer their server. Of what implements a trait with `#[communica::service]`, `.into_routes()` makes a table.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use communica::{ReqError, RouteTable};
///
/// let routes = RouteTable::new()
///     .route("upper", |text: String| text.to_uppercase())
///     .route("halve", |number: i64| async move {
///         if number % 2 == 0 { Ok(number / 2) } else { Err(ReqError::new("odd numbers have no half", 400)) }
///     });
/// # drop(routes);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct RouteTable {
    routes: HashMap<Box<str>, Route>,
    /// The first name that was given twice, and the places.
    conflict: Option<Box<Conflict>>,
}

#[derive(Clone)]
struct Conflict {
    route: String,
    first: &'static Location<'static>,
    second: &'static Location<'static>,
}

impl RouteTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler that speaks JSON: a function or closure, plain or async, that takes one value (or a
    /// [`Context`](crate::Context) and one value) and gives one, or a `Result` with an error that converts into [`Fault`]. A `Result` with
    /// another error is a value, and sent whole: see [`Handler`].
    ///
    /// A name that is taken is reported when the table is put to use: `start`, `run` and `connect` then fail with
    /// [`Error::DuplicateRoute`], which names both places.
    #[cfg(feature = "json")]
    #[must_use]
    #[track_caller]
    pub fn route<M>(self, name: impl Into<String>, handler: impl Handler<crate::JsonSerializer, M>) -> Self {
        self.route_with(name, crate::JsonSerializer, handler)
    }

    /// Adds a handler that speaks `serializer`'s format. Otherwise as `route`.
    #[must_use]
    #[track_caller]
    pub fn route_with<S: Serializer, M>(
        mut self,
        name: impl Into<String>,
        serializer: S,
        handler: impl Handler<S, M>,
    ) -> Self {
        self.insert(name.into().into(), handler.bind(serializer));
        self
    }

    /// This table's routes and the other's, for a server with more than one service. A name that is in both is reported as in
    /// `route`.
    ///
    /// ```
    /// # #[cfg(all(feature = "macros", feature = "json"))] {
    /// use std::sync::Arc;
    ///
    /// #[communica::service]
    /// trait Desk {
    ///     async fn order(&self, what: &str) -> u32;
    /// }
    /// #[communica::service]
    /// trait Log {
    ///     async fn note(&self, line: &str);
    /// }
    ///
    /// struct Host;
    /// # impl Desk for Host {
    /// #     async fn order(&self, _what: &str) -> u32 {
    /// #         1
    /// #     }
    /// # }
    /// # impl Log for Host {
    /// #     async fn note(&self, _line: &str) {}
    /// # }
    ///
    /// let host = Arc::new(Host);
    /// let routes = Desk::into_routes(host.clone()).merge(Log::into_routes(host));
    /// assert_eq!(routes.names().count(), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (name, route) in other.routes {
            self.insert(name, route);
        }
        self.conflict = self.conflict.or(other.conflict);
        self
    }

    /// The names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(AsRef::as_ref)
    }

    pub(crate) fn find(&self, name: &str) -> Option<(&str, &Route)> {
        self.routes.get_key_value(name).map(|(name, route)| (&**name, route))
    }

    pub(crate) fn insert(&mut self, name: Box<str>, route: Route) {
        match self.routes.entry(name) {
            Entry::Vacant(free) => {
                free.insert(route);
            }
            Entry::Occupied(taken) => {
                let (first, second) = (taken.get().0.place, route.0.place);
                let conflict = Conflict { route: taken.key().to_string(), first, second };
                self.conflict.get_or_insert(Box::new(conflict));
            }
        }
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.names().collect();
        names.sort_unstable();
        f.debug_tuple("RouteTable").field(&names).finish()
    }
}

/// What one side answers with.
pub(crate) enum Handlers {
    /// A Simple entity's: one, without a name, or none.
    Simple(Option<Route>),
    /// A Route entity's.
    Table(RouteTable),
}

impl Handlers {
    pub(crate) fn checked(table: RouteTable) -> Result<Self, Error> {
        match table.conflict {
            Some(conflict) => Err(Error::DuplicateRoute {
                route: conflict.route,
                first: conflict.first.to_string(),
                second: conflict.second.to_string(),
            }),
            None => Ok(Self::Table(table)),
        }
    }

    /// The handler for a message, or what its sender is answered. `known`: what was found last, which most often is what is wanted again.
    pub(crate) fn find<'a>(
        &'a self,
        route: Option<&str>,
        known: &mut Option<(&'a str, &'a Route)>,
    ) -> Result<&'a Route, Fault> {
        let fault = |kind, message: String| Err(Fault::new(kind, message, None));
        match (self, route) {
            (Self::Simple(Some(route)), _) => Ok(route),
            (Self::Simple(None), _) => {
                fault(FaultKind::Resp, "this side of the connection has no handler for requests".to_owned())
            }
            (Self::Table(_), None) => fault(
                FaultKind::Req,
                "the request names no route, and this side has its handlers by route".to_owned(),
            ),
            (Self::Table(table), Some(name)) => {
                if known.is_none_or(|(known, _)| known != name) {
                    *known = table.find(name);
                }
                known.map(|(_, route)| route).ok_or_else(|| undefined_route(name))
            }
        }
    }
}
