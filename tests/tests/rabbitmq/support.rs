//! What these tests have in common: brokers, time limits, and calls that go on over a fault.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use communica::{
    Backoff, IntoCaller, Peer, RmqConnector, RouteClient, RouteClientBuilder, RouteServer, RouteServerHandle,
    RouteTable,
};
use communica_tests::broker::{self, Broker};
use communica_tests::patiently;
use tokio::sync::{Mutex, MutexGuard, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// Runs a test, which must end in time.
pub(crate) async fn within<T>(seconds: u64, test: impl Future<Output = T>) -> T {
    let time = patiently(seconds);
    let ended = timeout(time, test).await;
    ended.unwrap_or_else(|_| panic!("this did not end within {time:?}"))
}

/// Looks until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + patiently(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "this did not come to be: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// What blocks, off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

/// The broker that no test ill-treats.
pub(crate) async fn shared() -> &'static Broker {
    blocking(broker::shared).await
}

/// A broker for those who ill-treat it, one after the other. After one who failed it begins anew.
pub(crate) async fn rough() -> (&'static Broker, Turn) {
    static ROUGH: OnceLock<Broker> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = Turn(TURN.lock().await);
    let broker = blocking(|| ROUGH.get_or_init(Broker::start)).await;
    if LEFT_AS_IT_WAS.swap(false, Ordering::Relaxed) {
        // Whether it is frozen or dead; and its settings are those it started with.
        blocking(|| broker.restart()).await;
    }
    (broker, turn)
}

/// Nobody else ill-treats the broker meanwhile.
pub(crate) struct Turn(#[expect(dead_code, reason = "dropping it is its job")] MutexGuard<'static, ()>);

/// Whoever failed did not put it right again.
static LEFT_AS_IT_WAS: AtomicBool = AtomicBool::new(false);

impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            LEFT_AS_IT_WAS.store(true, Ordering::Relaxed);
        }
    }
}

/// A connector that finds out quickly who is gone.
pub(crate) fn quick(url: impl Into<String>, address: impl Into<String>) -> RmqConnector {
    RmqConnector::new(url, address)
        .listening_period(Duration::from_millis(500))
        .check_period(Duration::from_millis(200))
}

/// One to an address of the shared broker that no other test has.
pub(crate) async fn fresh(name: &str) -> RmqConnector {
    quick(shared().await.url(), broker::unique(name))
}

pub(crate) async fn serve(connector: &RmqConnector, routes: RouteTable) -> RouteServerHandle {
    RouteServer::new(connector.clone(), routes).start().await.expect("the server starts")
}

/// A client's builder that comes back quickly.
pub(crate) fn client(connector: &RmqConnector, id: &str) -> RouteClientBuilder {
    let backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(200));
    RouteClient::builder(connector.clone().client_id(id)).backoff(backoff)
}

pub(crate) async fn connect(connector: &RmqConnector, id: &str) -> RouteClient {
    client(connector, id).connect().await.expect("the client connects")
}

/// What servers of this connector are called.
pub(crate) fn address(connector: &RmqConnector) -> String {
    let state: serde_json::Value = serde_json::from_str(&connector.dump_state()).expect("a state is JSON");
    state["address"].as_str().expect("it has an address").to_owned()
}

/// The name of a queue of this connector's address.
pub(crate) fn queue(connector: &RmqConnector, what: &str) -> String {
    format!("communica.{}.{what}", address(connector))
}

/// Messages of a queue of the shared broker that wait for a consumer or for its acknowledgement.
pub(crate) async fn unsettled(queue: &str) -> Option<u32> {
    let list = blocking(|| broker::shared().ctl(&["list_queues", "name", "messages"])).await;
    let line = list.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'));
    line.map(|count| count.trim().parse().expect("it is a number"))
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

    pub(crate) async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the gate stands");
    }
}

/// Numbers that handlers were given.
pub(crate) struct Notes(mpsc::UnboundedReceiver<i64>);

impl Notes {
    pub(crate) fn new() -> (mpsc::UnboundedSender<i64>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// The next so many.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<i64> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let next = timeout(patiently(30), self.0.recv()).await;
            taken.push(next.unwrap_or_else(|_| panic!("only {taken:?} came")).expect("the handler is there"));
        }
        taken
    }

    /// Nothing more is there.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// "note" notes; "hold" notes, passes the gate, and answers ten times the number; "times_ten" answers at once.
pub(crate) fn desk(gate: &Gate) -> (RouteTable, Notes) {
    let (noted, notes) = Notes::new();
    let (held, gate) = (noted.clone(), gate.clone());
    let routes = RouteTable::new()
        .route("note", move |number: i64| noted.send(number).unwrap_or_default())
        .route("times_ten", |number: i64| number * 10)
        .route("hold", move |number: i64| {
            held.send(number).unwrap_or_default();
            let gate = gate.clone();
            async move {
                gate.pass().await;
                number * 10
            }
        });
    (routes, notes)
}

/// Calls that are under way.
pub(crate) struct Calls(Vec<(i64, tokio::task::JoinHandle<Result<i64, communica::Error>>)>);

impl Calls {
    /// Requests for ten times these numbers.
    pub(crate) fn start(
        target: impl IntoCaller<Caller = Peer>,
        route: &'static str,
        numbers: std::ops::Range<i64>,
    ) -> Self {
        let peer = target.into_caller();
        let call = |number| {
            let peer = peer.clone();
            (number, tokio::spawn(async move { peer.request(route, &number).await }))
        };
        Self(numbers.map(call).collect())
    }

