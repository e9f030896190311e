//! Asks simple_server once, which may be the one in Rust or the one in Python.

use communica::{SimpleClient, TcpConnector};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connector = match std::env::args().nth(1) {
        Some(state) => TcpConnector::load_state(&state)?,
        None => TcpConnector::new("localhost", 16161),
    };
    let client = SimpleClient::connect(connector).await?;
    let resp: String = client.request("hello").await?;
    println!("Server responded with {resp:?}");
    client.close().await;
    Ok(())
}
