//! Links over TCP.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use super::stream::{self, StreamIncoming};
use super::{BoxFuture, Connector, Incoming, Link, LinkError, Listener, StateError, state};
use crate::limits::Limits;

const TYPE: &str = "TcpConnector";

/// Reaches a server by host and port. Small messages are not held back (`TCP_NODELAY`), and a peer whose
/// machine is gone is noticed within a minute (keepalive).
///
/// A server listens on every address the host name stands for, as the Python library does; with port 0 the system
/// chooses one, and the server handle's `dump_state` tells it. There is no encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConnector {
    host: String,
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct State {
    host: String,
    port: u16,
    ssl: bool,
}

impl TcpConnector {
    /// A name or an address, and a port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// An ASCII string from which another process makes the same connector.
    #[must_use]
    pub fn dump_state(&self) -> String {
        state::dump(TYPE, &State { host: self.host.clone(), port: self.port, ssl: false })
    }

    /// The connector that a state string describes.
    ///
    /// # Errors
    /// It is no state of a TCP connector, or of one that speaks TLS.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        let state: State = state::load(TYPE, state)?;
        if state.ssl {
            return Err(StateError::new(
                TYPE,
                "it asks for TLS, which needs certificates that a state does not hold",
            ));
        }
        Ok(Self::new(state.host, state.port))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tune(&stream)?;
        Ok(stream)
    }

    async fn bind_all(&self) -> io::Result<TcpListening> {
        let mut listeners: Vec<TcpListener> = Vec::new();
        let (mut port, mut failed) = (self.port, None);
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
                Ok(listener) => {
                    // All addresses get the port that the system chose for the first.
                    port = listener.local_addr()?.port();
                    listeners.push(listener);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                // A name may stand for an address this machine does not have, such as ::1 without IPv6.
                Err(error) => failed = Some(error),
            }
        }
        match (listeners.is_empty(), failed) {
            (true, Some(error)) => Err(error),
            (true, None) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the host name stands for no address"))
            }
            _ => Ok(TcpListening { listeners, connector: Self::new(self.host.clone(), port) }),
        }
    }
}

/// Small messages go at once; and a peer whose machine is gone is noticed within a minute, even by a side that only
/// waits.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

impl Connector for TcpConnector {
    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let (read, write) = self.open().await?.into_split();
            stream::connect(read, write, hello, limits, self.address()).await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listening = self.bind_all().await?;
            Ok(Box::new(TcpServer { listening, limits: limits.clone() }) as Box<dyn Listener>)
        })
    }
}

struct TcpListening {
    listeners: Vec<TcpListener>,
    connector: TcpConnector,
}

struct TcpServer {
    listening: TcpListening,
    limits: Limits,
}

impl Listener for TcpServer {
    fn dump_state(&self) -> String {
        self.listening.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let listeners = &self.listening.listeners;
            let (stream, address) = std::future::poll_fn(|cx| {
                let ready = listeners.iter().find_map(|listener| match listener.poll_accept(cx) {
                    Poll::Ready(accepted) => Some(accepted),
                    Poll::Pending => None,
                });
                ready.map_or(Poll::Pending, Poll::Ready)
            })
            .await?;
            tune(&stream)?;
            let (read, write) = stream.into_split();
            let incoming = StreamIncoming::new(read, write, self.limits.clone(), address.to_string());
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        })
    }
}
