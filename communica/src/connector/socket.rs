//! A connected socket → its two halves, which the system watches for its runtime, or not while somebody looks at it again and again.
//!
//! Where the runtime waits for sockets, each message that comes wakes a thread of it. If another one took that message already, all
//! that was for nothing: it costs more than the message. tokio gives a socket to be watched only as a whole, so the halves share it.

#[cfg(all(test, feature = "local"))]
mod tests;

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::runtime::Handle;

/// Read at once where nobody is woken. Only initialised room can be read into then: to copy what came out of the thread's own takes less
/// than to fill as much with zeros before.
const PIECE: usize = 64 * 1024;

thread_local! {
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// What comes in.
pub(super) struct ReadHalf<S: Socket> {
    shared: Arc<Shared<S>>,
    /// Whoever reads does so again and again.
    busy: bool,
    /// The last read took all that was there.
    drained: bool,
}

/// What goes out. Dropped, it says that nothing more does.
pub(super) struct WriteHalf<S: Socket>(Arc<Shared<S>>);

struct Shared<S: Socket> {
    /// Who watches it. Whoever writes may be of another runtime, or of none.
    runtime: Handle,
    /// Both halves only read this, except to change what it is.
    state: RwLock<State<S>>,
    /// The writing half waits for room.
    is_full: AtomicBool,
    /// It is watched again, and whether there is room was not told yet.
    is_new: AtomicBool,
}

enum State<S: Socket> {
    /// Who waits for it is woken.
    Watched(S),
    /// Nobody is.
    Unwatched(S::Std),
    /// It could not be changed.
    Lost,
}

/// What tokio makes of a socket, and the same without it.
pub(super) trait Socket: AsFd + Send + Sync + Sized + 'static {
    type Std: AsFd + From<OwnedFd> + Send + Sync + 'static;

    fn watch(socket: Self::Std) -> io::Result<Self>;
    fn unwatch(self) -> io::Result<Self::Std>;
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Where that was all that was there, it does not count as readable until more comes.
    fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()>;
    fn write(&self, pieces: Pieces<'_, '_>) -> io::Result<usize>;
    fn read_unwatched(socket: &Self::Std, buf: &mut [u8]) -> io::Result<usize>;
    fn write_unwatched(socket: &Self::Std, pieces: Pieces<'_, '_>) -> io::Result<usize>;
}

/// What is to be written.
#[derive(Clone, Copy)]
pub(super) enum Pieces<'a, 'b> {
    One(&'a [u8]),
    Many(&'a [IoSlice<'b>]),
}

macro_rules! socket {
    ($socket:ty, $std:ty) => {
        impl Socket for $socket {
            type Std = $std;

            fn watch(socket: $std) -> io::Result<Self> {
                Self::from_std(socket)
            }

            fn unwatch(self) -> io::Result<$std> {
                self.into_std()
            }

            fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
                let (room, mut read) = (buf.remaining(), 0);
                let more = self.try_io(Interest::READABLE, || {
                    read = self.try_read_buf(buf)?;
                    // It knows what it was told before that; what comes since counts.
                    if 0 < read && read < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
                });
                if read > 0 { Ok(()) } else { more }
            }

            fn write(&self, pieces: Pieces<'_, '_>) -> io::Result<usize> {
                match pieces {
                    Pieces::One(piece) => self.try_write(piece),
                    Pieces::Many(pieces) => self.try_write_vectored(pieces),
                }
            }

            fn read_unwatched(mut socket: &$std, buf: &mut [u8]) -> io::Result<usize> {
                socket.read(buf)
            }

            fn write_unwatched(mut socket: &$std, pieces: Pieces<'_, '_>) -> io::Result<usize> {
                match pieces {
                    Pieces::One(piece) => socket.write(piece),
                    Pieces::Many(pieces) => socket.write_vectored(pieces),
                }
            }
        }
    };
}

#[cfg(feature = "tcp")]
socket!(tokio::net::TcpStream, std::net::TcpStream);
#[cfg(feature = "local")]
socket!(tokio::net::UnixStream, std::os::unix::net::UnixStream);

/// To be called within a runtime.
pub(super) fn split<S: Socket>(socket: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let state = RwLock::new(State::Watched(socket));
    let shared =
        Arc::new(Shared { runtime: Handle::current(), state, is_full: false.into(), is_new: false.into() });
    (ReadHalf { shared: shared.clone(), busy: false, drained: false }, WriteHalf(shared))
}

