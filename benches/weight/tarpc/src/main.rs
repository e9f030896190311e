use futures::prelude::*;
use tarpc::serde_transport::tcp;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;
use tarpc::{client, context};

#[tarpc::service]
trait Greeter {
    async fn greet(name: String, times: u32) -> String;
}

#[derive(Clone)]
struct Desk;

impl Greeter for Desk {
    async fn greet(self, _: context::Context, name: String, times: u32) -> String {
        format!("Hello {name}! ").repeat(times as usize)
    }
}

async fn spawn(response: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(response);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tcp::listen("127.0.0.1:0", Json::default).await?;
    let address = listener.local_addr();
    tokio::spawn(
        listener
            .filter_map(|connection| future::ready(connection.ok()))
            .map(BaseChannel::with_defaults)
            .for_each(|channel| spawn(channel.execute(Desk.serve()).for_each(spawn))),
    );

    let transport = tcp::connect(address, Json::default).await?;
    let greeter = GreeterClient::new(client::Config::default(), transport).spawn();
    let greeting = greeter
        .greet(context::current(), "Ada".to_owned(), 2)
        .await?;
    println!("{greeting}");
    Ok(())
}
