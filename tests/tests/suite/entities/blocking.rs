//! Handlers that block on threads of their own: they hold nobody up, and so many of them run, whoever waits for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use communica::{Context, Error, Limits, MemoryConnector, Reason, RouteClient, RouteServer};
use communica_tests::patiently;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::support::{eventually, soon, take, within};

#[communica::service]
trait Gate {
    #[route(blocking)]
    fn pass(&self);
    async fn is_there(&self) {}
}

/// Counts who came, and lets one through for each word.
struct Host {
    came: Arc<AtomicUsize>,
    words: Mutex<Receiver<()>>,
}

impl Gate for Host {
    fn pass(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
        self.words.lock().unwrap().recv_timeout(Duration::from_secs(20)).expect("a word comes");
    }
}

async fn gate(running: usize) -> (communica::RouteServerHandle, RouteClient, Arc<AtomicUsize>, Sender<()>) {
    let (word, words) = channel();
    let came = Arc::new(AtomicUsize::new(0));
    let host = Host { came: came.clone(), words: Mutex::new(words) };
    let connector = MemoryConnector::unique();
    let server = RouteServer::new(connector.clone(), host.into_routes());
    let server = server.limits(Limits::new().running(running)).start().await.unwrap();
    let client = RouteClient::connect(connector).await.unwrap();
    (server, client, came, word)
}

#[tokio::test]
async fn those_that_nobody_waits_for_any_more_keep_their_place_until_they_end() {
    within(30, async {
        let (_server, client, came, word) = gate(2).await;
        // By their time limit, or because the caller drops them.
        for number in 0..6 {
            // The first two begin within their time, the others find no place.
            let time = if number < 2 { soon() } else { Duration::from_millis(50) };
            if number % 2 == 0 {
                let ended = GateClient::new(&client).timeout(time).pass().await;
                assert!(ended.is_err(), "nobody lets it through");
            } else {
                assert!(tokio::time::timeout(time, GateClient::new(&client).pass()).await.is_err());
            }
        }
        assert_eq!(came.load(Ordering::Relaxed), 2, "no more of them run than may");
        // The server may learn a moment later that nobody waits for the last ones.
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..2 {
            word.send(()).unwrap();
        }
        // Those that were given up before they began never do.
        word.send(()).unwrap();
        GateClient::new(&client).pass().await.unwrap();
        assert_eq!(came.load(Ordering::Relaxed), 3);
    })
    .await;
}

#[tokio::test]
async fn stop_waits_for_those_that_run() {
    within(30, async {
        let (server, client, came, word) = gate(2).await;
        let call = tokio::spawn({
            let client = client.clone();
            async move { GateClient::new(&client).pass().await }
        });
        eventually("it runs", || came.load(Ordering::Relaxed) == 1).await;
        call.abort();
        let stopping = tokio::spawn(async move { server.stop().await });
        while GateClient::new(&client).is_there().await.is_ok() {}
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!stopping.is_finished());
        word.send(()).unwrap();
        stopping.await.unwrap();
    })
    .await;
}

#[communica::service]
trait Till {
    #[route(blocking)]
    fn ring(&self, number: i64);
}

const FIRST: i64 = -1;

/// Notes who comes, and holds up the first until a word comes.
struct Counter {
    rung: mpsc::UnboundedSender<i64>,
    words: Mutex<Receiver<()>>,
}

impl Till for Counter {
    fn ring(&self, number: i64) {
        self.rung.send(number).unwrap_or_default();
        if number == FIRST {
            self.words.lock().unwrap().recv_timeout(patiently(20)).expect("a word comes");
        }
    }
}

/// The pool has one thread, and that is taken.
#[test]
fn while_the_pool_is_full_they_wait_in_order_and_those_given_up_never_begin() {
    const GIVEN_UP: i64 = -2;
    const THROWS: i64 = 1000;
    let runtime = Builder::new_multi_thread().enable_all().worker_threads(2).max_blocking_threads(1).build();
    runtime.unwrap().block_on(within(30, async {
        let (rung, mut rings) = mpsc::unbounded_channel();
        let (word, words) = channel();
        let till = Counter { rung, words: Mutex::new(words) };
        let connector = MemoryConnector::unique();
        let server = RouteServer::new(connector.clone(), till.into_routes());
        let _server = server.limits(Limits::new().running(2 * THROWS as usize)).start().await.unwrap();
        let client = RouteClient::connect(connector).await.unwrap();
        let held = tokio::spawn({
            let till = TillClient::new(&client);
            async move { till.ring(FIRST).await }
        });
        assert_eq!(take(&mut rings, 1).await, [FIRST]);
        let given_up = TillClient::new(&client).timeout(soon()).ring(GIVEN_UP).await.map_err(Error::from);
        assert!(matches!(given_up, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{given_up:?}");
        let till = TillClient::new(&client);
        for number in 0..THROWS {
            till.throw_ring(number).await.unwrap();
        }
        // By then the server has heard of the one that was given up, and its runtime has ended it.
        for _ in 0..20 {
            client.request::<_, ()>("nowhere", &()).await.unwrap_err();
        }
        word.send(()).unwrap();
        assert_eq!(take(&mut rings, THROWS as usize).await, (0..THROWS).collect::<Vec<_>>());
        held.await.unwrap().unwrap();
        assert!(rings.is_empty());
    }));
}

#[communica::service]
trait Search {
    #[route(blocking)]
    fn search(&self, cx: &Context, number: i64);
}

/// Begins and ends, and looks meanwhile whether somebody waits.
struct Searcher(mpsc::UnboundedSender<i64>);

impl Search for Searcher {
    fn search(&self, cx: &Context, number: i64) {
        self.0.send(number).unwrap();
        while !cx.is_given_up() {
            std::thread::yield_now();
        }
        self.0.send(-number).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_looks_whether_somebody_waits_ends_when_nobody_does() {
    within(30, async {
        let (notes, mut noted) = mpsc::unbounded_channel();
        let connector = MemoryConnector::unique();
        let server = RouteServer::new(connector.clone(), Searcher(notes).into_routes());
        let server = server.grace(Duration::from_millis(50)).start().await.unwrap();
        let client = RouteClient::connect(connector).await.unwrap();
        // The caller drops it, or has no time any more.
        let call = {
            let client = client.clone();
            tokio::spawn(async move { SearchClient::new(&client).search(1).await })
        };
        assert_eq!(take(&mut noted, 1).await, [1]);
        call.abort();
        assert_eq!(take(&mut noted, 1).await, [-1]);
        SearchClient::new(&client).timeout(soon()).search(2).await.unwrap_err();
        assert_eq!(take(&mut noted, 2).await, [2, -2]);
        // The server is over.
        SearchClient::new(&client).throw_search(3).await.unwrap();
        assert_eq!(take(&mut noted, 1).await, [3]);
        server.stop().await;
        assert_eq!(take(&mut noted, 1).await, [-3]);
    })
    .await;
}
