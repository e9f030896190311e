//! jsonrpsee, as its README has it: JSON-RPC over a WebSocket. It has no Unix sockets: over TCP, whatever the road.

use std::sync::Arc;

use jsonrpsee::core::{RpcResult, async_trait};
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::Server;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};

use crate::call::{Call, by_tasks};
use crate::contenders::unable;
use crate::pair::ready;
use crate::record::Record;
use crate::window::{Outcome, Plan};
use crate::work::Work;

#[rpc(client, server)]
trait Echo {
    #[method(name = "echo")]
    async fn echo(&self, record: Record) -> RpcResult<Record>;
}

struct Desk;

#[async_trait]
impl EchoServer for Desk {
    async fn echo(&self, record: Record) -> RpcResult<Record> {
        Ok(record)
    }
}

pub async fn serve() {
    // It sets TCP_NODELAY by default, as does its client.
    let server = Server::builder().build("127.0.0.1:0").await.expect("there is a free port");
    ready(&server.local_addr().expect("it is bound").to_string());
    server.start(Desk.into_rpc()).stopped().await;
}

pub async fn measure(address: &str, work: Work, plan: Plan) -> Outcome {
    let connect = async || {
        let client = WsClientBuilder::default().build(format!("ws://{address}")).await;
        Asking { client: Arc::new(client.expect("the server listens")), record: Record::sample() }
    };
    match work {
        Work::Echo(load) => by_tasks(connect, load, plan).await,
        _ => unable(work),
    }
}

#[derive(Clone)]
struct Asking {
    client: Arc<WsClient>,
    record: Record,
}

impl Call for Asking {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        assert_eq!(self.client.echo(self.record.clone()).await.expect("an answer"), self.record);
    }
}
