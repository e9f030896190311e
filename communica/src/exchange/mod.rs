//! One peer's session, shared: callers put messages in, handlers put answers in, the driver carries both.
//!
//! Locks: `writer` before `session`; both are held for moments and never over an await. A user's own `LinkTx` runs under
//! `writer`. Under `session` no user code does, but for what ARCHITECTURE.md names.

mod blocking;
mod calls;
mod endings;
mod handlers;
mod request;
mod told;
mod turn;
mod writer;

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::connector::PeerInfo;
use crate::entity::Waits;
use crate::limits::Limits;
use crate::panics::caught;
use crate::route::Handlers;
use crate::running::Running;
use crate::session::{Said, Session};
use crate::turns::this_thread;
pub(crate) use blocking::on_the_pool;
pub(crate) use calls::TimeLimit;
use writer::Writer;
pub(crate) use writer::{Flushed, Progress};

/// Exchanges of this process so far.
static CREATED: AtomicU64 = AtomicU64::new(0);

/// See [`Exchange::beginning`].
pub(crate) type Beginning = (u64, u64);

/// What somebody may wait for.
#[derive(Clone, Copy, Default)]
pub(crate) struct News {
    /// There is room for more calls.
    pub(crate) made_room: bool,
    /// Everything that was queued is done with.
    pub(crate) idle: bool,
}

/// Everything about one peer that outlives its links.
pub(crate) struct Exchange {
    client_id: Arc<str>,
    /// Unlike that of every other exchange of this process.
    number: u64,
    /// In which its entity lives.
    pub(crate) runtime: Handle,
    /// What was known last of why there is no link.
    no_link: Mutex<Option<String>>,
    /// Who was at the other end of the latest link.
    peer: Mutex<Arc<PeerInfo>>,
    /// Callers that found no room in the outbox.
    waits_for_room: Waits,
    /// Handlers that were not done at once.
    running: Arc<Running>,
    /// Connections of this peer that its server let in, be they links already or not.
    pub(crate) places: AtomicUsize,
    /// Held by the driver of the current link.
    pub(crate) link_slot: Arc<tokio::sync::Mutex<()>>,
    // What each message is about, see `Session`.
    /// Room for callers that found the outbox full.
    room: Notify,
    /// A link or a place came or went, or the last handler finished.
    pub(crate) changed: Notify,
    /// Those of the entity that this belongs to. Handlers may keep their peers, so this must not keep them.
    handlers: Weak<Handlers>,
    /// Those of its entity.
    pub(crate) limits: Arc<Limits>,
    /// Where its clock begins.
    born: Instant,
    writer: Mutex<Option<Writer>>,
    session: Mutex<Session<Waker>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Of users' code only what ARCHITECTURE.md names runs under these locks, where all is whole: so a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each of them, also when one panics, as that of a user's executor may. Those that wait for room or for a change are woken by
/// tokio's `Notify`, which does not see to that.
pub(crate) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        if caught(|| waker.wake()).is_none() {
            tracing::error!("the waker of a call panicked: whoever made the call may wait for ever");
        }
    }
}

