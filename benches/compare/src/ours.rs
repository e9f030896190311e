//! The library, with default settings: a service, its stub, and a connector.

mod bytes;
mod formats;
mod routes;

use communica::{
    AnyConnector, LocalConnector, RmqConnector, RouteClient, RouteServer, RouteTable, TcpConnector,
};

use crate::call::{Call, aside, beside_idle, by_tasks};
use crate::contenders::unable;
use crate::pair::{broker, ready};
use crate::payload::{HUGE, LARGE, SMALL};
use crate::road::Road;
use crate::window::{Outcome, Plan};
use crate::work::{Beside, Work};

use formats::{FastJson, Json, MsgPack, Postcard, Validated};

pub async fn serve(format: &str, road: Road) {
    let routes = match format {
        "json" => Json::routes(),
        "fast-json" => FastJson::routes(),
        "msgpack" => MsgPack::routes(),
        "postcard" => Postcard::routes(),
        "validated" => Validated::routes(),
        "bytes" => bytes::routes(),
        _ => routes::numbered(routes::count(format)),
    };
    // The temporary folder of a run is its own, so names need not be.
    let connector = match road {
        Road::Local => AnyConnector::new(LocalConnector::new("ours")),
        Road::Tcp => AnyConnector::new(TcpConnector::new("127.0.0.1", 0)),
        Road::RabbitMq => AnyConnector::new(through_broker()),
    };
    let server = RouteServer::new(connector, routes).start().await.expect("the place is free");
    ready(&server.dump_state());
    server.run().await.expect("signals can be waited for");
}

/// The id is the client's, which finds it in the state.
fn through_broker() -> RmqConnector {
    RmqConnector::new(broker(), format!("ours-{}", std::process::id())).client_id("client")
}

/// `state`: what the server said.
pub async fn measure(format: &str, state: &str, work: Work, plan: Plan) -> Outcome {
    match format {
        "json" => in_format::<Json>(state, work, plan).await,
        "fast-json" => in_format::<FastJson>(state, work, plan).await,
        "msgpack" => in_format::<MsgPack>(state, work, plan).await,
        "postcard" => in_format::<Postcard>(state, work, plan).await,
        "validated" => in_format::<Validated>(state, work, plan).await,
        "bytes" => in_bytes(state, work, plan).await,
        _ => over_routes(routes::count(format), state, work, plan).await,
    }
}

/// One format's service and its clients.
trait Format {
    fn routes() -> RouteTable;
    /// Calls that wait for their answer.
    fn asking(client: RouteClient) -> impl Call;
    /// Calls that do not.
    fn throwing(client: RouteClient) -> impl Call;
}

async fn in_format<F: Format>(state: &str, work: Work, plan: Plan) -> Outcome {
    match work {
        Work::Echo(load) => by_tasks(async || F::asking(connect(state).await), load, plan).await,
        Work::Throw(load) => by_tasks(async || F::throwing(connect(state).await), load, plan).await,
        Work::Idle(connections) => {
            beside_idle(async || F::asking(connect(state).await), connections, plan).await
        }
        _ => unable(work),
    }
}

async fn in_bytes(state: &str, work: Work, plan: Plan) -> Outcome {
    let carrying = async |size| bytes::carrying(connect(state).await, size);
    match work {
        Work::Echo(load) => by_tasks(async || carrying(SMALL).await, load, plan).await,
        Work::Carry(load) => by_tasks(async || carrying(LARGE).await, load, plan).await,
        Work::Aside(beside) => {
            let client = connect(state).await;
            let huge = (beside == Beside::Huge).then(|| bytes::carrying(client.clone(), HUGE));
            aside(bytes::asking(client), huge, plan).await
        }
        Work::Throw(_) | Work::Idle(_) => unable(work),
    }
}

async fn over_routes(count: u64, state: &str, work: Work, plan: Plan) -> Outcome {
    match work {
        Work::Echo(load) => by_tasks(async || routes::asking(connect(state).await, count), load, plan).await,
        _ => unable(work),
    }
}

async fn connect(state: &str) -> RouteClient {
    let connector = AnyConnector::load_state(state).expect("a server's state");
    RouteClient::connect(connector).await.expect("the server listens")
}
