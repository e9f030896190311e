//! What tests have in common: time limits, names, gates, and pairs of a server and a client.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use communica::{
    Backoff, CallError, CallOptions, Caller, Error, IntoCaller, JsonSerializer, MemoryConnector,
    NoServiceError, RouteClient, RouteClientBuilder, RouteServer, RouteServerHandle, RouteTable,
};
use communica_tests::patiently;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// The time limit of a call that shall be with the other side before it is over, which takes a moment, and then have no
/// answer.
pub(crate) fn soon() -> Duration {
    patiently(1)
}

/// Runs a test, which must end in time.
pub(crate) async fn within<T>(seconds: u64, test: impl Future<Output = T>) -> T {
    let time = patiently(seconds);
    let ended = timeout(time, test).await;
    ended.unwrap_or_else(|_| panic!("this did not end within {time:?}"))
}

/// Looks until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patiently(15);
    while !is_so() {
        assert!(Instant::now() < deadline, "this did not come to be: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// A name that no other test has, in this process or another.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Holds up whoever passes until it is opened.
#[derive(Clone)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    /// Somebody stands before it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the gate stands");
    }
}

/// A route that notes what it is given.
pub(crate) fn noting(table: RouteTable, route: &str) -> (RouteTable, mpsc::UnboundedReceiver<i64>) {
    let (notes, noted) = mpsc::unbounded_channel();
    let table = table.route(route, move |number: i64| notes.send(number).unwrap_or_default());
    (table, noted)
}

/// The next so many notes.
pub(crate) async fn take(noted: &mut mpsc::UnboundedReceiver<i64>, count: usize) -> Vec<i64> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let next = timeout(patiently(15), noted.recv()).await;
        taken.push(next.unwrap_or_else(|_| panic!("only {taken:?} came")).expect("the handler is there"));
    }
    taken
}

/// A route that gives back what it is given.
pub(crate) fn echo() -> RouteTable {
    RouteTable::new().route("echo", |value: Value| value)
}

/// A route that says on a channel that it was entered, and never ends.
pub(crate) fn hanging(table: RouteTable, route: &str) -> (RouteTable, mpsc::UnboundedReceiver<i64>) {
    let (entered, entries) = mpsc::unbounded_channel();
    let table = table.route(route, move |number: i64| {
        entered.send(number).unwrap_or_default();
        std::future::pending::<()>()
    });
    (table, entries)
}

/// A client's builder that comes back quickly.
pub(crate) fn quick(builder: RouteClientBuilder) -> RouteClientBuilder {
    builder.backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(50)))
}

/// A server with these routes in memory, and where it is.
pub(crate) async fn memory_server(routes: RouteTable) -> (RouteServerHandle, MemoryConnector) {
    let connector = MemoryConnector::unique();
    let server = RouteServer::new(connector.clone(), routes).start().await.expect("the server starts");
    (server, connector)
}

/// A server and a client in memory.
pub(crate) async fn memory_pair(routes: RouteTable) -> (RouteServerHandle, RouteClient) {
    let (server, connector) = memory_server(routes).await;
    let client = RouteClient::connect(connector).await.expect("the client connects");
    (server, client)
}

/// A call with a time limit.
pub(crate) async fn request_in<C>(
    time: Duration,
    target: impl IntoCaller<Caller = C>,
    route: &str,
    value: i64,
) -> Result<Value, Error>
where
    C: Caller<Outcome<Value, NoServiceError> = Result<Value, CallError<NoServiceError>>>,
{
    let options = CallOptions::new().timeout(time);
    let caller = target.into_caller();
    let called =
        Caller::request::<_, _, Value, NoServiceError>(&caller, &options, route, &JsonSerializer, &value);
    called.await.map_err(Error::from)
}

/// What became of the handlers of a route made by [`holding`].
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<[AtomicUsize; 3]>);

impl Held {
    /// Handlers that were started.
    pub(crate) fn entered(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    /// Handlers that came to their end.
    pub(crate) fn finished(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }

    /// Handlers that were started and are neither done nor dropped.
    pub(crate) fn inside(&self) -> usize {
        self.entered() - self.0[2].load(Ordering::SeqCst)
    }

    /// One handler more, until the returned is dropped.
    pub(crate) fn enter(&self) -> impl Drop + Send + 'static {
        struct Inside(Held);
        impl Drop for Inside {
            fn drop(&mut self) {
                self.0.0[2].fetch_add(1, Ordering::SeqCst);
            }
        }
        self.0[0].fetch_add(1, Ordering::SeqCst);
        Inside(self.clone())
    }

    /// A handler came to its end.
    pub(crate) fn finish(&self) {
        self.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

/// A route whose handlers stand before the gate, and give back what they were given once it is open.
pub(crate) fn holding(table: RouteTable, route: &str, gate: &Gate) -> (RouteTable, Held) {
    let (held, gate) = (Held::default(), gate.clone());
    let held_in = held.clone();
    let table = table.route(route, move |number: i64| {
        let (held, gate) = (held_in.clone(), gate.clone());
        async move {
            let _inside = held.enter();
            gate.pass().await;
            held.finish();
            number
        }
    });
    (table, held)
}

/// A throw with a time limit.
pub(crate) async fn throw_in(
    time: Duration,
    target: impl IntoCaller<Caller = communica::Peer>,
    route: &str,
    value: i64,
) -> Result<(), Error> {
    let options = CallOptions::new().timeout(time);
    let caller = target.into_caller();
    let thrown = Caller::throw(&caller, &options, route, &JsonSerializer, &value).await;
    thrown.map_err(Error::from)
}

/// Numbers by chance, the same ones for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
