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
use super::words::{self, Side};

/// What comes in, decrypted.
pub(in crate::connector) struct ReadHalf(Arc<Shared>);

/// What goes out, to be encrypted.
pub(in crate::connector) struct WriteHalf(Arc<Shared>);

struct Shared {
    /// Taken out at the end only.
    stream: Mutex<Option<TlsStream<TcpStream>>>,
    side: Side,
}

pub(super) fn split(stream: TlsStream<TcpStream>, side: Side) -> (ReadHalf, WriteHalf) {
    let shared = Arc::new(Shared { stream: Mutex::new(Some(stream)), side });
    (ReadHalf(shared.clone()), WriteHalf(shared))
}

impl Shared {
    fn with<T>(
        &self,
        poll: impl FnOnce(Pin<&mut TlsStream<TcpStream>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        match stream.as_mut() {
            Some(stream) => poll(Pin::new(stream)).map_err(|error| words::of_stream(self.side, error)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_read(cx, into))
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.with(|stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_shutdown(cx))
    }
}

impl Drop for Shared {
    /// The peer's own goodbye may still be on its way. Met by a closed socket it would be answered with a reset, which
    /// destroys what is under way to the peer, and which Python's `close()` raises.
    fn drop(&mut self) {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(stream), Ok(runtime)) = (stream, tokio::runtime::Handle::try_current()) {
            runtime.spawn(farewell::say(stream, farewell::Patience::default()));
        }
    }
}