impl Exchange {
    pub(crate) fn new(
        client_id: String,
        handlers: Weak<Handlers>,
        limits: impl Into<Arc<Limits>>,
        runtime: Handle,
    ) -> Arc<Self> {
        let limits = limits.into();
        let client_id = Arc::<str>::from(client_id);
        // 64 random bits, so that no answer to another process's request is ever taken for one of ours.
        let session = Session::new(crate::random::hex(8), client_id.clone(), limits.clone());
        Arc::new(Self {
            client_id,
            number: CREATED.fetch_add(1, Ordering::Relaxed),
            handlers,
            limits,
            runtime,
            born: Instant::now(),
            session: Mutex::new(session),
            writer: Mutex::new(None),
            no_link: Mutex::new(None),
            peer: Mutex::default(),
            room: Notify::new(),
            waits_for_room: Waits::default(),
            changed: Notify::new(),
            running: Arc::default(),
            places: AtomicUsize::new(0),
            link_slot: Arc::default(),
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Changes whenever nothing of what went on before goes on, also when the client was forgotten and came back.
    pub(crate) fn beginning(&self) -> Beginning {
        (self.number, self.session().beginning())
    }

    pub(crate) fn peer_info(&self) -> PeerInfo {
        PeerInfo::clone(&lock(&self.peer))
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session<Waker>> {
        lock(&self.session)
    }

    /// The time by this exchange's clock.
    fn now(&self) -> Duration {
        self.born.elapsed()
    }

    /// Now and here.
    pub(crate) fn said(&self) -> Said {
        Said { at: self.now(), on: this_thread() }
    }

    fn call_driver(&self) {
        let said = self.said();
        let driver = self.session().call_driver_to_send(said);
        wake(driver);
    }

    /// The driver may wait for its turn on a thread that somebody else keeps: it is to go on at another.
    pub(crate) fn nudge_driver(&self) {
        let driver = self.session().call_driver();
        wake(driver);
    }

    /// Wakes callers that wait for room, and whoever waits for everything to be done. They are users' wakers: no lock is held.
    pub(crate) fn tell(&self, News { made_room, idle }: News) {
        if made_room {
            self.room.notify_waiters();
        }
        if idle {
            self.changed.notify_waiters();
        }
    }

    /// Waits until `done` says so, looking whenever something changed.
    pub(crate) async fn wait_until(&self, done: impl Fn(&Session<Waker>) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if done(&self.session()) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::Future;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake};

    use super::*;
    use crate::connector::LinkTx;
    use crate::session::What;
    use crate::wire::Batch;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("its executor is gone");
        }
    }

    #[derive(Default)]
    struct Notes(AtomicBool);

    impl Wake for Notes {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_is_woken_behind_one_that_panics_is_woken() {
        let notes = Arc::new(Notes::default());
        wake([Arc::new(Panics).into(), notes.clone().into()]);
        assert!(notes.0.load(Ordering::Relaxed));
    }

    struct TakesAll;

    impl LinkTx for TakesAll {
        fn in_chunks(&self) -> bool {
            false
        }

        fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
            *batch = Batch::default();
            Poll::Ready(Ok(()))
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Looks(Arc<Exchange>, AtomicBool);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            // An executor may poll in here, and what it polls may end the very link.
            self.1.store(
                self.0.writer.try_lock().is_ok() && self.0.session.try_lock().is_ok(),
                Ordering::Relaxed,
            );
        }
    }

    /// One of those that a driver lets go first may keep its thread.
    #[tokio::test]
    async fn who_finds_the_driver_waiting_on_another_thread_looks_once_more() {
        for looked in [false, true] {
            let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
            exchange.attach(Box::new(TakesAll), Arc::default(), None);
            let driver = Arc::new(Notes::default());
            let _ = exchange.session().driver_looks(|_| driver.clone().into());
            let call = || Box::pin(exchange.request(What::default(), Vec::new().into(), None));
            let mut cx = Context::from_waker(Waker::noop());
            let (mut alone, mut second) = (call(), call());
            assert!(alone.as_mut().poll(&mut cx).is_pending());
            let there = this_thread() + 1;
            // For as long as the test takes.
            let since = Said { at: exchange.now() + Duration::from_secs(3600), on: there };
            exchange.session().driver_waits_for_others(since);
            assert!(second.as_mut().poll(&mut cx).is_pending());
            assert!(!driver.0.load(Ordering::Relaxed), "it comes by itself");
            if looked {
                let _ = exchange.session().driver_looks(|known| known.unwrap());
            }
            assert!(second.as_mut().poll(&mut cx).is_pending());
            assert_eq!(driver.0.load(Ordering::Relaxed), !looked);
        }
    }

    /// A runtime, and the clients in it, may be a thread's own.
    #[test]
    fn what_came_is_read_at_the_end_of_a_thread_too() {
        struct ReadsLate(Arc<AtomicBool>);
        impl Drop for ReadsLate {
            fn drop(&mut self) {
                self.0.store(read(), Ordering::Relaxed);
            }
        }
        thread_local! {
            static LATE: RefCell<Option<ReadsLate>> = const { RefCell::new(None) };
        }
        fn read() -> bool {
            crate::wire::Metadata::parse(br#"{"id":"1","type":1}"#.as_slice().into()).is_ok()
        }
        // What is used first goes last, or the other way round.
        for read_first in [false, true] {
            let done = Arc::new(AtomicBool::new(false));
            let reads_late = ReadsLate(done.clone());
            let thread = std::thread::spawn(move || {
                assert!(!read_first || read());
                LATE.set(Some(reads_late));
                assert!(read());
            });
            thread.join().unwrap();
            assert!(done.load(Ordering::Relaxed));
        }
    }

    struct EndsUnlocked(Arc<Exchange>, Arc<AtomicBool>);

    impl Wake for EndsUnlocked {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for EndsUnlocked {
        fn drop(&mut self) {
            // It may be the last that holds a task, and that a call.
            self.1.fetch_and(self.0.session.try_lock().is_ok(), Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn wakers_of_calls_are_dropped_under_no_lock() {
        let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
        let unlocked = Arc::new(AtomicBool::new(true));
        let mut call = Box::pin(exchange.request(What::default(), Vec::new().into(), None));
        for _ in 0..3 {
            let waker = Arc::new(EndsUnlocked(exchange.clone(), unlocked.clone())).into();
            assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(call);
        assert!(unlocked.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken_under_no_lock() {
        let limits = Limits::default().queued(1, usize::MAX);
        let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
        let call = || exchange.throw(What::default(), Vec::new().into(), None);
        call().await.unwrap();
        let looks = Arc::new(Looks(exchange.clone(), AtomicBool::new(false)));
        let waker = looks.clone().into();
        let mut waits = Box::pin(call());
        let mut cx = Context::from_waker(&waker);
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        exchange.attach(Box::new(TakesAll), Arc::default(), None);
        // What the link brought about was told before: now it is about what it takes.
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        looks.1.store(false, Ordering::Relaxed);
        assert!(matches!(exchange.poll_flush(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_))));
        assert!(looks.1.load(Ordering::Relaxed));
    }
}
