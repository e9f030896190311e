use communica::{RouteClient, RouteServer, TcpConnector};

#[communica::service]
trait Greeter {
    async fn greet(&self, name: String, times: u32) -> String;
}

struct Desk;

impl Greeter for Desk {
    async fn greet(&self, name: String, times: u32) -> String {
        format!("Hello {name}! ").repeat(times as usize)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connector = TcpConnector::new("127.0.0.1", 0);
    let server = RouteServer::new(connector, Desk.into_routes())
        .start()
        .await?;

    let connector = TcpConnector::load_state(&server.dump_state())?;
    let greeter = GreeterClient::new(RouteClient::connect(connector).await?);
    println!("{}", greeter.greet("Ada".to_owned(), 2).await?);
    Ok(())
}
