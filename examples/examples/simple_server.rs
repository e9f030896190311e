//! Answers whoever asks. Run simple_client next to it, in Rust or in Python.

use communica::{SimpleServer, TcpConnector};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connector = match std::env::args().nth(1) {
        Some(state) => TcpConnector::load_state(&state)?,
        None => TcpConnector::new("localhost", 16161),
    };
    let server = SimpleServer::new(connector, |data: String| {
        println!("Received '{data}' from client");
        format!("Thanks for your '{data}'!")
    });
    // Until Ctrl-C.
    server.run().await?;
    Ok(())
}
