//! One client shares its work out among three server processes, one of which is killed on the way. Nothing is lost.
//!
//! Give the URL of a RabbitMQ broker as the argument or in `AMQP_URL`; `cargo xtask broker` starts one and prints it:
//!
//! ```sh
//! cargo run -p communica-examples --features rabbitmq --example work_queue -- amqp://guest:guest@127.0.0.1:5672/%2f
//! ```

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use communica::{AnyConnector, RmqConnector, RouteClient, RouteServer};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const REQUESTS: u64 = 600;
/// How a server process learns where to listen. An argument would show the broker's password to everybody.
const STATE: &str = "WORK_QUEUE_STATE";

#[communica::service]
trait Squares {
    /// Squares a number, and says which process did.
    async fn square(&self, number: u64) -> (u64, u32);
}

struct Worker;

impl Squares for Worker {
    async fn square(&self, number: u64) -> (u64, u32) {
        // Something that takes a while.
        tokio::time::sleep(Duration::from_millis(10)).await;
        (number * number, std::process::id())
    }
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match std::env::var(STATE) {
        Ok(state) => {
            Ok(RouteServer::new(AnyConnector::load_state(&state)?, Worker.into_routes()).run().await?)
        }
        Err(_) => share_out().await,
    }
}

async fn share_out() -> Result<(), Failure> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("AMQP_URL").ok());
    let url = url.unwrap_or_else(|| "amqp://guest:guest@localhost:5672/%2f".to_owned());
    // The address is ours alone, so that two runs do not meet.
    let connector = RmqConnector::new(url, format!("squares-{}", std::process::id())).work_queue();
    connector.cleanup().await.map_err(|error| {
        format!(
            "{error}. Start one with `cargo xtask broker`, and give its URL as the argument or in AMQP_URL"
        )
    })?;

    let mut servers = (0..3).map(|_| start_server(&connector)).collect::<Result<Vec<_>, _>>()?;
    let client = RouteClient::connect(connector.clone().client_id("counter")).await?;
    let handled = count(&client, &mut servers[0]).await?;
    for (process, count) in &handled {
        println!("process {process} handled {count}");
    }
    println!("all {} requests are answered", handled.values().sum::<u64>());

    client.close().await;
    for server in &mut servers {
        server.kill().await?;
    }
    connector.cleanup().await?;
    Ok(connector.client_id("counter").cleanup().await?)
}

/// This same program once more.
fn start_server(connector: &RmqConnector) -> std::io::Result<Child> {
    let mut server = Command::new(std::env::current_exe()?);
    server.env(STATE, connector.dump_state()).stdin(Stdio::null()).kill_on_drop(true).spawn()
}

/// How many answers came from each process.
async fn count(client: &RouteClient, victim: &mut Child) -> Result<BTreeMap<u32, u64>, Failure> {
    let squares = SquaresClient::new(client);
    let mut calls = JoinSet::new();
    for number in 0..REQUESTS {
        let squares = squares.clone();
        calls.spawn(async move { (number, squares.square(number).await) });
    }
    let mut handled = BTreeMap::new();
    for answered in 1..=REQUESTS {
        let (number, answer) = calls.join_next().await.ok_or("every call ends")??;
        let (square, process) = answer?;
        assert_eq!(square, number * number, "each call has its own answer");
        *handled.entry(process).or_default() += 1;
        if answered == REQUESTS / 3 {
            println!("process {} is killed in the middle of its work", victim.id().unwrap_or_default());
            victim.start_kill()?;
        }
    }
    Ok(handled)
}
