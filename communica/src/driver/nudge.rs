//! A link that wakes nobody, and whose driver waits for its turn behind a task that keeps the thread → another thread goes on with it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::exchange::Exchange;

/// A driver without a turn for so long, or up to twice as long, is called. Each look costs a thread that sleeps a wake.
const PERIOD: Duration = Duration::from_millis(5);

/// Looks after one driver while that is on.
pub(super) struct Nudge {
    /// The runtime has other threads.
    has_others: bool,
    /// Most links never need it.
    seen: Option<Arc<Seen>>,
}

struct Seen {
    is_on: AtomicBool,
    /// Somebody looks now and then.
    has_watcher: AtomicBool,
    /// Turns of the driver.
    turns: AtomicU32,
}

impl Nudge {
    pub(super) fn new(runtime: &Handle) -> Self {
        Self { has_others: runtime.runtime_flavor() != RuntimeFlavor::CurrentThread, seen: None }
    }

    /// Another thread could go on.
    pub(super) fn has_others(&self) -> bool {
        self.has_others
    }

    pub(super) fn is_on(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.is_on.load(Ordering::Relaxed))
    }

    /// The driver has a turn, and the link wakes nobody.
    pub(super) fn turn(&mut self, exchange: &Arc<Exchange>) {
        let seen = self.seen.get_or_insert_with(|| Arc::new(Seen::new()));
        seen.turns.store(seen.turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        if seen.is_on.load(Ordering::Relaxed) {
            return;
        }
        seen.is_on.store(true, Ordering::SeqCst);
        if self.has_others && !seen.has_watcher.swap(true, Ordering::SeqCst) {
            exchange.runtime.spawn(seen.clone().watch(Arc::downgrade(exchange)));
        }
    }

    pub(super) fn stop(&self) {
        if let Some(seen) = &self.seen {
            seen.is_on.store(false, Ordering::SeqCst);
        }
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Seen {
    fn new() -> Self {
        Self { is_on: AtomicBool::new(false), has_watcher: AtomicBool::new(false), turns: AtomicU32::new(0) }
    }

    async fn watch(self: Arc<Self>, exchange: Weak<Exchange>) {
        let mut before = self.turns.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(PERIOD).await;
            if !self.is_on.load(Ordering::SeqCst) {
                self.has_watcher.store(false, Ordering::SeqCst);
                // It may have begun again in between, when there seemed to be one.
                if !self.is_on.load(Ordering::SeqCst) || self.has_watcher.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
            let turns = self.turns.load(Ordering::Relaxed);
            if turns == before {
                let Some(exchange) = exchange.upgrade() else { return };
                exchange.nudge_driver();
            }
            before = turns;
        }
    }
}
