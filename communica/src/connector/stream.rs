//! Any byte stream → a link: the handshake, then frames.
//!
//! A connector over a stream of its own opens it, splits it and calls [`connect`], or wraps it in a
//! [`StreamIncoming`]: this is all of one.
//!
//! ```
//! use std::io;
//!
//! use communica::stream::{self, StreamIncoming};
//! use communica::{BoxFuture, Connector, Incoming, Limits, Link, LinkError, Listener, RouteClient, RouteServer, RouteTable};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! #[derive(Clone, Debug)]
//! struct Plain(u16);
//!
//! impl Connector for Plain {
//!     fn address(&self) -> String {
//!         format!("port {}", self.0)
//!     }
//!
//!     fn dump_state(&self) -> String {
//!         self.0.to_string()
//!     }
//!
//!     fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
//!         Box::pin(async move {
//!             let (read, write) = TcpStream::connect(("127.0.0.1", self.0)).await?.into_split();
//!             stream::connect(read, write, hello, limits, self.address()).await
//!         })
//!     }
//!
//!     fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
//!         Box::pin(async move {
//!             let listener = TcpListener::bind(("127.0.0.1", self.0)).await?;
//!             Ok(Box::new(Listens { listener, limits: limits.clone() }) as Box<dyn Listener>)
//!         })
//!     }
//! }
//!
//! struct Listens {
//!     listener: TcpListener,
//!     limits: Limits,
//! }
//!
//! impl Listener for Listens {
//!     fn dump_state(&self) -> String {
//!         self.listener.local_addr().map(|address| address.port().to_string()).unwrap_or_default()
//!     }
//!
//!     fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
//!         Box::pin(async {
//!             let (stream, address) = self.listener.accept().await?;
//!             let (read, write) = stream.into_split();
//!             let incoming = StreamIncoming::new(read, write, self.limits.clone(), address.to_string());
//!             Ok(Box::new(incoming) as Box<dyn Incoming>)
//!         })
//!     }
//! }
//!
//! # #[cfg(feature = "json")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let routes = RouteTable::new().route("double", |number: i64| 2 * number);
//! let server = RouteServer::new(Plain(0), routes).start().await?;
//! let client = RouteClient::connect(Plain(server.dump_state().parse()?)).await?;
//! assert_eq!(client.request::<_, i64>("double", &21).await?, 42);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "json"))]
//! # fn main() {}
//! ```

mod depth;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{BoxFuture, Incoming, Link, LinkError, LinkRx, LinkTx, PeerInfo, Received};
use crate::company::Company;
use crate::limits::Limits;
use crate::turns::{let_all_others_first, let_others_first};
use crate::wire::hello::{self, Opening};
use crate::wire::{Batch, Decoder, Kind, Message, Received as Wire};
use depth::Depth;
pub(crate) use depth::Depths;

/// A buffer starts with this much room, all that an idle link keeps …
const MIN_READ: usize = 1024;
/// … doubles up to this, while reads fill it …
const MAX_READ: usize = 64 * 1024;
/// … and starts again after so many reads that did not fill an eighth of it.
const SMALL_READS: u32 = 8;
/// Of an announced frame, this much is reserved at first, …
const FIRST_AHEAD: usize = 256 * 1024;
/// … and then so many times what came of it.
const AHEAD_FACTOR: usize = 16;
/// Bytes of large messages that are read before others get a turn, the other half of the link among them: more than a
/// socket holds where nobody set it otherwise, so that a turn that is over mostly finds nothing more.
const READ_PER_TURN: usize = 512 * 1024;
/// The same where small ones overtake them, which wait for a turn to end on both sides. Only where the stream holds little: elsewhere what is
/// not read piles up in front of the small ones.
const READ_PER_SHORT_TURN: usize = MAX_READ;

/// What can be done with streams of a kind, beside reading and writing.
pub(crate) struct Controls<R, W: 'static> {
    /// Setting how much the system holds.
    pub(crate) depths: Option<&'static Depths<W>>,
    /// Telling it that it is polled again and again from now on, or not any more: see [`LinkRx::busy_poll`].
    pub(crate) busy_poll: Option<fn(&mut R, bool)>,
}

