//! One process of a test: a server, or a client, that runs until the system wants it to end.
//!
//! Started as `runner <connector's state> [<client id>]`; with a client id it connects. Its handlers say what they
//! were given (`{"note": 5}`), it says when the system may ask it to end (`{"listens": true}`), and `hold` and `scatter`
//! go on when the line `open` comes. It ends well if `run` does.

use std::io::stdin;
use std::time::Duration;

use communica::{AnyConnector, Backoff, Context, Error, RouteClient, RouteServer, RouteTable};
use serde_json::json;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let state = arguments.next().expect("the connector's state is the first argument");
    let connector = AnyConnector::load_state(&state).expect("the connector's state can be loaded");
    let gate = watch::Sender::new(false);
    let routes = routes(&gate);
    // A thread of its own: the process need not wait for it.
    std::thread::spawn(move || {
        for line in stdin().lines() {
            gate.send_replace(line.is_ok_and(|line| line == "open"));
        }
    });
    let Some(client_id) = arguments.next() else {
        return told(RouteServer::new(connector, routes).run()).await;
    };
    let backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    let client = RouteClient::builder(connector).client_id(client_id).routes(routes).backoff(backoff);
    let client = client.connect().await?;
    told(client.run()).await
}

/// Says when it listens to the system, which is what `run` begins with.
async fn told(run: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let (ended, ()) = tokio::join!(biased; run, async { println!("{}", json!({"listens": true})) });
    ended
}

fn routes(gate: &watch::Sender<bool>) -> RouteTable {
    let [hold, scatter] = [gate.clone(), gate.clone()];
    RouteTable::new()
        .route("echo", |number: i64| number)
        .route("note", note)
        .route("hold", move |number: i64| {
            let gate = hold.subscribe();
            async move {
                note(number);
                opened(gate).await;
                number * 10
            }
        })
        .route("scatter", move |cx: Context, count: i64| {
            let gate = scatter.subscribe();
            async move {
                note(count);
                opened(gate).await;
                for number in 0..count {
                    cx.peer().throw("note", &number).await?;
                }
                Ok::<_, Error>(count)
            }
        })
}

/// One line, whole: `println!` holds the lock of stdout meanwhile.
fn note(number: i64) {
    println!("{}", json!({"note": number}));
}

async fn opened(mut gate: watch::Receiver<bool>) {
    gate.wait_for(|open| *open).await.expect("the gate stands");
}
