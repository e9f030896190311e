//! A supervisor and three workers, each a process of its own. It gives work to whichever is there, asks all of them, goes on
//! when one of them is killed, and starts it again. In the end, or at Ctrl-C, it tells them to quit, and waits until they did.
//!
//! Run it without arguments. It starts this same program as its workers.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use communica::{
    AllPeers, AnyConnector, AnyPeer, CallError, LocalConnector, PeerEvent, PeerWatch, RouteClient,
    RouteServer, RouteServerHandle,
};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

const IDS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];

#[communica::service]
trait Worker {
    /// Squares a number, which takes so many milliseconds.
    async fn square(&self, number: u64, millis: u64) -> u64;
    /// How many numbers it squared.
    async fn done(&self) -> u64;
    /// To end when what it does is done.
    fn quit(&self);
}

#[derive(Default)]
struct Bench {
    done: AtomicU64,
    quits: Arc<Notify>,
}

impl Worker for Bench {
    async fn square(&self, number: u64, millis: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.done.fetch_add(1, Ordering::Relaxed);
        number * number
    }

    async fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// A handler must not wait for the end of its own client: another task closes it.
    fn quit(&self) {
        self.quits.notify_one();
    }
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(state), Some(id)) => work(&state, &id).await,
        _ => tokio::time::timeout(Duration::from_secs(60), run()).await?,
    }
}

/// Whatever ends the work, the workers end in order, before the server does.
async fn run() -> Result<(), Failure> {
    let supervisor = Supervisor::start().await?;
    let mut workers = IDS.iter().map(|id| supervisor.start_worker(id)).collect::<Result<Vec<_>, _>>()?;
    tokio::select! {
        done = work_with(&supervisor, &mut workers) => done?,
        asked = tokio::signal::ctrl_c() => asked?,
    }
    for (id, told) in supervisor.all.throw_quit().await {
        told.inspect_err(|error| println!("{id} was not told: {error}")).ok();
    }
    for worker in &mut workers {
        // One that does not end in time is killed when it is dropped.
        let _ = tokio::time::timeout(Duration::from_secs(5), worker.wait()).await;
    }
    supervisor.server.stop().await;
    println!("goodbye");
    Ok(())
}

async fn work(state: &str, id: &str) -> Result<(), Failure> {
    let (connector, bench) = (AnyConnector::load_state(state)?, Bench::default());
    let quits = bench.quits.clone();
    // Should the supervisor be killed, nobody tells its workers to quit.
    let client = RouteClient::builder(connector).client_id(id).routes(bench.into_routes());
    let client = client.give_up_after(Duration::from_secs(3)).connect().await?;
    tokio::select! {
        ended = client.run() => ended?,
        () = quits.notified() => client.close().await,
    }
    Ok(())
}

/// What a supervisor keeps: a stub for whichever worker is there, and one for all.
struct Supervisor {
    server: RouteServerHandle,
    any: WorkerClient<AnyPeer>,
    all: WorkerClient<AllPeers>,
}

impl Supervisor {
    async fn start() -> Result<Self, Failure> {
        // The name is ours alone, so that two runs do not meet.
        let connector = LocalConnector::new(format!("workers-{}", std::process::id()));
        let server = RouteServer::new(connector, communica::RouteTable::new()).start().await?;
        // A call to all waits for the slowest: a limit bounds it.
        let limit = Duration::from_secs(5);
        let any = WorkerClient::new(server.any_peer());
        let all = WorkerClient::new(server.all_peers()).timeout(limit);
        Ok(Self { server, any, all })
    }

    fn start_worker(&self, id: &str) -> std::io::Result<Child> {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.args([&self.server.dump_state(), id]).stdin(Stdio::null()).kill_on_drop(true).spawn()
    }
}

async fn work_with(supervisor: &Supervisor, workers: &mut [Child]) -> Result<(), Failure> {
    for id in IDS {
        supervisor.server.peer(id).await;
        println!("{id} is there");
    }

    for number in 1..=6 {
        println!("{number} squared is {}", supervisor.any.square(number, 1).await?);
    }
    tell_what_is_done(supervisor).await;

    // Work for one worker, by its id, which is killed in the middle of it.
    let first = WorkerClient::new(supervisor.server.peer(IDS[0]).await).timeout(Duration::from_secs(5));
    let killed = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        workers[0].kill().await
    };
    let (square, killed) = tokio::join!(first.square(7, 60_000), killed);
    killed?;
    match square {
        Err(CallError::Failed(error)) => println!("{} is killed; its call: {:?}", IDS[0], error.outcome()),
        other => return Err(format!("an unexpected outcome: {other:?}").into()),
    }
    // It may have run; to square a number twice does no harm, so another worker is asked.
    println!("7 squared is {}", supervisor.any.square(7, 1).await?);
    tell_what_is_done(supervisor).await;

    let mut watch = supervisor.server.watch_peers();
    workers[0] = supervisor.start_worker(IDS[0])?;
    until(&mut watch, &PeerEvent::Connected(IDS[0].to_owned())).await;
    println!("{} is back", IDS[0]);
    Ok(())
}

/// A supervisor that runs on matches on each event instead, and starts again what went.
async fn until(watch: &mut PeerWatch, wanted: &PeerEvent) {
    while watch.next().await.is_some_and(|event| event != *wanted) {}
}

/// A call to all gives an outcome for each worker that is connected, with its id.
async fn tell_what_is_done(supervisor: &Supervisor) {
    let mut outcomes: Vec<(String, Result<u64, CallError>)> = supervisor.all.done().await;
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    println!("{} workers are connected", outcomes.len());
    for (id, outcome) in outcomes {
        match outcome {
            Ok(done) => println!("{id} did {done}"),
            Err(error) => println!("{id} does not tell: {error}"),
        }
    }
}
