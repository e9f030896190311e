//! A TCP connection that was accepted goes in; one that speaks as it should comes out, ready for its hello.

use std::io;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::super::farewell::{self, Patience};
use super::super::stream::StreamIncoming;
use super::super::{BoxFuture, Incoming, Link, LinkError, PeerInfo};
use super::{Acceptor, halves};
use crate::limits::Limits;

/// A connection that was accepted. Which way it speaks shows with its first byte; all that takes time is in `hello`.
pub(super) enum Knocking {
    Outside(Box<Outside>),
    Inside(Box<dyn Incoming>),
    /// It failed, or is about to come inside.
    Gone {
        address: String,
    },
}

/// A connection that has not said anything, and what is needed to understand it.
pub(super) struct Outside {
    pub(super) stream: TcpStream,
    pub(super) address: String,
    pub(super) tls: Option<Acceptor>,
    pub(super) limits: Limits,
}

impl Knocking {
    async fn come_inside(&mut self) -> Result<&mut Box<dyn Incoming>, LinkError> {
        let gone = Self::Gone { address: self.address() };
        match std::mem::replace(self, gone) {
            Self::Outside(outside) => *self = Self::Inside(shaken(*outside).await?),
            other => *self = other,
        }
        self.inside()
    }

    fn inside(&mut self) -> Result<&mut Box<dyn Incoming>, LinkError> {
        match self {
            Self::Inside(incoming) => Ok(incoming),
            _ => Err(io::Error::from(io::ErrorKind::NotConnected).into()),
        }
    }
}

/// After TLS's own handshake, where there is TLS.
async fn shaken(outside: Outside) -> Result<Box<dyn Incoming>, LinkError> {
    let Outside { stream, address, tls, limits } = outside;
    let (patience, kind) = (Patience::within(&limits), io::ErrorKind::InvalidData);
    match (speaks_tls(&stream).await?, tls) {
        (false, None) => {
            let (read, write, controls) = halves::split(stream);
            Ok(Box::new(StreamIncoming::new(read, write, limits, address).with_controls(controls)))
        }
        (true, Some(tls)) => {
            let opened = tls.accept(stream, patience).await?;
            let peer = PeerInfo { certificates: opened.certificates, ..PeerInfo::from(address) };
            Ok(Box::new(StreamIncoming::new(opened.read, opened.write, limits, peer)))
        }
        (false, Some(_)) => {
            let reason = "this port speaks TLS, and the client does not: \
                          it needs `TcpConnector::tls`, or `ssl=` in Python";
            Err(farewell::turn_away(stream, kind, reason, patience).await)
        }
        (true, None) => {
            let reason = "the client speaks TLS, and this port does not: \
                          the server needs `TcpConnector::tls`, or the client has to do without";
            Err(farewell::turn_away(stream, kind, reason, patience).await)
        }
    }
}

/// TLS begins with a record of this type, a hello with a brace.
async fn speaks_tls(stream: &TcpStream) -> io::Result<bool> {
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the peer closed the connection before the handshake was complete",
        )),
        _ => Ok(first[0] == HANDSHAKE),
    }
}

impl Incoming for Knocking {
    fn address(&self) -> String {
        match self {
            Self::Outside(outside) => outside.address.clone(),
            Self::Gone { address } => address.clone(),
            Self::Inside(incoming) => incoming.address(),
        }
    }

    fn peer(&self) -> PeerInfo {
        match self {
            Self::Outside(_) | Self::Gone { .. } => self.address().into(),
            Self::Inside(incoming) => incoming.peer(),
        }
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async { self.come_inside().await?.hello().await })
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        match *self {
            Self::Inside(incoming) => incoming.accept(hello),
            _ => Box::pin(async { Err(io::Error::from(io::ErrorKind::NotConnected).into()) }),
        }
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        match *self {
            Self::Inside(incoming) => incoming.refuse(reason),
            _ => Box::pin(async {}),
        }
    }
}
