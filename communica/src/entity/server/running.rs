//! A server from its start to its end: who holds it, what it does when it is to stop.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Server, lock};
use crate::entity::client::GOODBYE;
use crate::entity::shutdown::Shutdown;
use crate::error::{Error, Reason};
use crate::session::Goodbye;

/// A server while somebody holds it. Dropping the last handle ends it on the spot; `stop` ends it in order.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    /// The one that accepts, which holds the listener, and the one that forgets.
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Without secrets.
    pub(crate) address: String,
    pub(crate) state: String,
    pub(super) grace: Duration,
}

impl Running {
    pub(crate) async fn stop(&self) {
        self.accept_no_more().await;
        let exchanges: Vec<_> = {
            let known = lock(&self.server.known);
            self.server.stopping.store(true, Ordering::Relaxed);
            known.values().map(|known| known.exchange.clone()).collect()
        };
        for exchange in &exchanges {
            exchange.session().drain();
        }
        let since = Instant::now();
        let work = exchanges.iter().map(|exchange| async {
            exchange.wait_until(|session| session.no_jobs()).await;
            // A client whose connection is about to become a link gets what is for it, too.
            let none_to_come = || exchange.places.load(Ordering::Relaxed) == 0;
            exchange.wait_until(|session| session.is_idle() || !session.is_linked() && none_to_come()).await;
        });
        let _ = timeout(self.grace, all(work)).await;
        let goodbyes = exchanges.iter().map(|exchange| async {
            exchange.session().refuse_calls(Reason::Closed);
            exchange.end_link(Goodbye { reason: Some("the server stopped".to_owned()), at_once: false });
            exchange.wait_until(|session| !session.is_linked()).await;
        });
        let left = self.grace.saturating_sub(since.elapsed()).max(GOODBYE);
        let _ = timeout(left, all(goodbyes)).await;
        self.end();
    }

    /// The address is free when this is done.
    async fn accept_no_more(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // It was aborted, which is what its result says.
            let _ = task.await;
        }
    }

    fn end(&self) {
        lock(&self.tasks).iter().for_each(JoinHandle::abort);
        for known in lock(&self.server.known).values() {
            known.exchange.say_that_it_is_over("the server ended");
        }
        self.server.ended.store(true, Ordering::Relaxed);
        lock(&self.server.connections).abort_all();
        for (_, known) in lock(&self.server.known).drain() {
            known.exchange.abort_jobs();
            known.exchange.close(Reason::Closed);
        }
        self.server.arrived.notify_waiters();
    }

    /// Runs until the system wants the process to end, then stops in order.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let mut shutdown = Shutdown::listen()?;
        shutdown.asked().await;
        self.end_in_order(shutdown).await;
        Ok(())
    }

    async fn end_in_order(&self, shutdown: Shutdown) {
        shutdown.or_asked_again(self.stop()).await;
        self.end();
    }

    /// Starts and runs. It listens to the system before the first client can come, so that none sees it end without order.
    pub(crate) async fn run_from(start: impl Future<Output = Result<Arc<Self>, Error>>) -> Result<(), Error> {
        let mut shutdown = Shutdown::listen()?;
        let started = {
            let (mut start, mut asked) = (pin!(start), pin!(shutdown.asked()));
            poll_fn(|cx| match asked.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => start.as_mut().poll(cx).map(Some),
            })
            .await
        };
        let Some(running) = started else { return Ok(()) };
        let running = running?;
        shutdown.asked().await;
        running.end_in_order(shutdown).await;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for all, side by side.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut outcomes: Vec<_> = waiting.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut ready = true;
        for (slot, outcome) in waiting.iter_mut().zip(&mut outcomes) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(value) => (*slot, *outcome) = (None, Some(value)),
                Poll::Pending => ready = false,
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
