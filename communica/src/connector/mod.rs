//! Roads: a file per way to reach a peer. They carry whole messages, in batches; they know no ids, routes or formats.
//!
//! Adding one of your own takes an implementation of [`Connector`], [`Listener`] and [`Incoming`], and a [`Link`]
//! made of a [`LinkTx`] and a [`LinkRx`]. What these give may get more fields and variants one day, so it is made by
//! functions, as [`Link::new`], and matched with `..`. Where the road is a byte stream, the module
//! `stream` (a feature) does all but opening it.

mod any;
#[cfg(any(all(feature = "local", unix), feature = "tcp"))]
mod farewell;
#[cfg(feature = "faults")]
mod faults;
#[cfg(feature = "local")]
mod local;
#[cfg(feature = "memory")]
mod memory;
mod peer_info;
mod process;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod reasons;
#[cfg(all(any(feature = "local", feature = "tcp"), unix))]
mod socket;
#[cfg_attr(
    not(any(feature = "local", feature = "tcp", feature = "memory", feature = "rabbitmq")),
    allow(dead_code)
)]
mod state;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(feature = "tcp")]
mod tcp;
#[cfg(feature = "tls")]
mod tls;

pub use any::AnyConnector;
#[cfg(feature = "faults")]
pub use faults::{FaultConnector, Faults};
#[cfg(feature = "local")]
pub use local::LocalConnector;
#[cfg(feature = "memory")]
pub use memory::MemoryConnector;
pub use peer_info::PeerInfo;
pub(crate) use process::Process;
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RmqConnector;
pub(crate) use reasons::*;
pub use state::StateError;
#[cfg(feature = "tcp")]
pub use tcp::TcpConnector;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::limits::Limits;
use crate::wire::{Batch, Message, WireError};

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to reach a peer: a road, in these docs. The same value serves both sides: servers listen on it, clients connect to it.
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Where it leads, for logs and errors. No secrets.
    fn address(&self) -> String;

    /// An ASCII string from which another process makes the same connector, see
    /// [`AnyConnector::load_state`]. It may hold secrets.
    fn dump_state(&self) -> String;

    /// The id of a client that connects here: usually what the client's builder was given, or `None` for one by chance.
    ///
    /// # Errors
    /// Connecting is of no use, and why: a setting is missing or wrong.
    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        Ok(chosen.map(str::to_owned))
    }

    /// Opens a link and does the client's half of the handshake: sends `hello` (a JSON object) and waits for the
    /// server's.
    ///
    /// Dropping the future gives the attempt up. The caller limits the time.
    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>>;

    /// Starts to listen.
    ///
    /// # Errors
    /// The address is in use or cannot be used.
    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;
}

/// A listening connector. Dropping it ends the listening and gives the address free.
pub trait Listener: Send {
    /// State of a connector that reaches this listener: as [`Connector::dump_state`], with what the system chose
    /// (such as the port, where 0 was asked for).
    fn dump_state(&self) -> String;

    /// The next connection. Cancel safe: no connection is lost when the future is dropped.
    ///
    /// # Errors
    /// This attempt failed; the next may succeed. `ConnectionAborted` and `ConnectionReset` say that one was over before it was accepted,
    /// which is not worth a warning.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>>;
}

/// A connection that has not said who it is.
pub trait Incoming: Send {
    /// Where it comes from, for logs.
    fn address(&self) -> String;

    /// Who it is, as far as the connector tells. Asked after the hello came.
    fn peer(&self) -> PeerInfo;

    /// What becomes of the messages that its link will take, see [`LinkTx::delivery`].
    fn delivery(&self) -> Delivery {
        Delivery::Direct
    }

    /// Waits for the client's hello, a JSON object. The caller limits the time.
    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>>;

    /// Does what takes time, before the client's earlier link is ended, if it has one. A link with a store sends `hello`
    /// here, and makes sure that the client is still there. [`accept`](Self::accept) follows, when that other link has
    /// ended; or [`refuse`](Self::refuse). By default there is nothing to do.
    ///
    /// # Errors
    /// This does not become a link.
    fn prepare<'a>(&'a mut self, hello: &'a [u8]) -> BoxFuture<'a, Result<(), LinkError>> {
        let _ = hello;
        Box::pin(async { Ok(()) })
    }

    /// Sends the server's hello, if that was not done; the link is open.
    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>>;

    /// Turns the client away. It is told the reason.
    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()>;
}

/// An open connection to one peer, after the handshake.
#[non_exhaustive]
pub struct Link {
    /// Where messages go out.
    pub tx: Box<dyn LinkTx>,
    /// Where messages come in.
    pub rx: Box<dyn LinkRx>,
    /// What the peer said in the handshake, a JSON object.
    pub hello: Bytes,
    /// Who is at the other end, as far as the connector tells.
    pub peer: PeerInfo,
}

