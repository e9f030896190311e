//! Handlers that may block: off to the pool, an answer back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::task::JoinHandle;

use super::handlers::Job;
use super::{Exchange, lock};
use crate::context::GivenUp;
use crate::error::{Fault, FaultKind};
use crate::panics::caught;
use crate::route::Block;
use crate::wire::{Kind, Metadata};

const NO_THREAD: &str =
    "the system gives this side no thread for a handler that may block, see its limit of threads";

/// `None` when the system has no thread for the pool, which tokio takes for a panic. What was to run may be dropped later then.
pub(crate) fn on_the_pool(run: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    caught(|| tokio::task::spawn_blocking(run))
}

impl Exchange {
    /// Runs a handler where it may block. Once it has begun nothing stops it: so it keeps its place among those that run
    /// until it ends, also when nobody waits for its answer any more. Given up before, it never begins.
    pub(super) fn spawn_blocking(
        self: &Arc<Self>,
        metadata: Metadata,
        deadline: Option<Instant>,
        run: Block,
    ) {
        let is_request = metadata.kind() == Kind::Request;
        let id = is_request.then(|| metadata.id().into_owned());
        // Whoever takes it out answers.
        let job = Arc::new(Mutex::new(Some(Job::new(self.clone(), self.handlers.upgrade(), metadata))));
        let taken = job.clone();
        let given_up = GivesUp::default();
        let flag = given_up.0.clone();
        let blocked = on_the_pool(move || {
            let Some(job) = lock(&taken).take() else { return };
            if flag.load(Ordering::Relaxed) {
                return;
            }
            let given_up = GivenUp(Some(flag.clone()));
            let ended = catch_unwind(AssertUnwindSafe(|| run(given_up)));
            // That of a throw was nobody's to wait for.
            if !is_request || !flag.load(Ordering::Relaxed) {
                job.finish(ended);
            }
        });
        let Some(blocked) = blocked else {
            let mine = lock(&job).take();
            match mine {
                Some(job) => job.finish(Ok(Err(Fault::new(FaultKind::Unknown, NO_THREAD, None)))),
                // The pool has a thread after all, and nothing stops it.
                None => std::mem::forget(given_up),
            }
            return;
        };
        let (exchange, waited_for) = (self.clone(), id.clone());
        self.keep(id, |ends| async move {
            let (_ends, _given_up) = (ends, given_up);
            match deadline.filter(|_| is_request) {
                // What it has to say, it has said to the exchange.
                None => drop(blocked.await),
                Some(deadline) => drop(tokio::time::timeout_at(deadline.into(), blocked).await),
            }
            // Also when it was done before this task was known.
            waited_for.iter().for_each(|id| exchange.running.done(id));
        });
    }
}

/// Dropped when nobody waits for a handler any more, be it done or not.
#[derive(Default)]
struct GivesUp(Arc<AtomicBool>);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;
    use tokio::runtime::Handle;

    use super::*;
    use crate::limits::Limits;
    use crate::route::Handlers;
    use crate::wire::Message;

    /// As where the system has no thread left, tokio panics where there is no runtime.
    #[tokio::test]
    async fn a_handler_that_gets_no_thread_is_answered_and_holds_up_nobody() {
        let handlers = Arc::new(Handlers::Simple(None));
        let exchange =
            Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
        let metadata = Bytes::from_static(br#"{"id":"a","type":1,"route":"r"}"#);
        let (mut mine, mut started) = (false, VecDeque::new());
        {
            let mut session = exchange.session();
            session.receive(&mut Message::parse(metadata, Bytes::new()).unwrap());
            session.start_jobs(&mut mine, &mut started);
        }
        let (of_thread, request) = (exchange.clone(), started.remove(0).unwrap().metadata);
        let run = |_| panic!("there is no thread");
        std::thread::spawn(move || of_thread.spawn_blocking(request, None, Box::new(run))).join().unwrap();
        let session = exchange.session();
        assert!(session.no_jobs() && session.has_unsent());
    }
}
