//! A server and its client, on any two machines that reach the same RabbitMQ broker.
//!
//! ```sh
//! export AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2f      # `cargo xtask broker` starts one and prints its URL
//! cargo run -p communica-examples --features rabbitmq --example rabbitmq -- serve
//! cargo run -p communica-examples --features rabbitmq --example rabbitmq -- greet Ada
//! ```

use communica::{RmqConnector, RouteClient, RouteServer};

/// The line that decides how calls travel. With `LocalConnector::new("greeter")` in its place, everything else stays.
fn road() -> RmqConnector {
    RmqConnector::new(broker_url(), "greeter").client_id("greeter-client")
}

fn broker_url() -> String {
    std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@localhost:5672/%2f".to_owned())
}

#[communica::service]
trait Greeter {
    async fn greet(&self, name: &str) -> String;
}

struct Desk;

impl Greeter for Desk {
    async fn greet(&self, name: &str) -> String {
        format!("Hello {name}!")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words = std::env::args().skip(1).collect::<Vec<_>>();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => RouteServer::new(road(), Desk.into_routes()).run().await?,
        ["greet", name] => {
            let client = RouteClient::connect(road()).await?;
            println!("{}", GreeterClient::new(&client).greet(name).await?);
            client.close().await;
        }
        _ => return Err("say `serve`, or `greet` and a name".into()),
    }
    Ok(())
}
