//! One process under attack: what hostile peers do comes in; how it fares goes out.
//!
//! Started as `victim <config>`. As a server it listens on a local socket and on TCP, and says `{"port": 5}`. As a client
//! it calls a hostile server again and again, and a good one beside it, and says `{"ready": true}`. For each line that comes
//! in, one goes out that says how it fares. What it logs, up to INFO, goes to stderr. The end of stdin ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use communica::{
    AnyConnector, AnyError, Backoff, CallError, CallOptions, Caller, Context, Error, IntoCaller,
    JsonSerializer, Limits, LocalConnector, NoServiceError, RouteClient, RouteServer, RouteServerHandle,
    RouteTable, TcpConnector,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Deserialize)]
struct Config {
    limits: Bounds,
    #[serde(flatten)]
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    /// Listens, on a local socket of this name too.
    Server(String),
    /// States of connectors to a hostile server and a good one.
    Client(String, String),
}

/// Those of the limits that tests meet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    message_size: usize,
    running: usize,
    waiting: (usize, usize),
    queued: (usize, usize),
    unacknowledged: (usize, usize),
    peers: usize,
    handshakes: usize,
    handshake_ms: u64,
    stall_ms: u64,
    forget_ms: u64,
}

impl Bounds {
    fn limits(&self) -> Limits {
        Limits::new()
            .message_size(self.message_size)
            .running(self.running)
            .waiting(self.waiting.0, self.waiting.1)
            .queued(self.queued.0, self.queued.1)
            .unacknowledged(self.unacknowledged.0, self.unacknowledged.1)
            .peers(self.peers)
            .handshakes(self.handshakes)
            .handshake_time(Duration::from_millis(self.handshake_ms))
            .stall_time(Duration::from_millis(self.stall_ms))
            .forget_time(Duration::from_millis(self.forget_ms))
    }
}

/// How it fares.
#[derive(Default)]
struct Fares {
    /// Throws that were handled.
    noted: AtomicU64,
    /// Calls to the hostile server that ended, well or badly.
    ended: AtomicU64,
    /// Calls to the good server that were answered, and those that were not.
    good: AtomicU64,
    failed: AtomicU64,
    /// The slowest of them.
    slowest_ms: AtomicU64,
}

impl Fares {
    fn report(&self) -> Value {
        let read = |number: &AtomicU64| number.load(Relaxed);
        json!({
            "noted": read(&self.noted), "ended": read(&self.ended), "good": read(&self.good),
            "failed": read(&self.failed), "slowest_ms": read(&self.slowest_ms),
        })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    communica_tests::log::to_stderr(tracing::Level::INFO);
    let config = std::env::args().nth(1).expect("the configuration is the first argument");
    let config: Config = serde_json::from_str(&config).expect("the configuration can be read");
    let (fares, limits) = (Arc::new(Fares::default()), config.limits.limits());
    let _servers = match &config.role {
        Role::Server(name) => Some(serve(name, limits, &fares).await),
        Role::Client(hostile, good) => {
            call_both(hostile, good, limits, &fares).await;
            None
        }
    };
    let mut lines = BufReader::new(stdin()).lines();
    while lines.next_line().await.expect("stdin can be read").is_some() {
        tell(&fares.report());
    }
}

async fn serve(name: &str, limits: Limits, fares: &Arc<Fares>) -> [RouteServerHandle; 2] {
    let local = RouteServer::new(LocalConnector::new(name), routes(fares)).limits(limits.clone()).start();
    let tcp = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes(fares)).limits(limits).start();
    let servers = [local.await.expect("it listens"), tcp.await.expect("it listens")];
    let state: Value = serde_json::from_str(&servers[1].dump_state()).expect("a state is JSON");
    tell(&json!({"port": state["port"]}));
    servers
}

fn routes(fares: &Arc<Fares>) -> RouteTable {
    let fares = fares.clone();
    RouteTable::new()
        .route("echo", |value: Value| value)
        .route("note", move |_: Value| _ = fares.noted.fetch_add(1, Relaxed))
        .route("fail", |_: Value| Err::<(), AnyError>("as asked".into()))
        .route("panic", |_: Value| -> () { panic!("as asked") })
        .route("large", |(): ()| "x".repeat(256 * 1024))
        .route("hold", |value: Value| async move {
            std::future::pending::<()>().await;
            value
        })
        .route("send_me", |cx: Context, count: u32| async move {
            for _ in 0..count {
                cx.peer().throw("take", &"x".repeat(1000)).await?;
            }
            Ok::<_, Error>(count)
        })
}

async fn call_both(hostile: &str, good: &str, limits: Limits, fares: &Arc<Fares>) {
    let builder = |state: &str| {
        let connector = AnyConnector::load_state(state).expect("a connector's state");
        RouteClient::builder(connector)
            .routes(routes(fares))
            .backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(50)))
    };
    let good = builder(good).connect().await.expect("the good server lets it in");
    let hostile = builder(hostile).limits(limits).client_id("victim").start().expect("its routes are fine");
    tell(&json!({"ready": true}));
    let told = fares.clone();
    tokio::spawn(async move {
        loop {
            let since = Instant::now();
            let well = matches!(good.request::<_, i64>("echo", &5).await, Ok(5));
            if well { &told.good } else { &told.failed }.fetch_add(1, Relaxed);
            told.slowest_ms.fetch_max(since.elapsed().as_millis() as u64, Relaxed);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let told = fares.clone();
    tokio::spawn(async move {
        let (peer, options) = (hostile.into_caller(), CallOptions::new().timeout(Duration::from_secs(2)));
        loop {
            let ended: Result<Value, CallError<NoServiceError>> =
                Caller::request(&peer, &options, "ask", &JsonSerializer, &1).await;
            drop(ended);
            told.ended.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
}

/// One line, whole: `println!` holds the lock of stdout meanwhile.
fn tell(line: &Value) {
    println!("{line}");
}
