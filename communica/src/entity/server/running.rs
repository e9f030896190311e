//! A server from its start to its end: who holds it, what it does when it is to stop.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::{Server, lock};
use crate::clock::timeout;
use crate::entity::all::all;
use crate::entity::client::GOODBYE;
use crate::entity::shutdown::Shutdown;
use crate::error::{Error, Reason};
use crate::route::Handlers;
use crate::session::{Goodbye, Session};

/// A server while somebody holds it. Dropping the last handle ends it on the spot; `stop` ends it in order.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    /// What its exchanges use.
    _handlers: Arc<Handlers>,
    /// The one that accepts, which holds the listener; …
    accepts: AbortHandle,
    /// … until it has ended.
    not_ended: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    /// The one that forgets. It lives for as long as the server does.
    forgets: AbortHandle,
    /// Without secrets.
    pub(crate) address: String,
    pub(crate) state: String,
    grace: Duration,
}

impl Running {
    pub(super) fn new(
        server: Arc<Server>,
        handlers: Arc<Handlers>,
        tasks: [JoinHandle<()>; 2],
        address: String,
        state: String,
        grace: Duration,
    ) -> Self {
        let [accepting, forgetting] = tasks;
        Self {
            server,
            _handlers: handlers,
            accepts: accepting.abort_handle(),
            not_ended: tokio::sync::Mutex::new(Some(accepting)),
            forgets: forgetting.abort_handle(),
            address,
            state,
            grace,
        }
    }

    pub(crate) async fn stop(&self) {
        let since = Instant::now();
        self.accept_no_more().await;
        let exchanges: Vec<_> = {
            let known = lock(&self.server.known);
            self.server.stopping.store(true, Ordering::Relaxed);
            let here = known.values().map(|known| known.exchange.clone());
            here.chain(lock(&self.server.leaving).iter().cloned()).collect()
        };
        for exchange in &exchanges {
            exchange.session().drain();
        }
        let work = exchanges.iter().map(|exchange| async {
            // A client whose connection is about to become a link gets what is for it, too.
            let none_to_come = || exchange.places.load(Ordering::Relaxed) == 0;
            let is_held_up = |session: &Session<_>| session.is_held_up() && none_to_come();
            exchange.wait_until(|session| session.no_jobs() || is_held_up(session)).await;
            if is_held_up(&exchange.session()) {
                // Nobody comes for those answers any more.
                exchange.no_more_links(Reason::Closed);
                exchange.wait_until(|session| session.no_jobs()).await;
            }
            exchange.wait_until(|session| session.is_idle() || !session.is_linked() && none_to_come()).await;
        });
        let left = self.grace.saturating_sub(since.elapsed());
        let _ = timeout(left, &self.server.runtime, all(work)).await;
        let goodbyes = exchanges.iter().map(|exchange| async {
            exchange.answer_for_stopped().await;
            exchange.session().refuse_calls(Reason::Closed);
            exchange.end_link(Goodbye { reason: Some("the server stopped".to_owned()), at_once: false });
            exchange.wait_until(|session| !session.is_linked()).await;
        });
        let left = self.grace.saturating_sub(since.elapsed()).max(GOODBYE);
        let _ = timeout(left, &self.server.runtime, all(goodbyes)).await;
        self.end();
    }

    /// The address is free when this is done.
    async fn accept_no_more(&self) {
        self.abort_accepting();
        let ended = async {
            let mut not_ended = self.not_ended.lock().await;
            if let Some(task) = not_ended.as_mut() {
                // It was aborted, which is what its result says.
                let _ = task.await;
                *not_ended = None;
            }
        };
        // Its runtime may stand still.
        match timeout(self.grace.max(GOODBYE), &self.server.runtime, ended).await {
            Ok(()) => {}
            Err(_) => tracing::warn!(
                address = self.address,
                "the runtime of a server stands still: it may still listen"
            ),
        }
    }

    fn abort_accepting(&self) {
        self.server.accepts.store(false, Ordering::Relaxed);
        self.accepts.abort();
    }

    fn end(&self) {
        self.abort_accepting();
        self.server.end();
        self.forgets.abort();
    }

    /// Runs until the server is over or the system wants the process to end; then stops in order.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        self.run_with(Shutdown::listen()?).await
    }

    async fn run_with(&self, mut shutdown: Shutdown) -> Result<(), Error> {
        {
            let (mut ended, mut asked) = (pin!(self.server.ended()), pin!(shutdown.asked()));
            poll_fn(|cx| match ended.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => asked.as_mut().poll(cx),
            })
            .await;
        }
        let is_broken = self.server.is_broken();
        shutdown.or_asked_again(self.stop()).await;
        self.end();
        if is_broken { Err(self.cannot_accept()) } else { Ok(()) }
    }

    fn cannot_accept(&self) -> Error {
        let source =
            io::Error::other("the task that accepts connections ended, by a panic or with its runtime");
        Error::Listen { address: self.address.clone(), source: Arc::new(source) }
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
        running?.run_with(shutdown).await
    }
}

impl Server {
    /// Nobody is let in any more, and nothing is done for those that are there.
    pub(super) fn end(&self) {
        let here: Vec<_> = lock(&self.known).values().map(|known| known.exchange.clone()).collect();
        for exchange in here {
            exchange.say_that_it_is_over("the server ended");
        }
        self.ended.store(true, Ordering::Relaxed);
        lock(&self.connections).abort_all();
        // Callers are woken, which is nothing to do under a lock.
        let (known, leaving) = {
            let mut known = lock(&self.known);
            (std::mem::take(&mut *known), std::mem::take(&mut *lock(&self.leaving)))
        };
        for exchange in known.into_values().map(|known| known.exchange).chain(leaving) {
            exchange.abort_jobs();
            exchange.close(Reason::Closed);
        }
        self.came_or_went.notify_waiters();
    }

    /// Waits until nobody is let in any more, and says so at once when that is so already.
    async fn ended(&self) {
        let never = || None::<Infallible>;
        let _ = self.come(&never).await;
    }

    /// It ended and was not asked to.
    fn is_broken(&self) -> bool {
        self.ended.load(Ordering::Relaxed) && self.accepts.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
