//! What the test wants this process to be.

use std::time::Duration;

use communica::{AnyConnector, Limits, RmqConnector};
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
    // Seconds.
    listening_period: Option<f64>,
    check_period: Option<f64>,
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
        match RmqConnector::load_state(&self.connector) {
            Ok(connector) => AnyConnector::new(self.at_a_pace(connector)),
            Err(_) => AnyConnector::load_state(&self.connector).expect("the connector's state can be loaded"),
        }
    }

    fn at_a_pace(&self, mut connector: RmqConnector) -> RmqConnector {
        if let Some(seconds) = self.listening_period {
            connector = connector.listening_period(Duration::from_secs_f64(seconds));
        }
        if let Some(seconds) = self.check_period {
            connector = connector.check_period(Duration::from_secs_f64(seconds));
        }
        connector
    }

    pub(crate) fn limits(&self) -> Limits {
        match self.chunk_size {
            Some(bytes) => Limits::new().chunk_size(bytes),
            None => Limits::new(),
        }
    }
}