impl<R, W> Default for Controls<R, W> {
    fn default() -> Self {
        Self { depths: None, busy_poll: None }
    }
}

/// The client's half of the handshake over the two halves of a stream.
///
/// # Errors
/// The stream broke, the server refused, or what it sent is no hello.
pub async fn connect<R, W>(
    read: R,
    write: W,
    hello: &[u8],
    limits: &Limits,
    peer: impl Into<PeerInfo>,
) -> Result<Link, LinkError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    connect_with(read, write, hello, limits, peer.into(), Controls::default()).await
}

/// The same where more can be done with the stream.
pub(crate) async fn connect_with<R, W>(
    mut read: R,
    mut write: W,
    hello: &[u8],
    limits: &Limits,
    peer: PeerInfo,
    controls: Controls<R, W>,
) -> Result<Link, LinkError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut input = BytesMut::new();
    // A server that refuses may close before it read anything: what it said counts more than the failed write.
    let written = send_hello(&mut write, hello).await;
    let theirs = match read_hello(&mut read, &mut input, check_language).await {
        // That the data is bad is something it said, too: TLS tells so of a refused certificate.
        Err(LinkError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(written.err().unwrap_or(error).into());
        }
        other => other?,
    };
    Ok(link(read, write, input, theirs, limits, peer, controls))
}

/// A stream that a listener accepted.
pub struct StreamIncoming<R, W: 'static> {
    read: R,
    write: W,
    input: BytesMut,
    hello: Bytes,
    limits: Limits,
    peer: PeerInfo,
    controls: Controls<R, W>,
}

impl<R, W> StreamIncoming<R, W> {
    /// The two halves of the stream, and who is at the other end.
    pub fn new(read: R, write: W, limits: Limits, peer: impl Into<PeerInfo>) -> Self {
        let (input, hello, peer) = (BytesMut::new(), Bytes::new(), peer.into());
        Self { read, write, input, hello, limits, peer, controls: Controls::default() }
    }

    /// The same where more can be done with the stream.
    #[cfg(any(all(unix, feature = "local"), feature = "tcp"))]
    pub(crate) fn with_controls(self, controls: Controls<R, W>) -> Self {
        Self { controls, ..self }
    }
}

/// Without the hello, which may hold a token.
impl<R, W> fmt::Debug for StreamIncoming<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamIncoming").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<R, W> Incoming for StreamIncoming<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn address(&self) -> String {
        self.peer.address.clone()
    }

    fn peer(&self) -> PeerInfo {
        self.peer.clone()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async {
            let hello = read_hello(&mut self.read, &mut self.input, |_| Ok(())).await;
            self.hello = hello.map_err(|error| match error {
                // Whoever looks whether somebody listens does that.
                LinkError::Io(error)
                    if self.input.is_empty() && error.kind() == io::ErrorKind::UnexpectedEof =>
                {
                    io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string()).into()
                }
                other => other,
            })?;
            Ok(self.hello.clone())
        })
    }

    fn accept<'a>(mut self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            send_hello(&mut self.write, hello).await?;
            let Self { read, write, input, hello, limits, peer, controls } = *self;
            Ok(link(read, write, input, hello, &limits, peer, controls))
        })
    }

    fn refuse<'a>(mut self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // It is turned away either way.
            let _ = self.write.write_all(&hello::encode_refusal(reason)).await;
            let _ = self.write.shutdown().await;
        })
    }
}

async fn send_hello(write: &mut (impl AsyncWrite + Unpin), text: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text);
    bytes.push(hello::END);
    write.write_all(&bytes).await?;
    write.flush().await
}

