//! What the test wants this process to be.

use std::path::PathBuf;
use std::time::Duration;

use communica::{AnyConnector, Limits, LocalConnector, RmqConnector, TcpConnector, Tls};
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
    message_size: Option<usize>,
    // Seconds.
    listening_period: Option<f64>,
    check_period: Option<f64>,
    connect_timeout: Option<f64>,
    tls: Option<TlsFiles>,
    /// Users who may be at the other end of a local socket.
    allow_users: Option<Vec<u32>>,
}

/// Settings for TLS, as files in PEM.
#[derive(Deserialize)]
struct TlsFiles {
    trust: PathBuf,
    chain: Option<PathBuf>,
    key: Option<PathBuf>,
    demand: bool,
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
        const LOADS: &str = "the connector's state can be loaded";
        if let Some(files) = &self.tls {
            let connector = TcpConnector::load_state_with_tls(&self.connector, files.load());
            return AnyConnector::new(connector.expect(LOADS));
        }
        if let Some(users) = &self.allow_users {
            let connector = LocalConnector::load_state(&self.connector).expect(LOADS);
            return AnyConnector::new(allowing(connector, users));
        }
        match RmqConnector::load_state(&self.connector) {
            Ok(connector) => AnyConnector::new(self.at_a_pace(connector)),
            Err(_) => AnyConnector::load_state(&self.connector).expect(LOADS),
        }
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(Duration::from_secs(30), Duration::from_secs_f64)
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
        let mut limits = Limits::new();
        if let Some(bytes) = self.chunk_size {
            limits = limits.chunk_size(bytes);
        }
        if let Some(bytes) = self.message_size {
            limits = limits.message_size(bytes);
        }
        limits
    }
}

#[cfg(unix)]
fn allowing(connector: LocalConnector, users: &[u32]) -> LocalConnector {
    connector.allow_users(users.iter().copied())
}

#[cfg(not(unix))]
fn allowing(_: LocalConnector, users: &[u32]) -> LocalConnector {
    panic!("users can be allowed on Unix only, not {users:?} here")
}

impl TlsFiles {
    fn load(&self) -> Tls {
        let tls = Tls::new().trust_file(&self.trust).expect("the authority can be read");
        let tls = match (&self.chain, &self.key) {
            (Some(chain), Some(key)) => tls.identity_files(chain, key).expect("the identity can be read"),
            _ => tls,
        };
        if self.demand { tls.demand_client_certificates() } else { tls }
    }
}
