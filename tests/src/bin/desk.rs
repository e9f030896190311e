//! One process of a test over RabbitMQ, to be killed in the middle of its work: lines with words come in, lines of
//! JSON go out.
//!
//! Started as `desk <config>`. Its handlers say what they were given (`{"note": 5}`). Commands: `open` lets those go
//! on that wait, `request|throw <client id, or - for the server> <route> <number>` calls, `stop` ends it in order.
//! What it logs goes to stderr.

use std::sync::Arc;
use std::time::Duration;

use communica::{
    Context, Error, Peer, RmqConnector, RouteClient, RouteServer, RouteServerHandle, RouteTable,
};
use communica_tests::log;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::watch;
use tracing::Level;

#[derive(Clone, Deserialize)]
struct Config {
    /// It connects; without it, it listens.
    client_id: Option<String>,
    state: String,
    name: String,
    #[serde(default)]
    ack_on_arrival: bool,
    /// Milliseconds.
    listening: u64,
    check: u64,
    /// Log all that there is, not only warnings.
    #[serde(default)]
    log_all: bool,
}

#[tokio::main]
async fn main() {
    let config = std::env::args().nth(1).expect("the configuration is the first argument");
    let config: Config = serde_json::from_str(&config).expect("the configuration can be read");
    log::to_stderr(if config.log_all { Level::TRACE } else { Level::WARN });
    let gate = watch::Sender::new(false);
    let desk = Arc::new(Desk::open(&config, routes(&config.name, &gate)).await);
    tell(&json!({"ready": true}));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("stdin can be read") {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["open"] => _ = gate.send_replace(true),
            ["stop"] => {
                desk.stop().await;
                tell(&json!({"stopped": true}));
            }
            [what, whom, route, number] => {
                let number = number.parse().expect("it is a number");
                let (desk, whom, route) = (desk.clone(), whom.to_owned(), route.to_owned());
                let is_throw = what == "throw";
                tokio::spawn(async move { call(desk.peer(&whom).await, is_throw, &route, number).await });
            }
            _ => panic!("no such command: {line}"),
        }
    }
}

/// What this process holds.
enum Desk {
    Server(RouteServerHandle),
    Client(RouteClient),
}

impl Desk {
    async fn open(config: &Config, routes: RouteTable) -> Self {
        let connector = RmqConnector::load_state(&config.state).expect("the connector's state can be loaded");
        let connector = connector
            .listening_period(Duration::from_millis(config.listening))
            .check_period(Duration::from_millis(config.check));
        let connector = if config.ack_on_arrival { connector.ack_on_arrival() } else { connector };
        let Some(client_id) = &config.client_id else {
            let server = RouteServer::new(connector, routes).start().await;
            return Self::Server(server.expect("the server starts"));
        };
        let client = RouteClient::builder(connector.client_id(client_id)).routes(routes).connect().await;
        Self::Client(client.expect("the client connects"))
    }

    async fn peer(&self, whom: &str) -> Peer {
        match self {
            Self::Server(server) => server.peer(whom).await,
            Self::Client(client) => communica::IntoCaller::into_caller(client),
        }
    }

    async fn stop(&self) {
        match self {
            Self::Server(server) => server.stop().await,
            Self::Client(client) => client.close().await,
        }
    }
}

fn routes(name: &str, gate: &watch::Sender<bool>) -> RouteTable {
    let (name, gate) = (name.to_owned(), gate.clone());
    let held = move |number: i64| {
        let mut gate = gate.subscribe();
        async move {
            tell(&json!({"note": number}));
            gate.wait_for(|open| *open).await.expect("the gate stands");
            number * 10
        }
    };
    RouteTable::new()
        .route("note", |number: i64| tell(&json!({"note": number})))
        .route("times_ten", |number: i64| number * 10)
        .route("hold", held)
        .route("share", move |number: i64| {
            let name = name.clone();
            async move {
                tell(&json!({"note": number}));
                tokio::time::sleep(Duration::from_millis(5)).await;
                name
            }
        })
        .route("back", |cx: Context, number: i64| async move {
            Ok::<i64, Error>(cx.peer().request::<_, i64>("times_ten", &number).await? + 1)
        })
}

async fn call(peer: Peer, is_throw: bool, route: &str, number: i64) {
    let ended = match is_throw {
        true => peer.throw(route, &number).await.map(|()| Value::Null),
        false => peer.request::<_, Value>(route, &number).await,
    };
    match ended {
        Ok(_) if is_throw => tell(&json!({"thrown": number})),
        Ok(value) => tell(&json!({"answer": number, "value": value})),
        Err(error) => tell(&json!({"failed": number, "error": format!("{error:?}")})),
    }
}

/// One line, whole: `println!` holds the lock of stdout meanwhile.
fn tell(line: &Value) {
    println!("{line}");
}
