//! A Unix socket → two halves that are woken only for what they wait for.
//!
//! Tokio's own halves share one registration for both directions, and on a Unix socket every read of the peer makes room
//! to write, which wakes this side to no end: at one call at a time that is every second wake-up of both processes.
//! So reading is registered for reading alone, and writing only while the socket takes nothing.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as Socket;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// Reads up to this go through memory of the thread: copying what came costs less than clearing all the room there is.
const COPIED: usize = 16 * 1024;
/// A read takes no more, for its room is cleared first: about what a socket holds.
const CLEARED: usize = 128 * 1024;
/// After so many writes that did not have to wait, the next will not have to either.
const SMOOTH: u32 = 64;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; COPIED].into());
}

pub(super) struct ReadHalf(AsyncFd<Arc<Socket>>);

pub(super) struct WriteHalf {
    socket: Arc<Socket>,
    /// Tells when the socket takes more, under a number of its own. There while it is needed.
    room: Option<AsyncFd<Socket>>,
    /// Writes since the last that had to wait.
    smooth: u32,
}

pub(super) fn halves(stream: UnixStream) -> io::Result<(ReadHalf, WriteHalf)> {
    let socket = Arc::new(stream.into_std()?);
    let read = registered(socket.clone(), Interest::READABLE)?;
    Ok((ReadHalf(read), WriteHalf { socket, room: None, smooth: 0 }))
}

/// Deprecated for what may change its descriptor while it is registered, as a socket does not. What replaces it is
/// `unsafe` for the sake of the others.
#[allow(deprecated)]
fn registered<T: AsRawFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut readable = ready!(self.0.poll_read_ready(cx))?;
            let (before, room) = (buf.filled().len(), buf.remaining().min(CLEARED));
            let Ok(read) = readable.try_io(|socket| fill(socket.get_ref(), buf)) else { continue };
            let count = buf.filled().len() - before;
            // It had no more just now; what comes later is told. Asking would be one more system call.
            if (1..room).contains(&count) {
                readable.clear_ready();
            }
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }
}

fn fill(mut socket: &Socket, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    if buf.remaining() > COPIED {
        let room = buf.remaining().min(CLEARED);
        let count = socket.read(buf.initialize_unfilled_to(room))?;
        buf.advance(count);
        return Ok(());
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let count = socket.read(&mut scratch[..buf.remaining()])?;
        buf.put_slice(&scratch[..count]);
        Ok(())
    })
}

impl WriteHalf {
    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&Socket) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_room(cx))?,
                written => {
                    self.smooth = self.smooth.saturating_add(1);
                    if self.smooth > SMOOTH {
                        self.room = None;
                    }
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// Waits until the socket may take something, of which there was no sign yet.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.smooth = 0;
        let room = match &mut self.room {
            Some(room) => room,
            empty => empty.insert(registered(self.socket.try_clone()?, Interest::WRITABLE)?),
        };
        // A sign from before the write that failed says nothing any more.
        if let Poll::Ready(earlier) = room.poll_write_ready(cx) {
            earlier?.clear_ready();
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut socket| socket.write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}

/// As with tokio's, the peer sees the end when nobody can write any more, though somebody may still read.
impl Drop for WriteHalf {
    fn drop(&mut self) {
        // It may have been shut before, or broken.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
