//! Clients that are known and connections that want to be theirs → who has which place, in which order, and for how long.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::{Living, Server, lock, takeover};
use crate::connector::{REPLACED, STOPPING};
use crate::exchange::Exchange;

/// So many sessions whose place was taken are remembered for each client id.
const REPLACED_REMEMBERED: usize = 8;

pub(super) struct Known {
    pub(super) exchange: Arc<Exchange>,
    /// When the last of its connections ended.
    gone: Option<Instant>,
    /// The session that had this id last, …
    instance: Option<String>,
    /// … and the number of the newest of its connections that had its turn.
    newest: u64,
    /// Those that had it before, and whose place was taken. Should their link have been cut before they were told, they
    /// come back, and must not push out the newer one.
    replaced: VecDeque<String>,
}

impl Known {
    /// This session has the id from now on, unless its place was taken. What comes without a session of its own is never known
    /// again: a client that speaks 0.4 takes the place of one that has a session, and through a store nobody has any.
    fn hand_over(&mut self, to: Option<&str>) -> Result<(), String> {
        if self.replaced.iter().any(|earlier| Some(earlier.as_str()) == to) {
            return Err(REPLACED.to_owned());
        }
        if self.instance.as_deref() != to {
            self.newest = 0;
            self.replaced.extend(std::mem::replace(&mut self.instance, to.map(str::to_owned)));
            let too_many = self.replaced.len().saturating_sub(REPLACED_REMEMBERED);
            self.replaced.drain(..too_many);
        }
        Ok(())
    }
}

/// A connection that was let in, until it ends or fails to come to be.
pub(super) struct Place<'a> {
    server: &'a Server,
    pub(super) exchange: Arc<Exchange>,
    /// The session that it is for, if it has one.
    instance: Option<String>,
    /// How many connections were accepted before it.
    order: u64,
}

/// A place whose turn it is: every earlier link of this client has ended.
pub(super) struct Turn<'a> {
    pub(super) place: Place<'a>,
    /// The connection's number.
    pub(super) number: u64,
    _slot: OwnedMutexGuard<()>,
}

impl<'a> Place<'a> {
    /// The table of clients is locked meanwhile.
    fn new(server: &'a Server, exchange: Arc<Exchange>, instance: Option<String>, order: u64) -> Self {
        exchange.places.fetch_add(1, Ordering::Relaxed);
        Self { server, exchange, instance, order }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut known = lock(&self.server.known);
        let others = self.exchange.places.fetch_sub(1, Ordering::Relaxed) - 1;
        if let Some(known) = known.get_mut(self.exchange.client_id()) {
            known.gone = (others == 0).then(Instant::now);
        }
        drop(known);
        // Whoever waits for the connection waits in vain now.
        self.exchange.changed.notify_waiters();
    }
}

impl Server {
    /// Ends the link that had this place, and waits for that. `None` when a newer connection came first.
    pub(super) async fn take_turn<'a>(&self, place: Place<'a>) -> Option<Turn<'a>> {
        let number = self.take_over(&place)?;
        let slot = self.turn(&place.exchange, number).await?;
        Some(Turn { place, number, _slot: slot })
    }

    /// Asks the link that has this place to end. `None` when it is for another session now, which came between hello and
    /// here; or when its session made a newer connection, because it gave this one up: those may have their turns in any
    /// order.
    fn take_over(&self, place: &Place<'_>) -> Option<u64> {
        let mut known = lock(&self.known);
        if let Some(known) = known.get_mut(place.exchange.client_id()) {
            let is_older = place.instance.is_some() && place.order < known.newest;
            if known.instance != place.instance || is_older {
                return None;
            }
            known.newest = place.order;
        }
        let taken = place.exchange.session().take_over(takeover());
        drop(known);
        Some(place.exchange.tell_of_takeover(taken))
    }

    /// The place of this client: the one it had, or a new one.
    pub(super) fn admit(
        &self,
        client_id: String,
        instance: Option<String>,
        order: u64,
    ) -> Result<Place<'_>, String> {
        let mut forgotten = None;
        let mut known = lock(&self.known);
        if self.ended.load(Ordering::Relaxed) {
            return Err(STOPPING.to_owned());
        }
        if let Some(known) = known.get_mut(&client_id) {
            known.hand_over(instance.as_deref())?;
            known.gone = None;
            return Ok(Place::new(self, known.exchange.clone(), instance, order));
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Err(STOPPING.to_owned());
        }
        if known.len() + self.still_leaving() >= self.limits.peers {
            // What one that is forgotten threw goes on, and would make no room.
            let gone = known.iter().filter_map(|(id, known)| Some((known.gone?, id, &known.exchange)));
            let idle = gone.filter(|(.., exchange)| exchange.session().no_jobs());
            let longest_gone = idle.map(|(gone, id, _)| (gone, id)).min();
            let Some(id) = longest_gone.map(|(_, id)| id.clone()) else {
                return Err(format!("the server has its {} clients, see `Limits::peers`", self.limits.peers));
            };
            forgotten = known.remove(&id);
            lock(&self.leaving).extend(forgotten.iter().map(|known| known.exchange.clone()));
        }
        let exchange = self.exchange(client_id.clone());
        let newcomer = Known {
            exchange: exchange.clone(),
            gone: None,
            instance: instance.clone(),
            newest: 0,
            replaced: VecDeque::new(),
        };
        known.insert(client_id, newcomer);
        let place = Place::new(self, exchange, instance, order);
        drop(known);
        // Its callers are woken, which is nothing to do under a lock.
        if let Some(forgotten) = forgotten {
            self.let_go(&[forgotten.exchange]);
        }
        Ok(place)
    }

    /// Clients that were forgotten, and of whom something is still handled.
    fn still_leaving(&self) -> usize {
        lock(&self.leaving).iter().filter(|exchange| !exchange.session().no_jobs()).count()
    }

    /// Waits for the link before this one to end. `None` when a newer connection came first.
    async fn turn(&self, exchange: &Exchange, number: u64) -> Option<OwnedMutexGuard<()>> {
        let mut slot = pin!(exchange.link_slot.clone().lock_owned());
        let mut superseded = pin!(exchange.wait_until(|session| !session.is_newest(number)));
        poll_fn(|cx| match slot.as_mut().poll(cx) {
            Poll::Ready(slot) => Poll::Ready(Some(slot)),
            Poll::Pending => superseded.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Forgets clients that are gone for long.
    pub(super) async fn forget(self: Arc<Self>, _living: Living) {
        let time = self.limits.forget_time;
        loop {
            tokio::time::sleep((time / 4).max(Duration::from_millis(10))).await;
            // Those that are over keep memory until somebody looks, and no more may come.
            while lock(&self.connections).try_join_next().is_some() {}
            let mut forgotten = Vec::new();
            {
                let mut known = lock(&self.known);
                known.retain(|_, known| {
                    let keep = known.gone.is_none_or(|gone| gone.elapsed() < time);
                    if !keep {
                        forgotten.push(known.exchange.clone());
                    }
                    keep
                });
                lock(&self.leaving).extend(forgotten.iter().cloned());
            }
            self.let_go(&forgotten);
        }
    }

    /// Ends what waits for these clients, which are leaving.
    fn let_go(&self, forgotten: &[Arc<Exchange>]) {
        for exchange in forgotten {
            tracing::debug!(client_id = exchange.client_id(), "forgot a client");
            exchange.forget();
        }
        let mut done = Vec::new();
        lock(&self.leaving).retain(|exchange| {
            let stays = !exchange.session().no_jobs();
            if !stays {
                done.push(exchange.clone());
            }
            stays
        });
    }
}
