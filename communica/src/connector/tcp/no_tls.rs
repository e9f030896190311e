//! What stands for TLS where its feature is off: settings that nobody can have.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::super::farewell::Patience;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::connector) enum Tls {}
#[derive(Clone)]
pub(in crate::connector) enum Acceptor {}

pub(in crate::connector) struct Opened {
    pub(in crate::connector) read: OwnedReadHalf,
    pub(in crate::connector) write: OwnedWriteHalf,
    pub(in crate::connector) certificates: Arc<[Bytes]>,
}

impl Tls {
    pub(in crate::connector) fn check_client(&self, _: &str) -> Result<(), String> {
        match *self {}
    }

    pub(in crate::connector) fn acceptor(&self) -> io::Result<Acceptor> {
        match *self {}
    }

    pub(in crate::connector) async fn connect(
        &self,
        _: &str,
        _: TcpStream,
        _: Patience,
    ) -> io::Result<Opened> {
        match *self {}
    }
}

impl Acceptor {
    pub(in crate::connector) async fn accept(&self, _: TcpStream, _: Patience) -> io::Result<Opened> {
        match *self {}
    }
}
