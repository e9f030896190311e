//! The library, with default settings: a service, its generated client, and a connector.

use communica::{Connector, LocalConnector, RouteClient, RouteServer, TcpConnector};

use crate::call::Call;
use crate::pair::ready;
use crate::record::Record;
use crate::road::Road;

/// The temporary folder of a run is its own, so names need not be.
const NAME: &str = "ours";

#[communica::service]
trait Echo {
    async fn echo(&self, record: Record) -> Record;
}

struct Desk;

impl Echo for Desk {
    async fn echo(&self, record: Record) -> Record {
        record
    }
}

pub async fn serve(road: Road) {
    match road {
        Road::Local => serve_at(LocalConnector::new(NAME)).await,
        Road::Tcp => serve_at(TcpConnector::new("127.0.0.1", 0)).await,
    }
}

async fn serve_at(connector: impl Connector) {
    let server = RouteServer::new(connector, Desk.into_routes()).start().await.expect("the place is free");
    ready(&server.dump_state());
    server.run().await.expect("signals can be waited for");
}

/// `state`: the connector's.
pub async fn connect(state: &str) -> impl Call {
    let connector = communica::AnyConnector::load_state(state).expect("a server's state");
    let client = RouteClient::connect(connector).await.expect("the server listens");
    Caller { echo: EchoClient::new(client), record: Record::sample() }
}

#[derive(Clone)]
struct Caller {
    echo: EchoClient,
    record: Record,
}

impl Call for Caller {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        assert_eq!(self.echo.echo(self.record.clone()).await.expect("an answer"), self.record);
    }
}
