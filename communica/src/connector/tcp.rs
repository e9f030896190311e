//! Links over TCP, with or without TLS.

mod attempt;
mod dialing;
mod halves;
#[cfg(all(test, target_os = "linux"))]
mod keepalive;
mod knocking;
#[cfg(not(feature = "tls"))]
mod no_tls;

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use super::farewell::Patience;
use super::stream;
#[cfg(feature = "tls")]
use super::tls::{Acceptor, Tls};
use super::{BoxFuture, Connector, Incoming, Link, LinkError, Listener, PeerInfo, StateError, state};
use crate::limits::Limits;
use attempt::Attempt;
use dialing::dial;
use knocking::{Knocking, Outside};
#[cfg(not(feature = "tls"))]
use no_tls::{Acceptor, Tls};

const TYPE: &str = "TcpConnector";

/// Where the system chooses the port: one that is free on every address is found within so many.
const PORTS_TRIED: u32 = 16;

/// Reaches a server by host and port. Small messages are not held back (`TCP_NODELAY`), and a peer whose
/// machine is gone is noticed within a minute (keepalive).
///
/// A server listens on every address the host name stands for, as the Python library does; with port 0 the system
/// chooses one, and the server handle's `dump_state` tells it; a client needs that one. A client tries them in the system's order, and the next one when
/// one said no, or nothing for a quarter of a second.
///
/// Whoever can reach the port may connect, and whoever can see the packets may read them, unless the connector has
/// TLS: see `TcpConnector::tls` (feature `tls`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConnector {
    host: String,
    port: u16,
    tls: Option<Tls>,
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
        Self { host: host.into(), port, tls: None }
    }

    /// With TLS: nobody else can read what is said, clients know whom they talk to, and servers too if they
    /// [demand it](Tls::demand_client_certificates). Both sides need it.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// An ASCII string from which another process makes the same connector. That of one with TLS says so, but holds no
    /// certificates and no keys: the other process needs its own.
    #[must_use]
    pub fn dump_state(&self) -> String {
        state::dump(TYPE, &State { host: self.host.clone(), port: self.port, ssl: self.tls.is_some() })
    }

    /// The connector that a state string describes.
    ///
    /// # Errors
    /// It is no state of a TCP connector, or of one with TLS, which is loaded with `load_state_with_tls`.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        let state: State = state::load(TYPE, state)?;
        if state.ssl {
            return Err(StateError::new(
                TYPE,
                "it asks for TLS, and no state holds certificates: \
                 load it with `TcpConnector::load_state_with_tls` (feature `tls`)",
            ));
        }
        Ok(Self::new(state.host, state.port))
    }

    /// The connector with TLS that a state string describes, with this side's own settings.
    ///
    /// # Errors
    /// It is no state of a TCP connector, or of one without TLS: nothing is sent in the open by accident, nor the other
    /// way round.
    #[cfg(feature = "tls")]
    pub fn load_state_with_tls(state: &str, tls: Tls) -> Result<Self, StateError> {
        let state: State = state::load(TYPE, state)?;
        if !state.ssl {
            return Err(StateError::new(TYPE, "it is without TLS: load it with `TcpConnector::load_state`"));
        }
        Ok(Self::new(state.host, state.port).tls(tls))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let stream = dial(lookup_host((self.host.as_str(), self.port)).await?).await?;
        tune(&stream)?;
        Ok(stream)
    }

    async fn listening(&self) -> io::Result<TcpListening> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            // A name may be listed twice.
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let mut tries = 0..PORTS_TRIED;
        loop {
            match self.bind_all(&addresses).await {
                // The port that the system chose for the first address may be taken on another.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && self.port == 0 => {
                    tries.next().ok_or(error)?;
                }
                bound => return bound,
            }
        }
    }

    async fn bind_all(&self, addresses: &[SocketAddr]) -> io::Result<TcpListening> {
        let mut listeners: Vec<TcpListener> = Vec::new();
        let (mut port, mut failed) = (self.port, None);
        for address in addresses {
            let mut address = *address;
            address.set_port(port);
            match TcpListener::bind(address).await {
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
            _ => Ok(TcpListening { listeners, connector: Self { port, ..self.clone() } }),
        }
    }
}

/// Bytes that the system takes before it could send them, of a large message above all: small ones wait behind them.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 * 1024;

/// Small messages go at once, and wait for little; and a peer whose machine is gone is noticed within a minute, even by a side that only
/// waits.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // It may be megabytes, on a slow line for tenths of seconds.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    // On Windows children inherit what is accepted, and keep it open when this process is gone.
    #[cfg(windows)]
    SockRef::from(stream).set_no_inherit(true)?;
    // Windows tries ten times, and only its later versions can be told another number.
    let interval = Duration::from_secs(if cfg!(windows) { 3 } else { 10 });
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(interval);
    #[cfg(not(any(target_os = "openbsd", windows)))]
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

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        if self.port == 0 {
            let what = "port 0 has the system choose one for a server, and nobody can be reached there: take the port that it \
                        chose, or load the state that the server's handle dumps";
            return Err(what.to_owned());
        }
        self.tls.as_ref().map_or(Ok(()), |tls| tls.check_client(&self.host))?;
        Ok(chosen.map(str::to_owned))
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let (tcp, peer) = (self.open().await?, PeerInfo::from(self.address()));
            let attempt = Attempt::new(&tcp)?;
            let Some(tls) = &self.tls else {
                let (read, write, controls) = halves::split(tcp);
                let opened = stream::connect_with(read, write, hello, limits, peer, controls).await;
                attempt.over();
                return opened
                    .map_err(|error| advised(error, "does it speak TLS there (`TcpConnector::tls`)?"));
            };
            let opened = tls.connect(&self.host, tcp, Patience::within(limits)).await?;
            let peer = PeerInfo { certificates: opened.certificates, ..peer };
            let opened = stream::connect(opened.read, opened.write, hello, limits, peer).await;
            attempt.over();
            // With TLS 1.3 a server looks at the client's certificate when the client has done its part.
            opened.map_err(|error| {
                advised(error, "it may not accept this client's certificate, or demand one (`Tls::identity`)")
            })
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let tls = self.tls.as_ref().map(Tls::acceptor).transpose()?;
            let listening = self.listening().await?;
            Ok(Box::new(TcpServer { listening, tls, limits: limits.clone() }) as Box<dyn Listener>)
        })
    }
}

/// Python's servers hang up on clients that they do not accept, without a word.
fn advised(error: LinkError, advice: &str) -> LinkError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        LinkError::Io(error)
            if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) =>
        {
            let what = format!("the server hung up before the handshake was complete: {advice}");
            io::Error::new(error.kind(), what).into()
        }
        other => other,
    }
}

struct TcpListening {
    listeners: Vec<TcpListener>,
    connector: TcpConnector,
}

struct TcpServer {
    listening: TcpListening,
    tls: Option<Acceptor>,
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
            // A stranger may have hung up already, which is no reason to accept others later.
            let _ = tune(&stream);
            let (tls, limits) = (self.tls.clone(), self.limits.clone());
            let incoming = Outside { stream, address: address.to_string(), tls, limits };
            Ok(Box::new(Knocking::Outside(Box::new(incoming))) as Box<dyn Incoming>)
        })
    }
}
