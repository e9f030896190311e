//! What a pair of peers has in common: road, entity and format.

use serde_json::{Value, json};

use crate::scratch::free_port;
use crate::{Peer, Scratch};

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

/// Where one test plays. Keep it as long as its peers: it owns their folder.
#[derive(Debug)]
pub struct Stage {
    scratch: Scratch,
    connector: Value,
    entity: Entity,
    format: Format,
    chunk_size: Option<usize>,
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
        Self { scratch: Scratch::new(), connector, entity, format, chunk_size: None }
    }

    /// Route entities and JSON over a local socket.
    #[must_use]
    pub fn usual() -> Self {
        Self::new(Road::Local, Entity::Route, Format::Orjson)
    }

    /// Both sides send messages above this size in pieces.
    #[must_use]
    pub fn chunk_size(self, bytes: usize) -> Self {
        Self { chunk_size: Some(bytes), ..self }
    }

    /// A peer that listens or is connected. Every client of a stage has the same id, so a second one is the first
    /// one come back.
    pub async fn start(&self, language: Language, role: Role) -> Peer {
        let config = json!({
            "role": format!("{role:?}").to_lowercase(),
            "entity": format!("{:?}", self.entity).to_lowercase(),
            "format": format!("{:?}", self.format).to_lowercase(),
            "connector": self.connector.to_string(),
            "client_id": "w1",
            "chunk_size": self.chunk_size,
        });
        Peer::start(language, role, &config, self.scratch.path()).await
    }
}
