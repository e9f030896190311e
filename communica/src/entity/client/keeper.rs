//! A client that is to be connected → one link after the other, until there is no point in going on.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::Status;
use crate::connector::{Connector, Link, LinkError, REPLACED, STOPPING, SUPERSEDED};
use crate::driver::{LinkEnd, drive};
use crate::entity::backoff::Backoff;
use crate::error::Reason;
use crate::exchange::Exchange;
use crate::panics::caught;
use crate::route::Handlers;
use crate::session::Goodbye;
use crate::wire::WireError;
use crate::wire::hello::{self, About, ClientHello, ServerHello, Token};

/// A link that was open for so long counts as a good one: after it, attempts to connect begin with the shortest wait.
const STEADY: Duration = Duration::from_secs(2);

/// The last attempt of a client that gives up gets so long at least, or its handshake time if that is less.
const MIN_LAST_ATTEMPT: Duration = Duration::from_secs(1);

fn is_nobody_there(error: &LinkError) -> bool {
    match error {
        LinkError::NobodyThere(_) => true,
        LinkError::Io(error) => matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
        LinkError::Wire(_) | LinkError::Refused(_) => false,
    }
}

fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Opens one link after the other.
pub(super) struct Keeper {
    pub(super) exchange: Arc<Exchange>,
    /// What the exchange uses.
    pub(super) _handlers: Arc<Handlers>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) backoff: Backoff,
    pub(super) status: watch::Sender<Status>,
    pub(super) grace: Duration,
    pub(super) token: Option<Token>,
    /// It is over when there was no link for so long after one; `None` for never.
    pub(super) give_up_after: Option<Duration>,
    /// It was told in the log, and there was no link since.
    pub(super) was_turned_down: bool,
    /// Since the last link ended.
    pub(super) outage: Option<Outage>,
}

pub(super) struct Outage {
    since: Instant,
    told: bool,
    /// What the last attempt said.
    last: Option<String>,
}

/// Whatever ends the keeper (an abort, the end of its runtime): nobody waits for it any more.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.exchange.no_more_links(Reason::Closed);
    }
}

impl Keeper {
    pub(super) async fn run(mut self) {
        let reason = {
            let mut kept = pin!(self.keep_connected());
            // A connector may be a user's own.
            let why = "the task that keeps the connection panicked";
            let panicked = || Poll::Ready(Reason::Disconnected(why.to_owned()));
            poll_fn(|cx| caught(|| kept.as_mut().poll(cx)).unwrap_or_else(panicked)).await
        };
        if !matches!(reason, Reason::Closed) {
            let (address, client_id) = (self.connector.address(), self.exchange.client_id());
            tracing::warn!(address, client_id, %reason, "a client is over");
        }
        self.exchange.no_more_links(reason.clone());
        self.status.send_replace(Status::Ended(reason));
    }

    /// Until there is no point in going on, and why.
    async fn keep_connected(&mut self) -> Reason {
        let mut leaving = None;
        loop {
            let (closed, has_output) = {
                let session = self.exchange.session();
                (session.closed().cloned(), session.has_output())
            };
            if let Some(reason) = closed {
                let since: Instant = *leaving.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.grace || !has_output {
                    return reason;
                }
            }
            // The last attempt comes when the time is over: who is back by then is found.
            let (is_last, outage) = (self.time_left().is_zero(), self.outage_since());
            let ended = match self.open(is_last).await {
                Ok((link, about)) => self.keep(link, about).await,
                Err(error) => self.note(error),
            };
            if let Some(reason) = ended {
                return reason;
            }
            // After a link that was a good one, the time begins anew.
            if is_last && outage == self.outage_since() && self.time_left().is_zero() {
                return self.given_up();
            }
            tokio::time::sleep(self.backoff.next().min(self.time_left())).await;
        }
    }

    fn outage_since(&self) -> Option<Instant> {
        self.outage.as_ref().map(|outage| outage.since)
    }

    /// How long it still tries: without end, unless it is to give up. One that was closed has its grace time for that.
    fn time_left(&self) -> Duration {
        match (self.give_up_after, &self.outage) {
            (Some(time), Some(outage)) if self.was_connected() && !self.exchange.session().is_draining() => {
                whole_millis(time.saturating_sub(outage.since.elapsed()))
            }
            _ => Duration::MAX,
        }
    }

    /// As long again as all of them before it.
    fn last_attempt(&self) -> Duration {
        self.give_up_after.unwrap_or_default().max(MIN_LAST_ATTEMPT)
    }

    fn given_up(&self) -> Reason {
        let last = self.outage.as_ref().and_then(|outage| outage.last.as_deref());
        let last = last
            .map_or("no attempt came to an end".to_owned(), |last| format!("the last attempt said: {last}"));
        let without =
            self.outage.as_ref().map_or(Duration::ZERO, |outage| whole_millis(outage.since.elapsed()));
        Reason::Disconnected(format!("there was no other for {without:?} (`give_up_after`); {last}"))
    }

    /// What is said to the server, and the name of this session in it.
    pub(super) fn hello(&self) -> Result<(Vec<u8>, String), WireError> {
        let about = About { token: self.token.clone(), ..self.exchange.session().about(None) };
        let instance = about.instance.clone();
        let client_id = self.exchange.client_id().to_owned();
        let hello = ClientHello { client_id, communica: Some(about) };
        Ok((hello::text(&hello)?, instance))
    }