/// Whether a server's first bytes may be a hello or a refusal. What looks like TLS is left to who knows whether it should be.
fn check_language(input: &[u8]) -> io::Result<()> {
    /// Content types of TLS records: alert, handshake (RFC 8446, B.1).
    const TLS: [u8; 2] = [21, 22];
    /// Bytes of an answer that are told.
    const QUOTED: usize = 40;
    let first = input.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_none_or(|&first| first == b'{' || first == hello::REFUSED || TLS.contains(&first)) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&input[..input.len().min(QUOTED)]);
    let what = format!("what listens there does not speak communica: it said {said:?}");
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// `check`: looks at the beginning of it.
async fn read_hello(
    read: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    check: impl Fn(&[u8]) -> io::Result<()>,
) -> Result<Bytes, LinkError> {
    let mut seen = 0;
    loop {
        // Looking at all of it again for each byte of a slow peer would be work without end.
        if input[seen..].contains(&hello::END) || input.len() > hello::MAX_LEN {
            if let Opening::Hello(text, taken) = hello::opening(input)? {
                let text = Bytes::copy_from_slice(text);
                // An idle link must not keep the room that a long hello took.
                *input = BytesMut::from(&input[taken..]);
                return Ok(text);
            }
        }
        seen = input.len();
        input.reserve(1024);
        let read = read.read_buf(input).await;
        check(input)?;
        if matches!(read, Ok(0) | Err(_)) {
            // 0x04 and a reason may stand before the end; a reset counts as one.
            return Err(match (hello::refusal(input), read) {
                (Some(reason), _) => LinkError::Refused(reason),
                (None, Err(error)) => error.into(),
                (None, Ok(_)) => {
                    let what = "the peer closed the connection before the handshake was complete";
                    io::Error::new(io::ErrorKind::UnexpectedEof, what).into()
                }
            });
        }
    }
}

fn link<R, W>(
    read: R,
    write: W,
    input: BytesMut,
    hello: Bytes,
    limits: &Limits,
    peer: PeerInfo,
    controls: Controls<R, W>,
) -> Link
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let Controls { depths, busy_poll } = controls;
    let rx = StreamRx {
        read,
        busy_poll,
        input,
        decoder: Decoder::new(limits.wire()),
        room: MIN_READ,
        small_reads: 0,
        end: None,
        reads: 0,
        had_message: false,
        delivered: false,
        company: Company::new(),
        is_shallow: depths.is_some_and(|depths| depths.is_all),
    };
    Link::new(StreamTx { write, depth: Depth::new(depths) }, rx, hello, peer)
}

struct StreamTx<W: 'static> {
    write: W,
    depth: Depth<W>,
}

impl<W: AsyncWrite + Send + Unpin> LinkTx for StreamTx<W> {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        self.depth.suit(batch.mix(), &self.write);
        while !batch.is_empty() {
            let is_one_piece = batch.chunk().len() == batch.remaining();
            let written = if is_one_piece {
                // As small messages mostly are: that needs no list of pieces.
                Pin::new(&mut self.write).poll_write(cx, batch.chunk())
            } else {
                // The future holds no state of its own: one write, and the batch advances by what was taken.
                pin!(self.write.write_buf(batch)).poll(cx)
            };
            if written.is_pending() {
                self.depth.is_full(batch.mix(), &self.write);
            }
            let written = ready!(written)?;
            if is_one_piece {
                batch.advance(written);
            }
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        pin!(self.write.flush()).poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(self.write.shutdown()).poll(cx)
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

struct StreamRx<R> {
    read: R,
    /// See [`Controls`].
    busy_poll: Option<fn(&mut R, bool)>,
    input: BytesMut,
    decoder: Decoder,
    /// Room to reserve for the next read.
    room: usize,
    /// How many reads were small for it, one after the other.
    small_reads: u32,
    /// What came behind the messages of the last batch.
    end: Option<Result<Received, LinkError>>,
    /// Reads that brought something.
    reads: u64,
    had_message: bool,
    /// Messages were handed out, and nothing was read since.
    delivered: bool,
    company: Company,
    /// Streams of this kind hold little of what is sent where small messages overtake large ones.
    is_shallow: bool,
}

impl<R: AsyncRead + Send + Unpin> LinkRx for StreamRx<R> {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let (before, mut read_now) = (into.len(), 0);
        loop {
            if self.end.is_none() && !self.may_be_refusal() {
                self.decode(into);
            }
            if into.len() > before {
                self.delivered = true;
                return Poll::Ready(Ok(Received::Messages));
            }
            if let Some(end) = self.end.take() {
                return Poll::Ready(end);
            }
            let company = self.company.is_likely();
            if read_now >= if company && self.is_shallow { READ_PER_SHORT_TURN } else { READ_PER_TURN } {
                let_all_others_first(cx, company);
                return Poll::Pending;
            }
            // Whoever waited for a small message does not wait for the rest of a large one as well.
            if std::mem::take(&mut self.delivered) && self.decoder.is_assembling() {
                let_others_first(cx);
                return Poll::Pending;
            }
            self.make_room();
            let free = self.input.capacity() - self.input.len();
            let read = ready!(pin!(self.read.read_buf(&mut self.input)).poll(cx));
            if matches!(read, Ok(0) | Err(_)) {
                // A server may think better of it after its hello, as 0.4 does where it looks at the client's late. A reset
                // counts as an end: it did not read all that it was sent.
                if let Some(reason) = hello::late_refusal(&self.input).filter(|_| !self.had_message) {
                    return Poll::Ready(Err(LinkError::Refused(reason)));
                }
            }
            let read = read?;
            if read == 0 {
                let what = "the peer went away without a word";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into()));
            }
            self.reads += 1;
            self.company.passed(read);
            read_now += read;
            self.adapt_room(read, free);
        }
    }

    fn busy_poll(&mut self, on: bool) {
        if let Some(busy_poll) = self.busy_poll {
            busy_poll(&mut self.read, on);
        }
    }

    fn activity(&self) -> u64 {
        self.reads
    }
}