    /// Waits until all have their answer, each its own.
    pub(crate) async fn are_answered(self) {
        for (number, call) in self.0 {
            let ended = timeout(patiently(40), call).await;
            let ended = ended.unwrap_or_else(|_| panic!("the call with {number} did not end"));
            assert_eq!(ended.expect("it does not panic").expect("it is answered"), number * 10);
        }
    }

    /// Waits until all ended, and says how.
    pub(crate) async fn ends(self) -> Vec<Result<i64, communica::Error>> {
        let mut ends = Vec::new();
        for (number, call) in self.0 {
            let ended = timeout(patiently(40), call).await;
            ends.push(
                ended.unwrap_or_else(|_| panic!("the call with {number} did not end")).expect("no panic"),
            );
        }
        ends
    }
}

/// A request with that time limit.
pub(crate) async fn request_in(
    time: Duration,
    client: &RouteClient,
    route: &str,
    value: i64,
) -> Result<i64, communica::Error> {
    use communica::{CallError, CallOptions, Caller, IntoCaller, JsonSerializer, NoServiceError};
    let options = CallOptions::new().timeout(time);
    let caller = client.into_caller();
    let called: Result<i64, CallError<NoServiceError>> =
        Caller::request(&caller, &options, route, &JsonSerializer, &value).await;
    called.map_err(communica::Error::from)
}

/// How often each number was handled.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<std::sync::Mutex<BTreeMap<i64, usize>>>);

impl Counts {
    fn count(&self, number: i64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn once_each(&self, what: &str, sent: i64) {
        let counts = self.0.lock().unwrap();
        let wrong: Vec<_> = (0..sent).filter(|number| counts.get(number) != Some(&1)).collect();
        let counted: Vec<_> = wrong.iter().map(|number| (*number, counts.get(number).copied())).collect();
        assert!(counted.is_empty(), "of {sent} {what}s these were not handled once: {counted:?}");
    }
}

/// Requests and throws in both directions, from before a fault until after it.
pub(crate) struct Traffic {
    server: RouteServerHandle,
    client: RouteClient,
    goes_on: Arc<AtomicBool>,
    ways: Vec<Way>,
}

/// One direction.
struct Way {
    requests: Counts,
    throws: Counts,
    requested: Arc<AtomicI64>,
    thrown: Arc<AtomicI64>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Way {
    fn new() -> (Self, RouteTable) {
        let (requests, throws) = (Counts::default(), Counts::default());
        let (requested, thrown) = (requests.clone(), throws.clone());
        let routes = RouteTable::new()
            .route("request", move |number: i64| {
                requested.count(number);
                async move {
                    sleep(Duration::from_millis(u64::try_from(number % 7).unwrap_or_default())).await;
                    number * 10
                }
            })
            .route("throw", move |number: i64| thrown.count(number));
        let way =
            Self { requests, throws, requested: Arc::default(), thrown: Arc::default(), callers: Vec::new() };
        (way, routes)
    }

    fn go(&mut self, peer: &Peer, goes_on: &Arc<AtomicBool>) {
        for _ in 0..4 {
            let (peer, goes_on) = (peer.clone(), goes_on.clone());
            let (requested, thrown) = (self.requested.clone(), self.thrown.clone());
            self.callers.push(tokio::spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let number = requested.fetch_add(1, Ordering::Relaxed);
                    let answer: i64 = peer.request("request", &number).await.expect("it is answered");
                    assert_eq!(answer, number * 10, "an answer reached the wrong request");
                    let number = thrown.fetch_add(1, Ordering::Relaxed);
                    peer.throw("throw", &number).await.expect("it is accepted");
                    sleep(Duration::from_millis(2)).await;
                }
            }));
        }
    }

    async fn arrives(self) {
        for caller in self.callers {
            caller.await.expect("a caller got its answers");
        }
        let (requested, thrown) =
            (self.requested.load(Ordering::Relaxed), self.thrown.load(Ordering::Relaxed));
        assert!(requested > 20, "there were only {requested} requests");
        let throws = self.throws.clone();
        eventually("all throws arrive", async || i64::try_from(throws.len()) == Ok(thrown)).await;
        self.requests.once_each("request", requested);
        self.throws.once_each("throw", thrown);
    }
}

impl Traffic {
    /// Each side has a connection of its own. `query`: of the URL.
    pub(crate) async fn start(url: &str, query: &str, name: &str) -> Self {
        let address = broker::unique(name);
        let ((mut to_server, server), (mut to_client, routes)) = (Way::new(), Way::new());
        let server = serve(&quick(format!("{url}?{query}&channel_max=100"), &address), server).await;
        let at = quick(format!("{url}?{query}&channel_max=101"), &address);
        let client = client(&at, "w1").routes(routes).connect().await.expect("the client connects");
        let goes_on = Arc::new(AtomicBool::new(true));
        to_server.go(&(&client).into_caller(), &goes_on);
        to_client.go(&server.peer("w1").await, &goes_on);
        let traffic = Self { server, client, goes_on, ways: vec![to_server, to_client] };
        traffic.flows().await;
        traffic
    }

    /// Waits until more was handled, both ways.
    pub(crate) async fn flows(&self) {
        for way in &self.ways {
            let before = way.throws.len();
            eventually("calls go on", async || way.throws.len() > before + 20).await;
        }
    }

    /// Everything that was accepted was handled once, and every request got its answer.
    pub(crate) async fn arrives(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        for way in self.ways {
            way.arrives().await;
        }
        self.client.close().await;
        self.server.stop().await;
    }
}