impl Link {
    /// The two halves, what the peer said in the handshake (a JSON object), and who it is: an address will do.
    pub fn new(
        tx: impl LinkTx + 'static,
        rx: impl LinkRx + 'static,
        hello: impl Into<Bytes>,
        peer: impl Into<PeerInfo>,
    ) -> Self {
        Self { tx: Box::new(tx), rx: Box::new(rx), hello: hello.into(), peer: peer.into() }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// The outgoing half of a link.
pub trait LinkTx: Send {
    /// Sends what is in the batch and takes it out, front to back; `Ready(Ok)` means that the batch is empty.
    ///
    /// Must not block. `Pending` means that the waker of the last call will be woken when more can be sent; the next
    /// call may come with another waker, and earlier than that. What stays in the batch is repeated on the next
    /// link, so a message may be taken out only when all of it went out.
    ///
    /// # Errors
    /// The link is broken. The kind `InvalidInput` says that the store of this link does not accept the message in front: after three
    /// links that ended so, that message is given up.
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>>;

    /// Ends the link after everything sent has gone out. The close notify, if there was one, was in a batch.
    ///
    /// # Errors
    /// The link is broken.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// True if the link wants large messages in chunks (as a stream does, where nothing overtakes); false if it
    /// carries whole messages, taken with [`Batch::next_item`].
    fn in_chunks(&self) -> bool;

    /// What becomes of the messages that this link took. [`Delivery::Direct`] unless it says otherwise.
    fn delivery(&self) -> Delivery {
        Delivery::Direct
    }

    /// For a link with a store: how many of the messages it took, counted from the first, are in the store for good,
    /// whenever that changed. Close notifies do not count. `Pending` wakes when it changes.
    ///
    /// Polled whenever the link is looked after, so it is also the place for what the link does by itself.
    ///
    /// # Errors
    /// The link is broken.
    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let _ = cx;
        Poll::Pending
    }
}

/// What becomes of the messages that a link took, when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// They go straight to the peer. When the link ends, nobody knows what it had of them.
    Direct,
    /// They go to a store, which hands them to the peer sooner or later, whatever becomes of this link. Calls go on
    /// over the end of such a link; what was not confirmed by then is repeated on the next. Made by [`Delivery::stored`].
    #[non_exhaustive]
    Stored {
        /// The store has nothing of what was confirmed on earlier links: calls without an answer are repeated.
        fresh: bool,
        /// The store forgets a request of no more than so many bytes, with its metadata, as soon as the peer has it; 0 where it
        /// forgets none. Those without an answer are repeated on the next link: perhaps it leads to another process.
        hands_over: usize,
    },
}

impl Delivery {
    /// A store that still has what was confirmed on earlier links, and forgets no request that has no answer.
    #[must_use]
    pub const fn stored() -> Self {
        Self::Stored { fresh: false, hands_over: 0 }
    }

    /// The same store, which has nothing of what was confirmed on earlier links, or has it: calls without an answer are repeated if
    /// it has nothing. Means nothing without a store.
    #[must_use]
    pub const fn fresh(self, fresh: bool) -> Self {
        match self {
            Self::Stored { hands_over, .. } => Self::Stored { fresh, hands_over },
            Self::Direct => Self::Direct,
        }
    }

    /// The same store, which forgets a request of no more than so many bytes, with its metadata, as soon as the peer has it. Means
    /// nothing without a store.
    #[must_use]
    pub const fn hands_over(self, bytes: usize) -> Self {
        match self {
            Self::Stored { fresh, .. } => Self::Stored { fresh, hands_over: bytes },
            Self::Direct => Self::Direct,
        }
    }
}

/// The incoming half of a link.
pub trait LinkRx: Send {
    /// Appends the messages that have come, at least one, or says that the peer goes away. Cancel safe. Whoever asks has to
    /// handle what it was given: nothing brings it again, but for what has a receipt that was not settled.
    ///
    /// # Errors
    /// The link is broken, or the peer sent something that is not the wire. The link cannot be used any more.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>>;

    /// A number that changes whenever something came, be it a part of a message: a sign that the peer lives. A link that
    /// always brings whole messages need not tell.
    fn activity(&self) -> u64 {
        0
    }

    /// Told before a turn with `on`: [`poll_recv`](Self::poll_recv) is called again and again from now on, `Pending` or not, so nobody has to
    /// be woken when something comes. Without: from now on its `Pending` wakes as usual.
    ///
    /// Does nothing by default; it is for links that are cheaper to look at than to be woken by.
    fn busy_poll(&mut self, on: bool) {
        let _ = on;
    }
}

/// What came over a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// At least one message.
    Messages,
    /// The peer goes away on purpose. Nothing follows. Made by [`Received::closed`].
    #[non_exhaustive]
    Closed {
        /// What it said about it.
        reason: Option<String>,
    },
}

impl Received {
    /// The peer goes away on purpose, and what it said about it.
    #[must_use]
    pub fn closed(reason: Option<String>) -> Self {
        Self::Closed { reason }
    }
}

/// Why a link could not be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nobody listens there, and the system is sure of it: the process that did is gone. Where something in between may
    /// have said so, as with TCP, it is [`LinkError::Io`].
    #[error(transparent)]
    NobodyThere(io::Error),
    /// The peer sent something that is not the wire.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The peer turned this side away in the handshake, and said why.
    #[error("the peer refused: {0}")]
    Refused(String),
}