    /// A link, and what the server said of itself. `is_last`: it gives up if there is none.
    async fn open(&self, is_last: bool) -> Result<(Link, Option<About>), LinkError> {
        let limits = &self.exchange.limits;
        let (hello, instance) = self.hello()?;
        let left = if is_last { self.last_attempt() } else { self.time_left() };
        let time = limits.handshake_time.min(left);
        let opened = timeout(time, self.connector.connect(&hello, limits)).await;
        let link = opened.unwrap_or_else(|_| {
            let what =
                format!("no handshake within {time:?}: it was not reached, or is there and says nothing");
            Err(std::io::Error::new(ErrorKind::TimedOut, what).into())
        })?;
        let theirs = hello::decode::<ServerHello>(&link.hello)?;
        // A port that is free may lead a connection back to where it came from.
        if theirs.communica.as_ref().is_some_and(|theirs| theirs.instance == instance) {
            return Err(WireError::BadHello("it is this client's own, sent back: no server is there").into());
        }
        Ok((link, theirs.communica))
    }

    /// The server turned this client down. `Some` when there is no point in going on.
    fn turned_down(&mut self, reason: String, was_connected: bool) -> Option<Reason> {
        if reason == REPLACED {
            return Some(Reason::Replaced);
        }
        if reason == SUPERSEDED || reason == STOPPING {
            if !was_connected {
                self.status.send_replace(Status::Trying(Some(reason)));
            }
            return None;
        }
        if !was_connected {
            return Some(Reason::Refused(reason));
        }
        // A server that knew this client and turns it down now may think better of it.
        if !std::mem::replace(&mut self.was_turned_down, true) {
            let (address, client_id) = (self.connector.address(), self.exchange.client_id());
            tracing::warn!(address, client_id, reason, "was turned down, and tries on");
        }
        None
    }

    fn was_connected(&self) -> bool {
        !matches!(*self.status.borrow(), Status::Trying(_))
    }

    /// Drives the link. `Some` when it was the last.
    async fn keep(&mut self, link: Link, about: Option<About>) -> Option<Reason> {
        tracing::info!(address = %link.peer.address, client_id = self.exchange.client_id(), "connected");
        let (since, was_connected) = (Instant::now(), self.was_connected());
        let slot = self.exchange.link_slot.lock().await;
        let driver = drive(&self.exchange, link, about, false);
        // Whoever waits for the connection finds the link attached.
        self.status.send_replace(Status::Connected);
        if self.exchange.session().closed().is_some() {
            self.exchange.end_link(Goodbye { reason: None, at_once: false });
        }
        let end = driver.await;
        drop(slot);
        // Of one that was turned down after it was greeted nobody had anything.
        let outage = self.outage.take().filter(|_| since.elapsed() < STEADY);
        let new = Outage { since: Instant::now(), told: false, last: None };
        // One that ended at once may be about to do so again.
        if since.elapsed() >= STEADY {
            self.backoff.reset();
        }
        let end = match end {
            // It was greeted, and then looked at.
            LinkEnd::Broken(LinkError::Refused(reason)) => {
                let last = Some(reason.clone());
                self.outage = Some(Outage { last, ..outage.unwrap_or(new) });
                return self.turned_down(reason, was_connected);
            }
            end => end,
        };
        self.outage = Some(new);
        self.was_turned_down = false;
        match end {
            LinkEnd::Here => return Some(Reason::Closed),
            LinkEnd::Peer(Some(reason)) if reason == REPLACED => return Some(Reason::Replaced),
            LinkEnd::Peer(_) => {
                tracing::info!(address = self.connector.address(), "the server closed the connection")
            }
            LinkEnd::Broken(error) => {
                tracing::warn!(address = self.connector.address(), %error, "lost the connection");
            }
        }
        None
    }

    /// Keeps the error for who waits. `Some` when there is no point in going on.
    fn note(&mut self, error: LinkError) -> Option<Reason> {
        tracing::debug!(address = self.connector.address(), %error, "could not connect");
        self.exchange.note_no_link(format!("the last attempt to connect ran into: {error}"));
        if let Some(outage) = &mut self.outage {
            outage.last = Some(error.to_string());
        }
        if let LinkError::NobodyThere(error) = &error {
            // Whoever comes next is another process.
            self.exchange.peer_is_gone(&Reason::Disconnected(format!("the server is gone: {error}")));
        }
        let was_connected = self.was_connected();
        if let LinkError::Refused(reason) = error {
            return self.turned_down(reason, was_connected);
        }
        if was_connected {
            self.tell_that_calls_wait(&error);
            return None;
        }
        if matches!(*self.status.borrow(), Status::Trying(None)) {
            tracing::warn!(address = self.connector.address(), %error, "could not connect yet, still trying");
        }
        let hint = if is_nobody_there(&error) { "; does a server run there?" } else { "" };
        self.status.send_replace(Status::Trying(Some(format!("{error}{hint}"))));
        None
    }

    /// They may do so without end, but not in silence.
    fn tell_that_calls_wait(&mut self, error: &LinkError) {
        let Some(outage) = self.outage.as_mut().filter(|outage| !outage.told) else { return };
        let (without, waiting) = (outage.since.elapsed(), self.exchange.inflight().len());
        if waiting > 0 && without >= self.exchange.limits.resume_time {
            outage.told = true;
            let address = self.connector.address();
            tracing::warn!(address, waiting, ?without, %error, "calls wait for a connection, still trying");
        }
    }
}
