//! A connected socket → its two halves, which the system watches for its runtime, or not while somebody looks at it again and again.
//!
//! Where the runtime waits for sockets, each message that comes wakes a thread of it. If another one took that message already, all
//! that was for nothing: it costs more than the message. tokio gives a socket to be watched only as a whole, so the halves share it.

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

/// Read at once where nobody is woken: only initialised room can be read into then. That of a thread is there for most; what wants more is
/// filled with zeros before.
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
    let room = buf.remaining();
    if room > PIECE {
        let read = S::read_unwatched(socket, buf.initialize_unfilled_to(PIECE))?;
        buf.advance(read);
        return Ok(0 < read && read < PIECE);
    }
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

#[cfg(all(test, feature = "local"))]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// How often somebody was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pair() -> (ReadHalf<UnixStream>, WriteHalf<UnixStream>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        let (read, write) = split(near);
        (read, write, far)
    }

    fn read_now(read: &mut ReadHalf<UnixStream>, waker: &Waker, room: usize) -> Option<Vec<u8>> {
        let mut room = vec![0; room];
        let mut buf = ReadBuf::new(&mut room);
        match Pin::new(read).poll_read(&mut Context::from_waker(waker), &mut buf) {
            Poll::Ready(done) => done.map(|()| Some(buf.filled().to_vec())).unwrap(),
            Poll::Pending => None,
        }
    }

    async fn next(read: &mut ReadHalf<UnixStream>) -> u8 {
        timeout(LONG, read.read_u8()).await.expect("somebody is woken").unwrap()
    }

    fn is_watched(read: &ReadHalf<UnixStream>) -> bool {
        matches!(*read.shared.state(), State::Watched(_))
    }

    #[tokio::test]
    async fn who_looks_again_and_again_finds_what_came_and_nobody_is_woken() {
        let (mut read, _write, mut far) = pair();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        far.write_all(b"a").await.unwrap();
        assert_eq!(next(&mut read).await, b'a');
        read.busy_poll(true);
        assert_eq!(read_now(&mut read, &waker, 4), None);
        assert!(!is_watched(&read));
        far.write_all(b"bcdef").await.unwrap();
        assert_eq!(read_now(&mut read, &waker, 4).unwrap(), b"bcde", "all that there is room for");
        assert_eq!(read_now(&mut read, &waker, 4).unwrap(), b"f");
        far.write_all(b"g").await.unwrap();
        assert_eq!(read_now(&mut read, &waker, 4), None, "all was read: it is not asked again at once");
        assert_eq!(read_now(&mut read, &waker, 4).unwrap(), b"g");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(far);
        read_now(&mut read, &waker, 4);
        assert_eq!(read_now(&mut read, &waker, 4).unwrap(), b"", "its end");
    }

    #[tokio::test]
    async fn who_stops_looking_is_woken_by_what_came_before_and_after() {
        let (mut read, _write, mut far) = pair();
        for _ in 0..3 {
            read.busy_poll(true);
            assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
            far.write_all(b"a").await.unwrap();
            read.busy_poll(false);
            assert_eq!(next(&mut read).await, b'a');
            let (byte, written) = tokio::join!(next(&mut read), async {
                tokio::task::yield_now().await;
                far.write_all(b"b").await
            });
            written.unwrap();
            assert_eq!(byte, b'b');
            assert!(is_watched(&read));
        }
    }

    /// What is read in two steps, and what comes in between.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_comes_while_all_is_read_wakes() {
        let (mut read, _write, mut far) = pair();
        let writing = tokio::spawn(async move {
            for number in 0..20_000_u32 {
                far.write_all(&[number as u8]).await.unwrap();
                if number % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut came = 0_u32;
        while came < 20_000 {
            let mut some = [0; 7];
            let some_read = timeout(LONG, read.read(&mut some)).await.expect("somebody is woken").unwrap();
            for byte in &some[..some_read] {
                assert_eq!(*byte, came as u8);
                came += 1;
            }
        }
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken_though_the_other_half_looks() {
        let (mut read, mut write, mut far) = pair();
        read.busy_poll(true);
        assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
        let all = vec![7; 4 << 20];
        let reading = async {
            tokio::task::yield_now().await;
            assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
            assert!(is_watched(&read), "the other half waits");
            let mut came = vec![0; all.len()];
            far.read_exact(&mut came).await.unwrap();
            came
        };
        let both = async { tokio::join!(write.write_all(&all), reading) };
        let (written, came) = timeout(LONG, both).await.expect("there is room again");
        written.unwrap();
        assert!(came == all);
        assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
        assert!(!is_watched(&read), "nobody waits any more");
    }

    #[tokio::test]
    async fn what_goes_out_as_it_is_watched_again_need_not_wait() {
        let (mut read, mut write, mut far) = pair();
        read.busy_poll(true);
        assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
        read.busy_poll(false);
        assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
        assert!(is_watched(&read), "and nothing was told of it yet");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut write).poll_write(&mut cx, b"a"), Poll::Ready(Ok(1))));
        assert!(!read.shared.is_full());
        assert_eq!(far.read_u8().await.unwrap(), b'a');
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_reset_is_no_end() {
        for on in [true, false] {
            let (mut read, mut write, far) = pair();
            read.busy_poll(true);
            assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
            write.write_all(b"what nobody reads").await.unwrap();
            drop(far);
            read.busy_poll(on);
            let reset = timeout(LONG, read.read_u8()).await.unwrap().unwrap_err();
            assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        }
    }

    /// More than there is room for in what is read without being watched.
    #[tokio::test]
    async fn what_is_large_comes_whole_to_who_looks() {
        let (mut read, _write, mut far) = pair();
        let all: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
        let writing = async { far.write_all(&all).await.unwrap() };
        let reading = async {
            let mut came = Vec::new();
            while came.len() < all.len() {
                read.busy_poll(true);
                came.extend(read_now(&mut read, Waker::noop(), 1 << 20).unwrap_or_default());
                tokio::task::yield_now().await;
            }
            came
        };
        let both = async { tokio::join!(writing, reading).1 };
        assert!(timeout(LONG, both).await.expect("all of it comes") == all);
    }

    /// Such as a call that another executor polls.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_waits_for_room_need_not_be_of_the_runtime() {
        let (mut read, mut write, mut far) = pair();
        read.busy_poll(true);
        assert_eq!(read_now(&mut read, Waker::noop(), 4), None);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut write = std::thread::spawn(move || {
            let mut cx = Context::from_waker(&waker);
            while Pin::new(&mut write).poll_write(&mut cx, &[7; 4096]).is_ready() {}
            write
        })
        .join()
        .expect("it can wait for room");
        let is_woken = async {
            let mut taken = vec![0; 1 << 20];
            while woken.0.load(Ordering::Relaxed) == 0 {
                let _ = timeout(Duration::from_millis(1), AsyncReadExt::read(&mut far, &mut taken)).await;
            }
        };
        timeout(LONG, is_woken).await.expect("there is room again");
        timeout(LONG, write.write_all(&[7])).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn pieces_go_out_as_one() {
        let (_read, mut write, mut far) = pair();
        assert!(write.is_write_vectored());
        let pieces = [IoSlice::new(b"one"), IoSlice::new(b", two")];
        let written = std::future::poll_fn(|cx| Pin::new(&mut write).poll_write_vectored(cx, &pieces));
        assert_eq!(timeout(LONG, written).await.unwrap().unwrap(), 8);
        let mut came = [0; 8];
        far.read_exact(&mut came).await.unwrap();
        assert_eq!(&came, b"one, two");
    }

    #[tokio::test]
    async fn nothing_more_goes_out_when_the_writing_half_is_gone() {
        let (mut read, write, mut far) = pair();
        drop(write);
        let mut end = pin!(far.read_u8());
        assert_eq!(timeout(LONG, &mut end).await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        far.write_all(b"a").await.unwrap();
        assert_eq!(next(&mut read).await, b'a', "the other way is open");
    }
}
