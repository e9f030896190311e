//! Handlers that may block: off to the pool, an answer back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Exchange;
use super::handlers::Job;
use crate::route::Block;
use crate::wire::{Kind, Metadata};

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
        let job = Job::new(self.clone(), self.handlers.upgrade(), metadata);
        let given_up = GivesUp::default();
        let flag = given_up.0.clone();
        let blocked = tokio::task::spawn_blocking(move || {
            if flag.load(Ordering::Relaxed) {
                return;
            }
            let ended = catch_unwind(AssertUnwindSafe(run));
            if !flag.load(Ordering::Relaxed) {
                job.finish(ended);
            }
        });
        let (exchange, waited_for) = (self.clone(), id.clone());
        self.keep(id, async move {
            let _given_up = given_up;
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
