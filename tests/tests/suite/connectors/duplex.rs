//! A connector as a user of the library may write one: a name goes in, an in-memory pipe of bytes comes out.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use communica::stream::{self, StreamIncoming};
use communica::{BoxFuture, Connector, Incoming, Limits, Link, LinkError, Listener};
use tokio::io::{DuplexStream, duplex, split};
use tokio::sync::mpsc;

type Doors = HashMap<String, mpsc::UnboundedSender<DuplexStream>>;
static DOORS: Mutex<Option<Doors>> = Mutex::new(None);

fn with_doors<T>(work: impl FnOnce(&mut Doors) -> T) -> T {
    work(DOORS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(HashMap::new))
}

#[derive(Clone, Debug)]
pub(super) struct DuplexConnector(String);

impl DuplexConnector {
    pub(super) fn new(name: String) -> Self {
        Self(name)
    }

    pub(super) fn load_state(state: &str) -> Self {
        Self(state.strip_prefix("duplex:").expect("it is the state of a duplex connector").to_owned())
    }
}

impl Connector for DuplexConnector {
    fn address(&self) -> String {
        self.dump_state()
    }

    fn dump_state(&self) -> String {
        format!("duplex:{}", self.0)
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let (ours, theirs) = duplex(64 * 1024);
            let door = with_doors(|doors| doors.get(&self.0).cloned());
            let door = door.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            door.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            let (read, write) = split(ours);
            stream::connect(read, write, hello, limits, self.address()).await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let (door, knocks) = mpsc::unbounded_channel();
            with_doors(|doors| match doors.get(&self.0) {
                Some(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, self.address())),
                None => Ok(doors.insert(self.0.clone(), door)),
            })?;
            Ok(Box::new(DuplexListener { knocks, connector: self.clone(), limits: limits.clone() }) as _)
        })
    }
}

struct DuplexListener {
    knocks: mpsc::UnboundedReceiver<DuplexStream>,
    connector: DuplexConnector,
    limits: Limits,
}

impl Listener for DuplexListener {
    fn dump_state(&self) -> String {
        self.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let knock = self.knocks.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            let (read, write) = split(knock);
            let incoming = StreamIncoming::new(read, write, self.limits.clone(), "a pipe".to_owned());
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        })
    }
}

impl Drop for DuplexListener {
    fn drop(&mut self) {
        with_doors(|doors| doors.remove(&self.connector.0));
    }
}
