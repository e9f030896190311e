//! What a pair of peers has in common: road, entity and format.

use std::time::Duration;

use serde_json::{Map, Value, json};

#[cfg(unix)]
use crate::broker::{self, Broker};
use crate::scratch::free_port;
use crate::{Peer, Scratch, TlsSide};

/// What a peer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Ours.
    Rust,
    /// The library that ours must talk to.
    Python,
}

/// Who listens and who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Listens.
    Server,
    /// Connects.
    Client,
}

/// How they reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// A socket in the test's folder.
    Local,
    /// A free port.
    Tcp,
}

/// One handler, or many by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// `SimpleServer` and `SimpleClient`.
    Simple,
    /// `RouteServer` and `RouteClient`.
    Route,
}

/// What payloads look like. Python's `json` and `orjson` are one format to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Python without orjson.
    Json,
    /// Python with orjson.
    Orjson,
    /// MessagePack on both sides.
    MsgPack,
}

/// The one client of a stage.
const CLIENT: &str = "w1";

/// Where one test plays. Keep it as long as its peers: it owns their folder.
#[derive(Debug)]
pub struct Stage {
    scratch: Scratch,
    connector: Value,
    entity: Entity,
    format: Format,
    settings: Map<String, Value>,
    /// Of the server and of the client.
    tls: Option<[Value; 2]>,
}

impl Stage {
    /// With an address that no other test has.
    #[must_use]
    pub fn new(road: Road, entity: Entity, format: Format) -> Self {
        let connector = match road {
            // A folder per test keeps equal names apart.
            Road::Local => json!({"type": "LocalConnector", "name": "Office"}),
            Road::Tcp => {
                json!({"type": "TcpConnector", "host": "127.0.0.1", "port": free_port(), "ssl": false})
            }
        };
        Self::at(connector, entity, format)
    }

    /// Over a broker, at an address that no other test has.
    #[cfg(unix)]
    #[must_use]
    pub fn over(broker: &Broker, entity: Entity, format: Format) -> Self {
        let connector = json!({
            "type": "RABBITMQ",
            "url": broker.url(),
            "address": broker::unique("Office"),
            "client_id": CLIENT,
            "exchange_name": "communica",
        });
        Self::at(connector, entity, format)
    }

    fn at(connector: Value, entity: Entity, format: Format) -> Self {
        Self { scratch: Scratch::new(), connector, entity, format, settings: Map::new(), tls: None }
    }

    /// Over TCP with TLS, Route entities and JSON.
    #[must_use]
    pub fn over_tls(server: &TlsSide, client: &TlsSide) -> Self {
        let mut stage = Self::new(Road::Tcp, Entity::Route, Format::Orjson);
        stage.connector["ssl"] = true.into();
        let folder = stage.scratch.path();
        stage.tls = Some([server.files(folder, "server"), client.files(folder, "client")]);
        stage
    }

    /// Route entities and JSON over a local socket.
    #[must_use]
    pub fn usual() -> Self {
        Self::new(Road::Local, Entity::Route, Format::Orjson)
    }

    /// Both sides send messages above this size in pieces.
    #[must_use]
    pub fn chunk_size(self, bytes: usize) -> Self {
        self.setting("chunk_size", bytes.into())
    }

    /// Ours takes no message above this size; Python has no such limit.
    #[must_use]
    pub fn message_size(self, bytes: usize) -> Self {
        self.setting("message_size", bytes.into())
    }

    /// How often a server tells its clients through a broker that it is there. Both sides know it.
    #[must_use]
    pub fn listening_period(self, period: Duration) -> Self {
        self.setting("listening_period", period.as_secs_f64().into())
    }

    /// How often our client asks the broker whether its server is there.
    #[must_use]
    pub fn check_period(self, period: Duration) -> Self {
        self.setting("check_period", period.as_secs_f64().into())
    }

    /// Python's server refuses whoever connects, for this reason.
    #[must_use]
    pub fn refusing(self, reason: &str) -> Self {
        self.setting("refusal", reason.into())
    }

    /// A peer is ready before it is connected, if ever.
    #[must_use]
    pub fn not_waiting(self) -> Self {
        self.setting("wait", false.into())
    }

    /// Where its sides meet, as a connector's state.
    #[must_use]
    pub fn connector(&self) -> String {
        self.connector.to_string()
    }

    fn setting(mut self, name: &str, value: Value) -> Self {
        self.settings.insert(name.to_owned(), value);
        self
    }

    /// A peer that listens or is connected. Every client of a stage has the same id, so a second one is the first
    /// one come back.
    pub async fn start(&self, language: Language, role: Role) -> Peer {
        let mut config = json!({
            "role": format!("{role:?}").to_lowercase(),
            "entity": format!("{:?}", self.entity).to_lowercase(),
            "format": format!("{:?}", self.format).to_lowercase(),
            "connector": self.connector(),
            "client_id": CLIENT,
        });
        config.as_object_mut().expect("it is one").extend(self.settings.clone());
        if let Some([server, client]) = &self.tls {
            config["tls"] = if role == Role::Server { server.clone() } else { client.clone() };
        }
        Peer::start(language, role, &config, self.scratch.path()).await
    }
}
