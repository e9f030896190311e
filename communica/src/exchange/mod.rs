//! One peer's session, shared: callers put messages in, handlers put answers in, the driver carries both.
//!
//! Locks: `writer` before `session`; both are held for moments and never over an await. A user's own `LinkTx` runs under
//! `writer`. Under `session` no user code does, but for what ARCHITECTURE.md names.

mod blocking;
mod calls;
mod endings;
mod handlers;
mod turn;
mod writer;

use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::connector::PeerInfo;
use crate::limits::Limits;
use crate::route::Handlers;
use crate::running::Running;
use crate::session::Session;
pub(crate) use blocking::on_the_pool;
pub(crate) use calls::TimeLimit;
pub(crate) use writer::Flushed;
use writer::Writer;

/// Everything about one peer that outlives its links.
pub(crate) struct Exchange {
    client_id: String,
    /// Those of the entity that this belongs to. Handlers may keep their peers, so this must not keep them.
    handlers: Weak<Handlers>,
    pub(crate) limits: Limits,
    /// In which its entity lives.
    pub(crate) runtime: Handle,
    /// Where its clock begins.
    born: Instant,
    session: Mutex<Session<Waker>>,
    writer: Mutex<Option<Writer>>,
    /// Who was at the other end of the latest link.
    peer: Mutex<Arc<PeerInfo>>,
    /// Room for callers that found the outbox full.
    room: Notify,
    /// A link or a place came or went, or the last handler finished.
    pub(crate) changed: Notify,
    /// Handlers that were not done at once.
    running: Running,
    /// Connections of this peer that its server let in, be they links already or not.
    pub(crate) places: AtomicUsize,
    /// Held by the driver of the current link.
    pub(crate) link_slot: Arc<tokio::sync::Mutex<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Of users' code only what ARCHITECTURE.md names runs under these locks, where all is whole: so a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl Exchange {
    pub(crate) fn new(
        client_id: String,
        handlers: Weak<Handlers>,
        limits: Limits,
        runtime: Handle,
    ) -> Arc<Self> {
        // 64 random bits, so that no answer to another process's request is ever taken for one of ours.
        let session = Session::new(crate::random::hex(8), &limits);
        Arc::new(Self {
            client_id,
            handlers,
            limits,
            runtime,
            born: Instant::now(),
            session: Mutex::new(session),
            writer: Mutex::new(None),
            peer: Mutex::default(),
            room: Notify::new(),
            changed: Notify::new(),
            running: Running::default(),
            places: AtomicUsize::new(0),
            link_slot: Arc::default(),
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
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

    fn call_driver(&self) {
        let driver = self.session().call_driver();
        wake(driver);
    }

    /// Wakes callers that wait for room, and whoever waits for everything to be done.
    pub(crate) fn tell(&self, made_room: bool, idle: bool) {
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
