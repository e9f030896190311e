//! What the test wants this process to be.

use communica::{AnyConnector, Limits};
use serde::Deserialize;

use crate::format::Format;

#[derive(Deserialize)]
pub(crate) struct Config {
    pub(crate) role: Role,
    pub(crate) entity: Entity,
    pub(crate) format: Format,
    pub(crate) client_id: String,
    connector: String,
    chunk_size: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Server,
    Client,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Entity {
    Simple,
    Route,
}

impl Config {
    pub(crate) fn connector(&self) -> AnyConnector {
        AnyConnector::load_state(&self.connector).expect("the connector's state can be loaded")
    }

    pub(crate) fn limits(&self) -> Limits {
        match self.chunk_size {
            Some(bytes) => Limits::new().chunk_size(bytes),
            None => Limits::new(),
        }
    }
}
