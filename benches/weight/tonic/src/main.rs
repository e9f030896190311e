use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use pb::greeter_client::GreeterClient;
use pb::greeter_server::{Greeter, GreeterServer};
use pb::{GreetReply, GreetRequest};

mod pb {
    tonic::include_proto!("greeter");
}

struct Desk;

#[tonic::async_trait]
impl Greeter for Desk {
    async fn greet(&self, request: Request<GreetRequest>) -> Result<Response<GreetReply>, Status> {
        let GreetRequest { name, times } = request.into_inner();
        let greeting = format!("Hello {name}! ").repeat(times as usize);
        Ok(Response::new(GreetReply { greeting }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let address = incoming.local_addr()?;
    tokio::spawn(
        Server::builder()
            .add_service(GreeterServer::new(Desk))
            .serve_with_incoming(incoming),
    );

    let mut greeter = GreeterClient::connect(format!("http://{address}")).await?;
    let request = GreetRequest {
        name: "Ada".to_owned(),
        times: 2,
    };
    println!("{}", greeter.greet(request).await?.into_inner().greeting);
    Ok(())
}
