//! An open pipe goes in, two halves that tokio can read and write come out.
//!
//! A pipe has no half that could be closed alone: who ended a link waits for the other side to close it, so
//! `shutdown` does nothing. What was written before a close can still be read. And `flush` does not wait until the peer
//! has read everything, which is what the system's own would do.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
use interprocess::os::windows::named_pipe::tokio::DuplexPipeStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::NamedPipeClient;

/// ERROR_PIPE_NOT_CONNECTED: the other end is gone, said in another way than usual.
const NOT_CONNECTED: i32 = 233;

/// What one write takes is copied, and kept until the pipe took it.
const MAX_WRITE: usize = 64 * 1024;

/// One end of a pipe.
pub(super) enum Pipe {
    Server(DuplexPipeStream<Bytes>),
    Client(NamedPipeClient),
}

/// One direction of a pipe. It is closed when both are gone.
pub(super) struct Half(Arc<Pipe>);

impl Pipe {
    /// One to read from, one to write to.
    pub(super) fn into_halves(self) -> (Half, Half) {
        let pipe = Arc::new(self);
        (Half(pipe.clone()), Half(pipe))
    }

    fn poll_read(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Server(pipe) => Pin::new(&mut &*pipe).poll_read(cx, into),
            Self::Client(pipe) => loop {
                match pipe.try_read_buf(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(pipe.poll_read_ready(cx))?;
                    }
                    other => return Poll::Ready(other.map(drop)),
                }
            },
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(MAX_WRITE)];
        match self {
            Self::Server(pipe) => {
                let written = ready!(Pin::new(&mut &*pipe).poll_write(cx, bytes));
                // Otherwise, when it is dropped, a thread would wait until the peer read everything: as long as it likes.
                pipe.assume_flushed();
                Poll::Ready(written)
            }
            Self::Client(pipe) => loop {
                match pipe.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(pipe.poll_write_ready(cx))?;
                    }
                    other => return Poll::Ready(other),
                }
            },
        }
    }
}

impl AsyncRead for Half {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(self.0.poll_read(cx, into)) {
            // The end of what the peer wrote.
            Err(error) if is_gone(&error) => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl AsyncWrite for Half {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.0.poll_write(cx, bytes)) {
            Err(error) if is_gone(&error) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error)))
            }
            other => Poll::Ready(other),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(NOT_CONNECTED)
}
