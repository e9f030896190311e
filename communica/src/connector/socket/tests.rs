//! Halves that are watched, and that are not.

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

/// Two bytes, one right behind the other: the second often comes while the first is read, and nothing comes after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_all_is_read_wakes() {
    const ROUNDS: usize = 20_000;
    let (mut read, mut write, far) = pair();
    let mut far = far.into_std().unwrap();
    far.set_nonblocking(false).unwrap();
    let writing = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            Write::write_all(&mut far, b"a").unwrap();
            Write::write_all(&mut far, b"b").unwrap();
            Read::read_exact(&mut far, &mut [0]).unwrap();
        }
    });
    let reading = tokio::spawn(async move {
        for _ in 0..ROUNDS {
            let (mut came, mut some) = (0, [0; 7]);
            while came < 2 {
                let read = AsyncReadExt::read(&mut read, &mut some);
                came += timeout(LONG, read).await.expect("somebody is woken").unwrap();
            }
            AsyncWriteExt::write_all(&mut write, b"c").await.unwrap();
        }
    });
    reading.await.unwrap();
    writing.join().unwrap();
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
