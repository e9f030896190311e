//! A broker's URL → how the library compares with hand-written request and reply over lapin, in one run.
//!
//! ```sh
//! cargo xtask broker          # prints a URL
//! cargo run --release --manifest-path benches/rabbitmq/Cargo.toml -- URL
//! ```
//!
//! Each contender is a pair of processes, server and client, and all of them talk to the same broker in turn. `bare` is
//! the least that lapin can do: nothing is persistent, confirmed or acknowledged. `bare, safe` promises what the
//! library promises of a message: persistent, confirmed, acknowledged after it was answered.

mod bare;
mod ours;

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const ROUNDS: usize = 5;
/// Calls of a round, by calls in flight.
const LOADS: [(usize, usize); 3] = [(1, 500), (64, 20_000), (256, 20_000)];

/// What is echoed: 90 bytes of JSON.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    id: u64,
    name: String,
    email: String,
    active: bool,
    score: f64,
}

impl Record {
    fn sample() -> Self {
        Self {
            id: 1_234_567,
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            active: true,
            score: 98.6,
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", "ours", url] => ours::serve(url).await,
        ["serve", bare, url] => bare::serve(url, bare == "safe").await,
        ["call", "ours", url, at_once, calls] => report(ours::call(url, number(at_once), number(calls)).await),
        ["call", bare, url, at_once, calls] => {
            report(bare::call(url, bare == "safe", number(at_once), number(calls)).await);
        }
        [url] => compare(url).await,
        _ => panic!("give the URL of a broker; `cargo xtask broker` starts one and prints it"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn report(seconds: f64) {
    println!("{seconds}");
}

async fn compare(url: &str) {
    let contenders = ["ours", "bare", "safe"];
    let mut servers = Vec::new();
    for contender in contenders {
        servers.push(server(contender, url).await);
    }
    println!("| in flight | ours, calls/s | bare lapin | bare lapin, safe | ours : bare | ours : safe |");
    println!("|---|---|---|---|---|---|");
    for (at_once, calls) in LOADS {
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (contender, rates) in contenders.iter().zip(&mut rates) {
                rates.push(calls as f64 / client(contender, url, at_once, calls).await);
            }
        }
        let [ours, bare, safe] = rates.map(median);
        println!("| {at_once} | {ours:.0} | {bare:.0} | {safe:.0} | {:.2} | {:.2} |", ours / bare, ours / safe);
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Starts a server and waits until it says that it listens.
async fn server(contender: &str, url: &str) -> Child {
    let mut child = this_program().args(["serve", contender, url]).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    lines.next_line().await.expect("it can be read").expect("the server listens");
    child
}

async fn client(contender: &str, url: &str, at_once: usize, calls: usize) -> f64 {
    let arguments = ["call", contender, url, &at_once.to_string(), &calls.to_string()];
    let output = this_program().args(arguments).output();
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.expect("it ends in time");
    let output = String::from_utf8(output.expect("it starts").stdout).expect("it is text");
    output.trim().parse().expect("the seconds it took")
}

/// Runs so many calls, so many at once, after a few to get warm, and says how long they took.
async fn timed<C, F>(call: C, at_once: usize, calls: usize) -> f64
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let run = async |each: usize| {
        let callers = (0..at_once).map(|_| {
            let call = call.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    call().await;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("it does not panic");
        }
    };
    run(20).await;
    let start = Instant::now();
    run(calls / at_once).await;
    start.elapsed().as_secs_f64()
}
