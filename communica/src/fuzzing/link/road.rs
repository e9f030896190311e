//! Streams inside one process, as a connector.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::connector::stream::{StreamIncoming, connect};
use crate::connector::{BoxFuture, Connector, Incoming, Link, LinkError, Listener};
use crate::limits::Limits;

/// Bytes under way in one direction, as in a socket's buffer.
const BUFFER: usize = 2048;

/// Those who connect, for who accepts them.
pub(super) type Knocking = UnboundedReceiver<DuplexStream>;

#[derive(Clone, Debug)]
pub(super) struct Road {
    knock: UnboundedSender<DuplexStream>,
    /// For our listener.
    knocking: Arc<Mutex<Option<Knocking>>>,
}

pub(super) fn road() -> (Road, Knocking) {
    let (knock, knocking) = unbounded_channel();
    (Road { knock, knocking: Arc::default() }, knocking)
}

impl Road {
    pub(super) fn listens(&self, knocking: Knocking) {
        *self.knocking.lock().unwrap_or_else(PoisonError::into_inner) = Some(knocking);
    }

    /// A connection that somebody may accept.
    pub(super) fn open(&self) -> io::Result<DuplexStream> {
        let (here, there) = duplex(BUFFER);
        self.knock.send(there).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(here)
    }
}

impl Connector for Road {
    fn address(&self) -> String {
        "a stream".to_owned()
    }

    fn dump_state(&self) -> String {
        String::new()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let (read, write) = split(self.open()?);
            connect(read, write, hello, limits, "a stream").await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        let knocking = self.knocking.lock().unwrap_or_else(PoisonError::into_inner).take();
        let listener = knocking.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse));
        let limits = limits.clone();
        Box::pin(async { Ok(Box::new(Door { knocking: listener?, limits }) as Box<dyn Listener>) })
    }
}

struct Door {
    knocking: Knocking,
    limits: Limits,
}

impl Listener for Door {
    fn dump_state(&self) -> String {
        String::new()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let Some(stream) = self.knocking.recv().await else { return std::future::pending().await };
            let (read, write): (ReadHalf<_>, WriteHalf<_>) = split(stream);
            let incoming = StreamIncoming::new(read, write, self.limits.clone(), "a stream");
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        })
    }
}
