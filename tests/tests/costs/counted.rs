//! A connector like that for local sockets goes in, how often its streams read and wrote comes out. Each is one system
//! call of a real socket; what the runtime waits with is not in it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use communica::stream::{self, StreamIncoming};
use communica::{BoxFuture, Connector, Incoming, Limits, Link, LinkError, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Of both sides together.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// For something to read, whether there is something or not.
    looks: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    /// Those of them that are the client's.
    clients_writes: AtomicU64,
}

/// Of both sides together.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// Those of them that are the client's.
    pub(super) clients_writes: u64,
}

impl Calls {
    /// Since this was asked for the last time.
    pub(super) fn take(&self) -> Counts {
        let [reads, writes, clients_writes] =
            [&self.reads, &self.writes, &self.clients_writes].map(|count| count.swap(0, Relaxed));
        Counts { reads, writes, clients_writes }
    }

    /// The same of looks.
    pub(super) fn take_looks(&self) -> u64 {
        self.looks.swap(0, Relaxed)
    }
}

/// For one server and its clients.
#[derive(Clone, Debug)]
pub(super) struct CountedConnector {
    calls: Arc<Calls>,
    door: UnboundedSender<UnixStream>,
    knocks: Arc<Mutex<UnboundedReceiver<UnixStream>>>,
}

impl CountedConnector {
    pub(super) fn new() -> Self {
        let (door, knocks) = unbounded_channel();
        Self { calls: Arc::default(), door, knocks: Arc::new(Mutex::new(knocks)) }
    }

    pub(super) fn calls(&self) -> Arc<Calls> {
        self.calls.clone()
    }

    fn halves(
        &self,
        stream: UnixStream,
        is_client: bool,
    ) -> (Counted<impl AsyncRead + use<>>, Counted<impl AsyncWrite + use<>>) {
        let (read, write) = stream.into_split();
        let counted = self.calls.clone();
        (
            Counted { half: read, calls: counted.clone(), is_client },
            Counted { half: write, calls: counted, is_client },
        )
    }
}

impl Connector for CountedConnector {
    fn address(&self) -> String {
        "a pair of sockets".to_owned()
    }

    fn dump_state(&self) -> String {
        self.address()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async {
            let (ours, theirs) = UnixStream::pair()?;
            self.door.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            let (read, write) = self.halves(ours, true);
            stream::connect(read, write, hello, limits, self.address()).await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async {
            let (connector, limits) = (self.clone(), limits.clone());
            Ok(Box::new(CountedListener { connector, limits }) as _)
        })
    }
}

struct CountedListener {
    connector: CountedConnector,
    limits: Limits,
}

impl Listener for CountedListener {
    fn dump_state(&self) -> String {
        self.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let knock = self.connector.knocks.lock().await.recv().await;
            let (read, write) = self.connector.halves(knock.ok_or(io::ErrorKind::NotConnected)?, false);
            let incoming = StreamIncoming::new(read, write, self.limits.clone(), self.connector.address());
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        })
    }
}

struct Counted<H> {
    half: H,
    calls: Arc<Calls>,
    is_client: bool,
}

impl<H> Counted<H> {
    fn wrote(&self) {
        self.calls.writes.fetch_add(1, Relaxed);
        self.calls.clients_writes.fetch_add(u64::from(self.is_client), Relaxed);
    }
}

impl<H: AsyncRead + Unpin> AsyncRead for Counted<H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.calls.looks.fetch_add(1, Relaxed);
        let read = ready!(Pin::new(&mut self.half).poll_read(cx, buf));
        self.calls.reads.fetch_add(1, Relaxed);
        Poll::Ready(read)
    }
}

impl<H: AsyncWrite + Unpin> AsyncWrite for Counted<H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.half).poll_write(cx, bytes));
        self.wrote();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.half).poll_write_vectored(cx, pieces));
        self.wrote();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.half.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}
