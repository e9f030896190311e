//! Waits for a worker, gives it something to do, and dismisses it. The worker is route_client, in Rust or in Python.

use communica::{LocalConnector, RouteServer, RouteTable};
use serde::Serialize;

#[derive(Serialize)]
struct Task {
    thing: String,
    count: u32,
}

#[derive(Serialize)]
struct Info {
    eggs: u32,
}

fn get_some_info_about(thing: String) -> Info {
    println!("The worker asks about '{thing}'");
    Info { eggs: 3 }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connector = match std::env::args().nth(1) {
        Some(state) => LocalConnector::load_state(&state)?,
        None => LocalConnector::new("communica_route_example"),
    };
    let routes = RouteTable::new().route("get_some_info_about", get_some_info_about);
    let server = RouteServer::new(connector, routes).start().await?;

    println!("Waiting for a worker");
    let task = Task { thing: "cake".to_owned(), count: 2 };
    let answer: String = server.request("process_something", &task).await?;
    println!("The worker answered: {answer}");

    server.throw("close_client", &()).await?;
    server.stop().await;
    Ok(())
}
