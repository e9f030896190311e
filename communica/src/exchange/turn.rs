//! A handler that runs aside → when those behind it may start.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;

use super::Exchange;
use crate::route::Progress;

/// So often it is looked whether a handler that runs aside is known to have begun, so that those behind it may start.
const LOOK_AFTER: Duration = Duration::from_millis(2);

/// Handlers of this process that compute aside while those behind them start; beyond, those behind wait. Each has a thread, and
/// tokio has 512 of them for all that blocks: without any left, nothing would be read or written.
static ASIDE: Semaphore = Semaphore::const_new(64);

/// The turn to start handlers, while it is with a task.
pub(super) struct Turn {
    exchange: Arc<Exchange>,
    passed: AtomicBool,
    room: &'static Semaphore,
    /// Of one that was passed while its handler computes, until that waits or is done.
    place: OnceLock<SemaphorePermit<'static>>,
}

impl Turn {
    fn new(exchange: Arc<Exchange>, room: &'static Semaphore) -> Self {
        Self { exchange, passed: AtomicBool::new(false), room, place: OnceLock::new() }
    }

    /// Sees to it that it is passed on when the handler that has it is known to have begun, where that can be known.
    pub(super) fn watch(self: Arc<Self>, progress: Progress, runtime: &Handle) -> Option<JoinHandle<()>> {
        progress.is_told().then(|| runtime.spawn(self.pass_when_known(progress)))
    }

    /// Passes it when the handler that has it is known to have begun, and not too many compute aside.
    async fn pass_when_known(self: Arc<Self>, progress: Progress) {
        while !self.passed.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_AFTER).await;
            if !progress.is_known() {
                continue;
            }
            if let Ok(place) = self.room.try_acquire() {
                // Nobody else sets it.
                let _ = self.place.set(place);
                self.pass();
            }
        }
    }

    fn pass(&self) {
        if !self.passed.swap(true, Ordering::Relaxed) {
            self.exchange.session().has_started();
            self.exchange.start_others();
        }
    }
}

/// The turn of a handler, until that waits, is done, panics or never runs.
pub(super) struct Held(Arc<Turn>);

impl Held {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self(Arc::new(Turn::new(exchange, &ASIDE)))
    }

    pub(super) fn turn(&self) -> Arc<Turn> {
        self.0.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.pass();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::{Weak, mpsc};
    use std::thread;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::limits::Limits;
    use crate::route::Handlers;

    /// For one.
    static ROOM: Semaphore = Semaphore::const_new(1);

    #[tokio::test]
    async fn those_behind_wait_while_too_many_compute_aside() {
        let handlers = Arc::new(Handlers::Simple(None));
        let exchange =
            Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
        let turn = Arc::new(Turn::new(exchange, &ROOM));
        let (told, progress) = mpsc::channel();
        let (_end, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            told.send(Progress::of_this_thread(0)).unwrap();
            while ended.try_recv() == Err(mpsc::TryRecvError::Empty) {}
        });
        let progress = progress.recv().unwrap();
        let another = ROOM.try_acquire().unwrap();
        let watching = turn.clone().watch(progress.clone(), &Handle::current()).unwrap();
        let known = async {
            while !progress.is_known() {
                sleep(LOOK_AFTER).await;
            }
        };
        timeout(Duration::from_secs(20), known).await.unwrap();
        sleep(LOOK_AFTER * 5).await;
        assert!(!turn.passed.load(Ordering::Relaxed));
        drop(another);
        timeout(Duration::from_secs(20), watching).await.unwrap().unwrap();
        assert!(turn.passed.load(Ordering::Relaxed));
        assert_eq!(ROOM.available_permits(), 0, "it has its place while its handler computes");
        drop(turn);
        assert_eq!(ROOM.available_permits(), 1);
    }

    #[tokio::test]
    async fn where_nobody_tells_how_far_a_handler_is_nobody_looks() {
        let exchange = Exchange::new("w1".to_owned(), Weak::new(), Limits::default(), Handle::current());
        let turn = Arc::new(Turn::new(exchange, &ROOM));
        assert!(turn.clone().watch(Progress::default(), &Handle::current()).is_none());
        assert!(!turn.passed.load(Ordering::Relaxed));
    }
}
