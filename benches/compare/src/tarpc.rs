//! tarpc, as its README has it: a task for each connection, and one for each request.

use futures::prelude::*;
use tarpc::serde_transport::Transport;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::{Bincode, Json};
use tarpc::{ClientMessage, Response, client, context};

use crate::call::Call;
use crate::pair::ready;
use crate::record::Record;
use crate::road::{Road, accept};

#[tarpc::service]
trait Echo {
    async fn echo(record: Record) -> Record;
}

#[derive(Clone)]
struct Desk;

impl Echo for Desk {
    async fn echo(self, _: context::Context, record: Record) -> Record {
        record
    }
}

pub async fn serve(format: &str, road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    loop {
        let stream = accept(&listener).await;
        match format {
            "json" => answer_all(Transport::from((stream, Json::default()))),
            _ => answer_all(Transport::from((stream, Bincode::default()))),
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

pub async fn connect(format: &str, road: Road, address: &str) -> impl Call + use<> {
    let stream = road.connect(address).await;
    let config = client::Config::default();
    let echo = match format {
        "json" => EchoClient::new(config, Transport::from((stream, Json::default()))).spawn(),
        _ => EchoClient::new(config, Transport::from((stream, Bincode::default()))).spawn(),
    };
    Caller { echo, record: Record::sample() }
}

#[derive(Clone)]
struct Caller {
    echo: EchoClient,
    record: Record,
}

impl Call for Caller {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let answer = self.echo.echo(context::current(), self.record.clone()).await;
        assert_eq!(answer.expect("an answer"), self.record);
    }
}