impl<R> StreamRx<R> {
    /// What stands where the first frame should begins as a refusal does, and is no longer than that may be. A frame that
    /// begins like this has 64 MiB and more.
    fn may_be_refusal(&self) -> bool {
        !self.had_message && self.input.len() <= hello::MAX_LEN && hello::begins_as_refusal(&self.input)
    }

    /// Takes every whole message out of the buffer.
    fn decode(&mut self, into: &mut Vec<Message>) {
        loop {
            let was_assembling = self.decoder.is_assembling();
            let mut taken = self.decoder.next(&mut self.input);
            // For that, the buffer may have grown.
            let was_large = self.decoder.took_chunk_above(MAX_READ);
            if was_large {
                self.start_afresh();
            }
            // Messages are seen to where they are: to take one out first would move it once more.
            match &mut taken {
                Ok(Some(Wire::Message(message))) => {
                    let small = message.payload.len() <= MAX_READ;
                    if !small && !was_large {
                        self.start_afresh();
                    }
                    self.had_message = true;
                    let overtook = was_assembling && self.decoder.is_assembling();
                    if overtook && small && message.metadata.kind() != Kind::Acknowledge {
                        self.company.came();
                    }
                    if small && was_large {
                        message.detach();
                    }
                }
                // What comes then may look like a refusal.
                Ok(None) => self.had_message |= self.decoder.leaves_out(),
                Ok(Some(Wire::Close(_))) | Err(_) => {}
            }
            self.end = match taken {
                Ok(Some(Wire::Message(message))) => {
                    into.push(message);
                    continue;
                }
                Ok(None) => return,
                Ok(Some(Wire::Close(reason))) => Some(Ok(Received::Closed { reason })),
                Err(error) => Some(Err(error.into())),
            };
            return;
        }
    }

    /// More room after a read that took all there was; less when the peer says less than before.
    fn adapt_room(&mut self, read: usize, free: usize) {
        self.small_reads = if read < self.room / 8 { self.small_reads + 1 } else { 0 };
        if read == free {
            self.room = (self.room * 2).min(MAX_READ);
        } else if self.small_reads == SMALL_READS && self.room > MIN_READ {
            self.start_afresh();
        }
    }

    /// Leaves the buffer to the large frame that was in it: small messages must not keep it, nor an idle link.
    fn start_afresh(&mut self) {
        let mut fresh = BytesMut::with_capacity(MIN_READ.max(self.input.len()));
        fresh.extend_from_slice(&self.input);
        self.input = fresh;
        self.room = MIN_READ;
        self.small_reads = 0;
    }

    /// Reserves for the next read: a little, or what a large frame still lacks, as far as what came of it vouches for that.
    fn make_room(&mut self) {
        let missing = self.decoder.missing(&self.input);
        let ahead = missing.min(FIRST_AHEAD.max(self.input.len().saturating_mul(AHEAD_FACTOR)));
        // Half of the room free is enough; below that, the buffer moves its rest or grows.
        if self.input.capacity() - self.input.len() < (self.room / 2).max(ahead) {
            self.input.reserve(self.room.max(ahead));
        }
    }
}
