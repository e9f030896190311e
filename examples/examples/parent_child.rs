//! A parent serves and starts a child, this same program, which gets the way back to its parent as an argument.

use communica::{AnyConnector, LocalConnector, SimpleClient, SimpleServer};
use tokio::process::Command;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    match std::env::args().nth(1) {
        None => parent().await,
        Some(state) => child(&state).await,
    }
}

async fn parent() -> Outcome {
    let connector = LocalConnector::new(format!("parent_of_{}", std::process::id()));
    let server =
        SimpleServer::new(connector, |numbers: Vec<i64>| numbers.iter().sum::<i64>()).start().await?;

    let status = Command::new(std::env::current_exe()?).arg(server.dump_state()).status().await?;
    server.stop().await;
    println!("parent: the child ended, {status}");
    if status.success() { Ok(()) } else { Err("the child failed".into()) }
}

async fn child(state: &str) -> Outcome {
    let client = SimpleClient::connect(AnyConnector::load_state(state)?).await?;
    let sum: i64 = client.request(&[20, 1, 21]).await?;
    println!("child: the parent says that the sum is {sum}");
    client.close().await;
    Ok(())
}
