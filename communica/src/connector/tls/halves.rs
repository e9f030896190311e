//! One TLS connection → a half that reads and one that writes.
//!
//! Both work on the same state of the cipher, so they share a lock. It is held while bytes are encrypted or decrypted,
//! never while somebody waits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::super::farewell;
use super::counted::Counted;
use super::words::{self, Side};

pub(super) type Stream<S> = TlsStream<Counted<S>>;

/// What comes in, decrypted.
pub(in crate::connector) struct ReadHalf<S: Socket = TcpStream>(Arc<Shared<S>>);

/// What goes out, to be encrypted.
pub(in crate::connector) struct WriteHalf<S: Socket = TcpStream> {
    shared: Arc<Shared<S>>,
    /// Why the last write was the last one.
    failed: Option<io::Error>,
}

/// What TLS goes over.
pub(in crate::connector) trait Socket:
    AsyncRead + AsyncWrite + Send + Unpin + 'static
{
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

struct Shared<S: Socket> {
    /// Taken out at the end only.
    stream: Mutex<Option<Stream<S>>>,
    side: Side,
}

pub(super) fn split<S: Socket>(stream: Stream<S>, side: Side) -> (ReadHalf<S>, WriteHalf<S>) {
    let shared = Arc::new(Shared { stream: Mutex::new(Some(stream)), side });
    (ReadHalf(shared.clone()), WriteHalf { shared, failed: None })
}

impl<S: Socket> Shared<S> {
    fn with<T>(&self, poll: impl FnOnce(Pin<&mut Stream<S>>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        match stream.as_mut() {
            Some(stream) => poll(Pin::new(stream)).map_err(|error| words::of_stream(self.side, error)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<S: Socket> WriteHalf<S> {
    /// One write of TLS may be several of the socket. Where one of those failed after another one did not, the peer may have any of what was
    /// `offered`: then all of it counts as sent, and the next write fails. Taken for unsent it would come twice.
    fn write(
        &mut self,
        offered: usize,
        poll: impl FnOnce(Pin<&mut Stream<S>>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let mut went_out = false;
        let written = self.shared.with(|mut stream| {
            let before = stream.get_ref().0.written();
            let written = poll(stream.as_mut());
            went_out = stream.get_ref().0.written() > before;
            written
        });
        match written {
            Poll::Ready(Err(error)) if went_out => {
                self.failed = Some(error);
                Poll::Ready(Ok(offered))
            }
            other => other,
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<S: Socket> AsyncRead for ReadHalf<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_read(cx, into))
    }
}

impl<S: Socket> AsyncWrite for WriteHalf<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = pieces.iter().map(|piece| piece.len()).sum();
        self.write(offered, |stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        self.shared.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with(|stream| stream.poll_shutdown(cx))
    }
}

impl<S: Socket> Drop for Shared<S> {
    /// The peer's own goodbye may still be on its way. Met by a closed socket it would be answered with a reset, which
    /// destroys what is under way to the peer, and which Python's `close()` raises.
    fn drop(&mut self) {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(stream), Ok(runtime)) = (stream, tokio::runtime::Handle::try_current()) {
            runtime.spawn(farewell::say(stream, farewell::Patience::default()));
        }
    }
}

#[cfg(test)]
mod tests;
