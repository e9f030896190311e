//! The four entities behind one face: `request(name, data)` and `throw(name, data)`.

use communica::{
    BoxFuture, Error, Fault, IntoCaller, Peer, RouteClient, RouteServer, RouteServerHandle, RouteTable,
    SimpleClient, SimpleServer, SimpleServerHandle,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::behaviours::{Answer, Behaviours, NAMES};
use crate::config::{Config, Entity, Role};
use crate::format::Format;
use crate::library::{Library, Shelf};
use crate::office::Office;
use crate::registry::Registry;
use crate::{library, office, registry, trade};

/// A running entity. A server talks to the one client whose id it was given.
pub(crate) enum Side {
    SimpleServer { handle: SimpleServerHandle<Format>, client_id: String },
    SimpleClient(SimpleClient<Format>),
    RouteServer { handle: RouteServerHandle, client_id: String, format: Format },
    RouteClient { client: RouteClient, format: Format },
}

/// What Simple entities send, as they have no names.
#[derive(Deserialize, Serialize)]
struct Deed<N, D> {
    r#do: N,
    data: D,
}

impl Side {
    pub(crate) async fn start(config: &Config, behaviours: &Behaviours) -> Self {
        let (connector, format, client_id) = (config.connector(), config.format, config.client_id.clone());
        match (config.entity, config.role) {
            (Entity::Simple, Role::Server) => {
                let server = SimpleServer::with_serializer(connector, handler(behaviours), format);
                let handle = server.limits(config.limits()).start().await.expect("the server listens");
                Self::SimpleServer { handle, client_id }
            }
            (Entity::Simple, Role::Client) => {
                let client = SimpleClient::builder(connector).serializer(format).handler(handler(behaviours));
                let client = client.client_id(client_id).limits(config.limits());
                let client = client.connect_timeout(config.connect_timeout());
                Self::SimpleClient(client.connect().await.expect("the client connects"))
            }
            (Entity::Route, Role::Server) => {
                let server = RouteServer::new(connector, routes(behaviours, format)).limits(config.limits());
                let handle = server.start().await.expect("the server listens");
                Self::RouteServer { handle, client_id, format }
            }
            (Entity::Route, Role::Client) => {
                let client = RouteClient::builder(connector).routes(routes(behaviours, format));
                let client = client.client_id(client_id).limits(config.limits());
                let client = client.connect_timeout(config.connect_timeout());
                Self::RouteClient { client: client.connect().await.expect("the client connects"), format }
            }
        }
    }

    pub(crate) async fn request<T: DeserializeOwned + Send>(
        &self,
        name: &str,
        data: &(impl Serialize + Sync),
    ) -> Result<T, Error> {
        match self {
            Self::SimpleServer { handle, client_id } => {
                handle.peer(client_id).await.request(&Deed { r#do: name, data }).await
            }
            Self::SimpleClient(client) => client.request(&Deed { r#do: name, data }).await,
            Self::RouteServer { handle, client_id, format } => {
                handle.peer(client_id).await.request_with(name, format, data).await
            }
            Self::RouteClient { client, format } => client.request_with(name, format, data).await,
        }
    }

    pub(crate) async fn throw(&self, name: &str, data: &Value) -> Result<(), Error> {
        match self {
            Self::SimpleServer { handle, client_id } => {
                handle.peer(client_id).await.throw(&Deed { r#do: name, data }).await
            }
            Self::SimpleClient(client) => client.throw(&Deed { r#do: name, data }).await,
            Self::RouteServer { handle, client_id, format } => {
                handle.peer(client_id).await.throw_with(name, format, data).await
            }
            Self::RouteClient { client, format } => client.throw_with(name, format, data).await,
        }
    }

    /// Who a stub calls.
    pub(crate) async fn peer(&self) -> Peer {
        match self {
            Self::RouteServer { handle, client_id, .. } => handle.peer(client_id).await,
            Self::RouteClient { client, .. } => client.into_caller(),
            Self::SimpleServer { .. } | Self::SimpleClient(_) => panic!("Simple entities have no routes"),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::SimpleServer { handle, .. } => !handle.peers().is_empty(),
            Self::SimpleClient(client) => client.is_connected(),
            Self::RouteServer { handle, .. } => !handle.peers().is_empty(),
            Self::RouteClient { client, .. } => client.is_connected(),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::SimpleServer { handle, .. } => handle.stop().await,
            Self::SimpleClient(client) => client.close().await,
            Self::RouteServer { handle, .. } => handle.stop().await,
            Self::RouteClient { client, .. } => client.close().await,
        }
    }
}

fn handler(
    behaviours: &Behaviours,
) -> impl Fn(Deed<String, Value>) -> BoxFuture<'static, Result<Answer, Fault>> + Send + Sync + 'static {
    let behaviours = behaviours.clone();
    move |deed: Deed<String, Value>| Box::pin(behaviours.clone().act(deed.r#do, deed.data))
}

fn routes(behaviours: &Behaviours, format: Format) -> RouteTable {
    let mut table = RouteTable::new()
        .route("trade", trade::trade)
        .route("library.untyped", library::lend)
        .merge(office::Desk::new(behaviours).into_routes())
        .merge(registry::Clerk::new(behaviours).into_routes())
        .merge(Shelf.into_routes());
    for name in NAMES {
        let behaviours = behaviours.clone();
        table = table.route_with(name, format, move |data: Value| behaviours.clone().act(name, data));
    }
    table
}
