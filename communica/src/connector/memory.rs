//! Links inside one process: for tests, mocks, and parts of a program that may move out one day.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

use super::{
    BoxFuture, Connector, Incoming, Link, LinkError, LinkRx, LinkTx, Listener, PeerInfo, Received,
    StateError, state,
};
use crate::limits::Limits;
use crate::wire::{Batch, Item, Message, WireError};

const TYPE: &str = "MemoryConnector";
/// Messages under way in one direction; more wait in the sender's queue.
const UNDER_WAY: usize = 1024;
/// Connections that wait to be accepted; more attempts are refused, as on a socket.
const BACKLOG: usize = 128;

type Servers = HashMap<String, mpsc::Sender<Knock>>;
static SERVERS: Mutex<Option<Servers>> = Mutex::new(None);

fn with_servers<T>(work: impl FnOnce(&mut Servers) -> T) -> T {
    work(lock(&SERVERS).get_or_insert_with(HashMap::new))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing below panics with the lock held; and if it did, the queues would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaches a server in the same process by name (feature `memory`). Nothing is copied and no system call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryConnector {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    name: String,
}

impl MemoryConnector {
    /// A name for the server, unique in this process.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// A connector with a name that nothing else in this process has.
    #[must_use]
    pub fn unique() -> Self {
        Self::new(crate::random::hex(16))
    }

    /// An ASCII string from which another part of this process makes the same connector.
    #[must_use]
    pub fn dump_state(&self) -> String {
        state::dump(TYPE, &State { name: self.name.clone() })
    }

    /// The connector that a state string describes. Good in the same process only.
    ///
    /// # Errors
    /// It is no state of a memory connector.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        state::load(TYPE, state).map(|State { name }| Self::new(name))
    }
}

impl Connector for MemoryConnector {
    fn address(&self) -> String {
        format!("memory:{}", self.name)
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let busy =
                || io::Error::new(io::ErrorKind::WouldBlock, "too many clients wait to be let in there");
            let nobody =
                || io::Error::new(io::ErrorKind::ConnectionRefused, "no server listens under this name");
            let server = with_servers(|servers| servers.get(&self.name).cloned());
            let server = server.ok_or_else(|| LinkError::NobodyThere(nobody()))?;
            let (answer, answered) = oneshot::channel();
            let (ours, theirs) = pair();
            let knock = Knock { hello: Bytes::copy_from_slice(hello), ends: theirs, answer };
            server.try_send(knock).map_err(|failed| match failed {
                TrySendError::Full(_) => busy(),
                TrySendError::Closed(_) => nobody(),
            })?;
            match answered.await {
                Ok(Ok(hello)) => Ok(ours.link(hello, self.address(), limits)),
                Ok(Err(reason)) => Err(LinkError::Refused(reason)),
                Err(_) => Err(gone("the server ended before it let the client in").into()),
            }
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            with_servers(|servers| {
                if servers.get(&self.name).is_some_and(|server| !server.is_closed()) {
                    let what = format!("address in use: a server already listens at {}", self.address());
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
                }
                let (tx, knocks) = mpsc::channel(BACKLOG);
                servers.insert(self.name.clone(), tx);
                Ok(Box::new(MemoryServer { connector: self.clone(), knocks, limits: limits.clone() })
                    as Box<dyn Listener>)
            })
        })
    }
}

fn gone(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// A client at the door.
struct Knock {
    hello: Bytes,
    ends: Ends,
    answer: oneshot::Sender<Result<Bytes, String>>,
}

struct MemoryServer {
    connector: MemoryConnector,
    knocks: mpsc::Receiver<Knock>,
    limits: Limits,
}

/// A client that was let in to say who it is.
struct Visitor {
    knock: Knock,
    limits: Limits,
}

impl Listener for MemoryServer {
    fn dump_state(&self) -> String {
        self.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let knock = self.knocks.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            Ok(Box::new(Visitor { knock, limits: self.limits.clone() }) as Box<dyn Incoming>)
        })
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        self.knocks.close();
        with_servers(|servers| servers.retain(|_, server| !server.is_closed()));
    }
}

impl Incoming for Visitor {
    fn address(&self) -> String {
        "this process".to_owned()
    }

    fn peer(&self) -> PeerInfo {
        self.address().into()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async { Ok(self.knock.hello.clone()) })
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let gone = |_| LinkError::Io(gone("the client gave up before it was let in"));
            let Self { knock, limits } = *self;
            knock.answer.send(Ok(Bytes::copy_from_slice(hello))).map_err(gone)?;
            Ok(knock.ends.link(knock.hello, "this process".to_owned(), &limits))
        })
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _ = self.knock.answer.send(Err(reason.to_owned()));
        })
    }
}

/// What one side holds of the two queues.
struct Ends {
    tx: MemoryTx,
    rx: MemoryRx,
}

impl Ends {
    fn link(mut self, hello: Bytes, address: String, limits: &Limits) -> Link {
        self.rx.limit = limits.message_size;
        Link::new(self.tx, self.rx, hello, address)
    }
}

fn pair() -> (Ends, Ends) {
    let (one, other) = (Arc::new(Mutex::new(Queue::default())), Arc::new(Mutex::new(Queue::default())));
    let ends = |out: &Shared, back: &Shared| Ends {
        tx: MemoryTx(out.clone()),
        rx: MemoryRx { queue: back.clone(), limit: 0 },
    };
    (ends(&one, &other), ends(&other, &one))
}

type Shared = Arc<Mutex<Queue>>;

/// One direction.
#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// One of the two sides is gone.
    over: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

struct MemoryTx(Shared);
struct MemoryRx {
    queue: Shared,
    /// Bytes of a message that are accepted.
    limit: usize,
}

impl LinkTx for MemoryTx {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let mut queue = lock(&self.0);
        if queue.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while queue.items.len() < UNDER_WAY {
            let Some(item) = batch.next_item() else { break };
            queue.items.push_back(item);
        }
        let receiver = queue.receiver.take();
        let done = batch.is_empty();
        if !done {
            queue.sender = Some(cx.waker().clone());
        }
        drop(queue);
        wake(receiver);
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        false
    }
}

impl LinkRx for MemoryRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let mut queue = lock(&self.queue);
        let mut came = false;
        while let Some(item) = queue.items.pop_front() {
            match item {
                Item::Message { payload, .. } if payload.len() > self.limit => {
                    let (size, limit) = (payload.len() as u64, self.limit);
                    return Poll::Ready(Err(WireError::TooLarge { size, limit }.into()));
                }
                Item::Message { metadata, payload, .. } => {
                    into.push(Message::parse(metadata, payload)?);
                    came = true;
                }
                Item::Close { reason } if came => {
                    queue.items.push_front(Item::Close { reason });
                    break;
                }
                Item::Close { reason } => return Poll::Ready(Ok(Received::Closed { reason })),
            }
        }
        if !came && queue.over {
            let what = "the peer went away without a word";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into()));
        }
        if !came {
            queue.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let sender = queue.sender.take();
        drop(queue);
        wake(sender);
        Poll::Ready(Ok(Received::Messages))
    }
}

impl Drop for MemoryTx {
    fn drop(&mut self) {
        end(&self.0);
    }
}

impl Drop for MemoryRx {
    fn drop(&mut self) {
        end(&self.queue);
    }
}

/// What is under way can still be received.
fn end(queue: &Shared) {
    let mut queue = lock(queue);
    queue.over = true;
    let wakers = [queue.sender.take(), queue.receiver.take()];
    drop(queue);
    wakers.into_iter().for_each(wake);
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