impl<S: Socket> Shared<S> {
    fn state(&self) -> RwLockReadGuard<'_, State<S>> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_to_change(&self) -> RwLockWriteGuard<'_, State<S>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> io::Result<()> {
        let _entered = self.runtime.enter();
        let state = &mut *self.state_to_change();
        *state = match std::mem::replace(state, State::Lost) {
            State::Unwatched(socket) => {
                self.is_new.store(true, Ordering::Relaxed);
                State::Watched(S::watch(socket)?)
            }
            other => other,
        };
        Ok(())
    }

    /// Unless the other half waits.
    fn unwatch(&self) -> io::Result<()> {
        let state = &mut *self.state_to_change();
        if self.is_full() {
            return Ok(());
        }
        *state = match std::mem::replace(state, State::Lost) {
            State::Watched(socket) => State::Unwatched(socket.unwatch()?),
            other => other,
        };
        Ok(())
    }

    /// The writing half waits for room.
    fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the system does not watch this socket any more")
}

impl<S: Socket> ReadHalf<S> {
    /// Whether it is polled again and again from now on: then nobody is woken for it. To be told before each time that there may be more.
    pub(super) fn busy_poll(&mut self, on: bool) {
        (self.busy, self.drained) = (on, false);
    }
}

impl<S: Socket> AsyncRead for ReadHalf<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { shared, busy, drained } = &mut *self;
        if std::mem::take(drained) {
            return Poll::Pending;
        }
        loop {
            let state = shared.state();
            match &*state {
                State::Watched(_) if *busy && !shared.is_full() => {
                    drop(state);
                    shared.unwatch()?;
                }
                State::Watched(socket) => {
                    ready!(socket.poll_readable(cx))?;
                    match socket.read(buf) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        read => return Poll::Ready(read),
                    }
                }
                State::Unwatched(socket) => match read_unwatched::<S>(socket, buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if *busy {
                            return Poll::Pending;
                        }
                        drop(state);
                        shared.watch()?;
                    }
                    read => {
                        let was_all = read?;
                        *drained = *busy && was_all;
                        return Poll::Ready(Ok(()));
                    }
                },
                State::Lost => return Poll::Ready(Err(lost())),
            }
        }
    }
}

/// True if that was all that was there for now.
fn read_unwatched<S: Socket>(socket: &S::Std, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
    let room = buf.remaining().min(PIECE);
    ROOM.with_borrow_mut(|piece| {
        let read = S::read_unwatched(socket, &mut piece[..room])?;
        buf.put_slice(&piece[..read]);
        Ok(0 < read && read < room)
    })
}

/// Without having been told that there is room. Where this fails, that is told in time.
fn write_untold<S: Socket>(socket: &S, pieces: Pieces<'_, '_>) -> io::Result<usize> {
    let same = S::Std::from(socket.as_fd().try_clone_to_owned()?);
    S::write_unwatched(&same, pieces)
}

impl<S: Socket> WriteHalf<S> {
    /// Sees to what can be set on the socket.
    pub(super) fn set<T>(&self, set: impl FnOnce(SockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        match &*self.0.state() {
            State::Watched(socket) => set(SockRef::from(socket)),
            State::Unwatched(socket) => set(SockRef::from(socket)),
            State::Lost => Err(lost()),
        }
    }

    fn poll_pieces(&self, cx: &mut Context<'_>, pieces: Pieces<'_, '_>) -> Poll<io::Result<usize>> {
        let shared = &self.0;
        loop {
            let state = shared.state();
            let written = match &*state {
                State::Watched(socket) => match socket.poll_writable(cx)? {
                    Poll::Ready(()) => {
                        shared.is_new.store(false, Ordering::Relaxed);
                        socket.write(pieces)
                    }
                    Poll::Pending => {
                        let tried =
                            shared.is_new.load(Ordering::Relaxed).then(|| write_untold(socket, pieces));
                        let Some(Ok(written)) = tried else {
                            shared.is_full.store(true, Ordering::Relaxed);
                            return Poll::Pending;
                        };
                        Ok(written)
                    }
                },
                State::Unwatched(socket) => S::write_unwatched(socket, pieces),
                State::Lost => return Poll::Ready(Err(lost())),
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(state);
                    // To be woken when there is room; and the other half leaves it so.
                    shared.is_full.store(true, Ordering::Relaxed);
                    shared.watch()?;
                }
                written => {
                    if shared.is_full() {
                        shared.is_full.store(false, Ordering::Relaxed);
                    }
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn shut_down(&self) -> io::Result<()> {
        match self.set(|socket| socket.shutdown(Shutdown::Write)) {
            // The peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }
}

impl<S: Socket> AsyncWrite for WriteHalf<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_pieces(cx, Pieces::One(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_pieces(cx, Pieces::Many(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut_down())
    }
}

impl<S: Socket> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        // Whoever reads the other end of a socket that is gone hears of that.
        let _ = self.shut_down();
    }
}
