//! tarpc, as its README has it: a task for each connection, and one for each request.

use futures::prelude::*;
use serde_bytes::ByteBuf;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::{Bincode, Json};
use tarpc::{ClientMessage, Response, client, context, serde_transport};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::call::{Call, aside, by_tasks};
use crate::contenders::unable;
use crate::pair::ready;
use crate::payload::{HUGE, LARGE, Payloads};
use crate::record::Record;
use crate::road::{Road, Stream, accept};
use crate::window::{Outcome, Plan};
use crate::work::{Beside, Work};

#[tarpc::service]
trait Echo {
    async fn echo(record: Record) -> Record;
    async fn carry(payload: ByteBuf) -> ByteBuf;
}

#[derive(Clone)]
struct Desk;

impl Echo for Desk {
    async fn echo(self, _: context::Context, record: Record) -> Record {
        record
    }

    async fn carry(self, _: context::Context, payload: ByteBuf) -> ByteBuf {
        payload
    }
}

pub async fn serve(format: &str, road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    loop {
        let stream = framed(accept(&listener).await);
        match format {
            "json" => answer_all(serde_transport::new(stream, Json::default())),
            _ => answer_all(serde_transport::new(stream, Bincode::default())),
        }
    }
}

fn answer_all<T>(transport: T)
where
    T: tarpc::Transport<Response<EchoResponse>, ClientMessage<EchoRequest>> + Send + 'static,
{
    let channel = BaseChannel::with_defaults(transport);
    tokio::spawn(channel.execute(Desk.serve()).for_each(|response| async {
        tokio::spawn(response);
    }));
}

pub async fn measure(format: &str, road: Road, address: &str, work: Work, plan: Plan) -> Outcome {
    let connect = async || connect(format, road, address).await;
    let carrying = |echo, size| Carrying { echo, payloads: Payloads::of(size) };
    let asking = |echo| Asking { echo, record: Record::sample() };
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

async fn connect(format: &str, road: Road, address: &str) -> EchoClient {
    let stream = framed(road.connect(address).await);
    let config = client::Config::default();
    match format {
        "json" => EchoClient::new(config, serde_transport::new(stream, Json::default())).spawn(),
        _ => EchoClient::new(config, serde_transport::new(stream, Bincode::default())).spawn(),
    }
}

/// By default a frame has 8 MiB at most.
fn framed(stream: Stream) -> Framed<Stream, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder().max_frame_length(2 * HUGE).new_framed(stream)
}

#[derive(Clone)]
struct Asking {
    echo: EchoClient,
    record: Record,
}

impl Call for Asking {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let answer = self.echo.echo(context::current(), self.record.clone()).await;
        assert_eq!(answer.expect("an answer"), self.record);
    }
}

#[derive(Clone)]
struct Carrying {
    echo: EchoClient,
    payloads: Payloads,
}

impl Call for Carrying {
    async fn call(&mut self, number: u64) {
        let payload = ByteBuf::from(self.payloads.get(number).to_vec());
        let answer = self.echo.carry(context::current(), payload).await;
        self.payloads.check(number, &answer.expect("an answer"));
    }
}
