use jsonrpsee::core::{RpcResult, async_trait};
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::Server;
use jsonrpsee::ws_client::WsClientBuilder;

#[rpc(client, server)]
trait Greeter {
    #[method(name = "greet")]
    async fn greet(&self, name: String, times: u32) -> RpcResult<String>;
}

struct Desk;

#[async_trait]
impl GreeterServer for Desk {
    async fn greet(&self, name: String, times: u32) -> RpcResult<String> {
        Ok(format!("Hello {name}! ").repeat(times as usize))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().build("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let _handle = server.start(Desk.into_rpc());

    let greeter = WsClientBuilder::default()
        .build(format!("ws://{address}"))
        .await?;
    println!("{}", greeter.greet("Ada".to_owned(), 2).await?);
    Ok(())
}
