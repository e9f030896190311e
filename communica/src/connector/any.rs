//! A connector whose kind is known only when the program runs.

use std::io;
use std::sync::Arc;

use super::{BoxFuture, Connector, Link, LinkError, Listener, StateError, state};
use crate::limits::Limits;

/// Any connector, as it comes out of a state string or a configuration. Cheap to clone.
///
/// ```
/// # #[cfg(feature = "tcp")] {
/// use communica::{AnyConnector, Connector, TcpConnector};
///
/// let state = TcpConnector::new("localhost", 16161).dump_state();
/// let connector = AnyConnector::load_state(&state)?;
/// assert_eq!(connector.address(), "localhost:16161");
/// # }
/// # Ok::<(), communica::StateError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnyConnector(Arc<dyn Connector>);

impl AnyConnector {
    /// Any connector behind one type.
    #[must_use]
    pub fn new(connector: impl Connector) -> Self {
        Self(Arc::new(connector))
    }

    /// An ASCII string from which another process makes the same connector.
    #[must_use]
    pub fn dump_state(&self) -> String {
        self.0.dump_state()
    }

    /// The connector that a state string describes, whatever its kind. One with TLS needs certificates, which no state
    /// holds: it is loaded with `TcpConnector::load_state_with_tls`, and may then become an `AnyConnector`.
    ///
    /// # Errors
    /// It is no state string, it asks for TLS, or its kind is a Cargo feature that is not on.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        const WANTED: &str = "connector";
        match state::tag(WANTED, state)?.as_str() {
            #[cfg(feature = "local")]
            "LocalConnector" => super::LocalConnector::load_state(state).map(Self::new),
            #[cfg(feature = "tcp")]
            "TcpConnector" => super::TcpConnector::load_state(state).map(Self::new),
            #[cfg(feature = "memory")]
            "MemoryConnector" => super::MemoryConnector::load_state(state).map(Self::new),
            #[cfg(feature = "rabbitmq")]
            "RABBITMQ" => super::RmqConnector::load_state(state).map(Self::new),
            other => {
                let why = match feature_of(other) {
                    Some(feature) => format!("needs communica's Cargo feature `{feature}`"),
                    None => "this version of communica does not know".to_owned(),
                };
                let known_as = state::known_as(other);
                Err(StateError::new(WANTED, format!("it is that of a {known_as}, which {why}")))
            }
        }
    }
}

/// What has to be on for a connector of this kind, if there is any.
fn feature_of(kind: &str) -> Option<&'static str> {
    match kind {
        "LocalConnector" => Some("local"),
        "TcpConnector" => Some("tcp"),
        "MemoryConnector" => Some("memory"),
        "RABBITMQ" => Some("rabbitmq"),
        _ => None,
    }
}

impl Connector for AnyConnector {
    fn address(&self) -> String {
        self.0.address()
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        self.0.client_id(chosen)
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        self.0.connect(hello, limits)
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        self.0.listen(limits)
    }
}
