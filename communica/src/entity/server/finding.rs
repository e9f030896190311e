//! Who is to be called → the clients that are there, or whoever comes; and a word in the log when nobody does.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Server, lock};
use crate::clock::by_clock_of;
use crate::entity::peer::Inflight;
use crate::error::Reason;
use crate::excerpt::excerpt;
use crate::exchange::Exchange;

/// Client ids in the log, beside the one that somebody waits for.
const IDS_TOLD: usize = 5;

/// Of so many client ids it is known that they were told of.
const MISSING_TOLD: usize = 100;

/// Who was told of in the log to be missing, and did not come since.
#[derive(Default)]
pub(super) struct Missing {
    anybody: bool,
    /// The one told of last stands last.
    ids: VecDeque<String>,
}

impl Server {
    /// Calls to all clients, whether they are connected or not, and those for which nobody is.
    pub(crate) fn inflight(&self) -> Vec<Inflight> {
        let known: Vec<_> = lock(&self.known).values().map(|known| known.exchange.clone()).collect();
        let mut calls = self.unassigned.list("");
        calls.extend(known.iter().flat_map(|exchange| exchange.inflight()));
        calls.sort_by_key(|call| std::cmp::Reverse(call.age));
        calls
    }

    pub(crate) fn connected(&self) -> Vec<Arc<Exchange>> {
        let mut connected = lock(&self.here).clone();
        connected.retain(|client| client.session().is_linked());
        connected
    }

    /// A client by id, once it has been here. After the server ended, one that answers every call with that.
    pub(crate) async fn by_id(&self, client_id: &str) -> Arc<Exchange> {
        let look = || lock(&self.known).get(client_id).map(|known| known.exchange.clone());
        let found = self.find(look, || self.tell_that_one_does_not_come(client_id)).await;
        found.unwrap_or_else(|reason| {
            let exchange = self.exchange(client_id.to_owned());
            exchange.close(reason);
            exchange
        })
    }

    /// A client is connected from now on: whoever waits looks again.
    pub(super) fn somebody_came(&self, client_id: &str) {
        {
            let mut missing = lock(&self.missing);
            missing.anybody = false;
            missing.ids.retain(|id| id != client_id);
        }
        self.came_or_went.notify_waiters();
    }

    /// Looks until there is something, without end, but not in silence.
    pub(super) async fn find<T>(
        &self,
        look: impl Fn() -> Option<T>,
        tell: impl FnOnce(),
    ) -> Result<T, Reason> {
        if let Some(found) = self.found(&look) {
            return found;
        }
        let mut comes = pin!(self.come(&look));
        // By the server's own clock: there may be none where the caller is.
        if let Ok(found) = by_clock_of(&self.runtime, self.limits.resume_time, comes.as_mut()).await {
            return found;
        }
        if let Some(found) = self.found(&look) {
            return found;
        }
        tell();
        comes.await
    }

    /// Looks until there is something, whenever a client came or went.
    pub(super) async fn come<T>(&self, look: &impl Fn() -> Option<T>) -> Result<T, Reason> {
        loop {
            let mut came_or_went = pin!(self.came_or_went.notified());
            came_or_went.as_mut().enable();
            if let Some(found) = self.found(look) {
                return found;
            }
            came_or_went.await;
        }
    }

    /// What is there now, or that nothing will be.
    fn found<T>(&self, look: &impl Fn() -> Option<T>) -> Option<Result<T, Reason>> {
        let ended = || self.ended.load(Ordering::Relaxed).then_some(Err(Reason::Closed));
        look().map(Ok).or_else(ended)
    }

    /// Once for each, until it comes: there may be a thousand who wait for it, or one who does so again and again.
    fn tell_that_one_does_not_come(&self, client_id: &str) {
        {
            let ids = &mut lock(&self.missing).ids;
            if ids.iter().any(|id| id == client_id) {
                return;
            }
            let too_many = (ids.len() + 1).saturating_sub(MISSING_TOLD);
            ids.drain(..too_many);
            ids.push_back(client_id.to_owned());
        }
        let mut connected: Vec<_> =
            self.connected().iter().map(|exchange| excerpt(exchange.client_id())).collect();
        connected.sort_unstable();
        let more = connected.len().saturating_sub(IDS_TOLD);
        connected.truncate(IDS_TOLD);
        let client_id = excerpt(client_id);
        let waited = self.limits.resume_time;
        tracing::warn!(
            client_id,
            ?connected,
            more,
            ?waited,
            "nobody with this client id is known here, still waiting: `connected` are others, and `more` that are not listed"
        );
    }

    pub(super) fn tell_that_nobody_comes(&self) {
        if !std::mem::replace(&mut lock(&self.missing).anybody, true) {
            let waited = self.limits.resume_time;
            tracing::warn!(?waited, "no client is connected, calls to any wait for one");
        }
    }
}
