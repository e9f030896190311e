//! tonic, as its README has it: protobuf over HTTP/2.

use std::io;

use hyper_util::rt::TokioIo;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::either::Either;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};

use crate::call::{Call, aside, by_tasks};
use crate::contenders::unable;
use crate::pair::ready;
use crate::payload::{HUGE, LARGE, Payloads};
use crate::road::Road;
use crate::window::{Outcome, Plan};
use crate::work::{Beside, Work};

use pb::echo_client::EchoClient;
use pb::echo_server::{Echo, EchoServer};
use pb::{Payload, Record};

mod pb {
    tonic::include_proto!("echo");
}

/// By default a message has 4 MiB at most.
const LIMIT: usize = 2 * HUGE;

struct Desk;

#[tonic::async_trait]
impl Echo for Desk {
    async fn echo(&self, request: Request<Record>) -> Result<Response<Record>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn carry(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub async fn serve(road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    let service = EchoServer::new(Desk).max_decoding_message_size(LIMIT).max_encoding_message_size(LIMIT);
    let router = Server::builder().add_service(service);
    let end = match listener {
        Either::Left(listener) => router.serve_with_incoming(UnixListenerStream::new(listener)).await,
        Either::Right(listener) => {
            router.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await
        }
    };
    end.expect("it serves until it is killed");
}

pub async fn measure(road: Road, address: &str, work: Work, plan: Plan) -> Outcome {
    let connect = async || connect(road, address).await;
    let carrying = |echo, size| Carrying { echo, payloads: Payloads::of(size) };
    let asking = |echo| Asking { echo, record: sample() };
    match work {
        Work::Echo(load) => by_tasks(async || asking(connect().await), load, plan).await,
        Work::Carry(load) => by_tasks(async || carrying(connect().await, LARGE), load, plan).await,
        Work::Aside(beside) => {
            let echo = connect().await;
            let huge = (beside == Beside::Huge).then(|| carrying(echo.clone(), HUGE));
            aside(asking(echo), huge, plan).await
        }
        Work::Throw(_) | Work::Idle(_) => unable(work),
    }
}

async fn connect(road: Road, address: &str) -> EchoClient<Channel> {
    let address = address.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let address = address.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(road.connect(&address).await)) }
    });
    // The connector knows the address; a URI is needed all the same.
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await;
    EchoClient::new(channel.expect("the server listens"))
        .max_decoding_message_size(LIMIT)
        .max_encoding_message_size(LIMIT)
}

/// The record of all, in the type that protoc made.
fn sample() -> Record {
    let crate::record::Record { id, name, email, active, score } = crate::record::Record::sample();
    Record { id, name, email, active, score }
}

#[derive(Clone)]
struct Asking {
    echo: EchoClient<Channel>,
    record: Record,
}

impl Call for Asking {
    async fn call(&mut self, number: u64) {
        self.record.id = crate::record::id(number);
        let answer = self.echo.echo(self.record.clone()).await;
        assert_eq!(answer.expect("an answer").into_inner(), self.record);
    }
}

#[derive(Clone)]
struct Carrying {
    echo: EchoClient<Channel>,
    payloads: Payloads,
}

impl Call for Carrying {
    async fn call(&mut self, number: u64) {
        let payload = Payload { content: self.payloads.get(number).clone() };
        let answer = self.echo.carry(payload).await.expect("an answer").into_inner();
        self.payloads.check(number, &answer.content);
    }
}
