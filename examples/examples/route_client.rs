//! A worker: does what route_server asks, and asks back for what it needs to know.

use std::sync::Arc;

use communica::{Context, Error, LocalConnector, RouteClient, RouteTable};
use serde::Deserialize;
use tokio::sync::Notify;

#[derive(Deserialize)]
struct Task {
    thing: String,
    count: u32,
}

#[derive(Deserialize)]
struct Info {
    eggs: u32,
}

async fn process_something(cx: Context, task: Task) -> Result<String, Error> {
    let Task { thing, count } = task;
    println!("To do: {count} of '{thing}'");
    let Info { eggs } = cx.peer().request("get_some_info_about", &thing).await?;
    Ok(format!("a {thing} needs {eggs} eggs, so {count} {thing}s need {}", count * eggs))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connector = match std::env::args().nth(1) {
        Some(state) => LocalConnector::load_state(&state)?,
        None => LocalConnector::new("communica_route_example"),
    };
    let dismissed = Arc::new(Notify::new());
    let dismiss = dismissed.clone();
    let routes = RouteTable::new()
        .route("process_something", process_something)
        .route("close_client", move |()| dismiss.notify_one());

    let client = RouteClient::builder(connector).routes(routes).connect().await?;
    dismissed.notified().await;
    client.close().await;
    println!("Dismissed, goodbye");
    Ok(())
}
