//! Links that do as no road does by itself: they buffer, or bring without end what they cannot take.

mod looking;
mod overlap;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, Weak};

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;
use tokio::task::coop::consume_budget;
use tokio::time::{sleep, timeout};

use super::*;
use crate::connector::{LinkError, LinkTx};
use crate::limits::Limits;
use crate::route::{Handlers, RouteTable};
use crate::session::What;
use crate::wire::Batch;

fn exchange(limits: Limits, handlers: &Arc<Handlers>) -> Arc<Exchange> {
    Exchange::new("w1".to_owned(), Arc::downgrade(handlers), limits, Handle::current())
}

/// As over TLS: it takes a batch whole into a buffer of its own, and is not done before that is empty.
#[derive(Default)]
struct Buffers {
    emptied: Option<Pin<Box<Sleep>>>,
    batches: Arc<AtomicUsize>,
}

impl LinkTx for Buffers {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let left = batch.remaining();
        if left > 0 {
            batch.advance(left);
            self.emptied = Some(Box::pin(sleep(Duration::from_millis(20))));
        }
        if let Some(emptied) = &mut self.emptied {
            ready!(emptied.as_mut().poll(cx));
            self.batches.fetch_add(1, Ordering::Relaxed);
        }
        self.emptied = None;
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

struct Silent;

impl LinkRx for Silent {
    fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut Vec<Message>) -> Poll<Result<Received, LinkError>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_link_that_takes_one_piece_after_the_other_is_not_stalled() {
    const PIECES: usize = 40;
    let limits = Limits::default().stall_time(Duration::from_millis(300));
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
    exchange.throw(What::default(), vec![0; PIECES * 32 * 1024].into(), None).await.unwrap();
    let tx = Buffers::default();
    let batches = tx.batches.clone();
    let link = Link::new(tx, Silent, Bytes::new(), "somewhere".to_owned());
    let taken = async {
        while batches.load(Ordering::Relaxed) < PIECES {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = drive(&exchange, link, None, false) => panic!("{end:?}"),
        taken = timeout(Duration::from_secs(30), taken) => taken.expect("all of it goes"),
    }
}

/// That of a link whose peer says nothing and is not allowed to for long.
fn beside_a_silent_peer() -> Driver {
    let about = r#"{"instance":"i","features":["heartbeat"],"silence_ms":100}"#;
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
    let link = Link::new(Counts::default(), Silent, Bytes::new(), "somewhere".to_owned());
    drive(&exchange, link, Some(serde_json::from_str(about).unwrap()), false)
}

async fn the_silence_is_noticed(driver: Driver) {
    let end = timeout(Duration::from_secs(30), driver).await.expect("it is noticed");
    assert!(matches!(end, LinkEnd::Broken(LinkError::Io(error)) if error.kind() == ErrorKind::TimedOut));
}

/// Who polls a driver may change, and who does it now has to be woken for the next beat.
#[tokio::test]
async fn a_silent_peer_is_noticed_whoever_polled_first() {
    let mut driver = beside_a_silent_peer();
    assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    the_silence_is_noticed(driver).await;
}

/// Then tokio does not look at a timer, and wakes for another turn.
#[tokio::test]
async fn a_silent_peer_is_noticed_though_the_first_turn_had_no_budget_left() {
    let mut driver = beside_a_silent_peer();
    let first_turn = poll_fn(|cx| {
        while has_budget_remaining() {
            let _ = pin!(consume_budget()).poll(&mut Context::from_waker(Waker::noop()));
        }
        Poll::Ready(Pin::new(&mut driver).poll(cx).is_pending())
    });
    assert!(first_turn.await);
    the_silence_is_noticed(driver).await;
}

/// Where a small message overtakes it, each piece is a turn of its own: two would be twice as long to wait for.
#[tokio::test]
async fn small_messages_that_overtake_large_ones_make_turns_short() {
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
    let tx = Counts::default();
    let batches = tx.0.clone();
    exchange.attach(Box::new(tx), Arc::new("somewhere".to_owned().into()), None);
    let mut cx = Context::from_waker(Waker::noop());
    let mut turn = || {
        let before = batches.load(Ordering::Relaxed);
        assert!(matches!(exchange.poll_flush(&mut cx), Poll::Ready(Ok(Flushed::Some(_)))));
        batches.load(Ordering::Relaxed) - before
    };
    exchange.throw(What::default(), vec![0; 4 << 20].into(), None).await.unwrap();
    assert_eq!(turn(), 2);
    exchange.throw(What::default(), vec![0; 10].into(), None).await.unwrap();
    assert_eq!([turn(), turn()], [1, 1]);
}

/// Takes everything, and counts how often it was given something.
#[derive(Default)]
struct Counts(Arc<AtomicUsize>);

impl LinkTx for Counts {
    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        batch.advance(batch.remaining());
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

/// Says nonsense as soon as the other half was given something.
struct Babbles(Arc<AtomicUsize>);

impl LinkRx for Babbles {
    fn poll_recv(&mut self, cx: &mut Context<'_>, _: &mut Vec<Message>) -> Poll<Result<Received, LinkError>> {
        if self.0.load(Ordering::Relaxed) > 0 {
            return Poll::Ready(Err(WireError::EmptyFrame.into()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// As a named pipe: what it was given last has to be gone before it takes more.
#[derive(Default)]
struct OneAtATime {
    gone: Option<Pin<Box<Sleep>>>,
    given: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl LinkTx for OneAtATime {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        if let Some(gone) = &mut self.gone {
            ready!(gone.as_mut().poll(cx));
        }
        self.gone = (!batch.is_empty()).then(|| Box::pin(sleep(Duration::from_millis(20))));
        self.taken.lock().unwrap().extend(batch.copy_to_bytes(batch.remaining()));
        self.given.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_peer_that_speaks_nonsense_is_told_why_also_when_the_link_is_busy() {
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
    exchange.throw(What::default(), Vec::new().into(), None).await.unwrap();
    let tx = OneAtATime::default();
    let (given, taken) = (tx.given.clone(), tx.taken.clone());
    let link = Link::new(tx, Babbles(given), Bytes::new(), "somewhere".to_owned());
    let end = timeout(Duration::from_secs(30), drive(&exchange, link, None, false)).await;
    assert!(matches!(end, Ok(LinkEnd::Broken(_))), "{end:?}");
    let taken = String::from_utf8_lossy(&taken.lock().unwrap()).into_owned();
    assert!(taken.contains(r#""reason""#), "{taken}");
}

/// Takes nothing, and says so.
struct Fails(Arc<AtomicBool>);

impl LinkTx for Fails {
    fn poll_send(&mut self, _: &mut Context<'_>, _: &mut Batch) -> Poll<io::Result<()>> {
        self.0.store(true, Ordering::Relaxed);
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

/// Brings throws once the other half has failed.
struct Floods {
    failed: Arc<AtomicBool>,
    brought: Arc<AtomicUsize>,
}

impl LinkRx for Floods {
    fn poll_recv(
        &mut self,
        _: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        const ENOUGH: usize = 100_000;
        if !self.failed.load(Ordering::Relaxed) || self.brought.load(Ordering::Relaxed) == ENOUGH {
            return Poll::Pending;
        }
        self.brought.fetch_add(1, Ordering::Relaxed);
        let metadata = Bytes::from_static(br#"{"id":"","type":2,"route":"wait"}"#);
        into.push(Message::parse(metadata, Bytes::from_static(b"null"))?);
        Poll::Ready(Ok(Received::Messages))
    }
}

#[tokio::test]
async fn a_link_that_broke_brings_no_more_than_may_wait() {
    const WAITING: usize = 16;
    let limits = Limits::default().waiting(WAITING, 1 << 20).running(1);
    let table = RouteTable::new().route("wait", |(): ()| std::future::pending::<()>());
    let handlers = Arc::new(Handlers::Table(table));
    let exchange = exchange(limits, &handlers);
    let brought = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        exchange.throw(What::default(), Vec::new().into(), None).await.unwrap();
        let failed = Arc::new(AtomicBool::new(false));
        let rx = Floods { failed: failed.clone(), brought: brought.clone() };
        let link = Link::new(Fails(failed), rx, Bytes::new(), "somewhere".to_owned());
        let end = timeout(Duration::from_secs(30), drive(&exchange, link, None, false)).await;
        assert!(matches!(end, Ok(LinkEnd::Broken(_))), "{end:?}");
    }
    let brought = brought.load(Ordering::Relaxed);
    // One of them runs.
    assert!((1..=4 * WAITING + 1).contains(&brought), "{brought}");
}

/// As a road of a user's own may.
struct Panics;

impl LinkTx for Panics {
    fn poll_send(&mut self, _: &mut Context<'_>, _: &mut Batch) -> Poll<io::Result<()>> {
        panic!("a road of a user's own")
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a road of a user's own")
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

/// Asks once.
struct Asks(bool);

impl LinkRx for Asks {
    fn poll_recv(
        &mut self,
        _: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        let metadata = Bytes::from_static(br#"{"id":"a","type":1,"route":"echo"}"#);
        into.push(Message::parse(metadata, Bytes::from_static(b"7"))?);
        Poll::Ready(Ok(Received::Messages))
    }
}

#[tokio::test]
async fn a_link_that_panics_is_broken_and_the_next_one_goes_on() {
    let table = RouteTable::new().route("echo", |number: u32| number);
    let handlers = Arc::new(Handlers::Table(table));
    let exchange = exchange(Limits::default(), &handlers);
    let link = Link::new(Panics, Asks(false), Bytes::new(), "somewhere".to_owned());
    let end = timeout(Duration::from_secs(30), drive(&exchange, link, None, false)).await;
    assert!(matches!(end, Ok(LinkEnd::Broken(_))), "{end:?}");
    let tx = OneAtATime::default();
    let taken = tx.taken.clone();
    let link = Link::new(tx, Asks(false), Bytes::new(), "somewhere".to_owned());
    let answered = async {
        while !String::from_utf8_lossy(&taken.lock().unwrap()).contains(r#""type":11"#) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = drive(&exchange, link, None, false) => panic!("{end:?}"),
        answered = timeout(Duration::from_secs(30), answered) => answered.expect("the handler's answer"),
    }
}
