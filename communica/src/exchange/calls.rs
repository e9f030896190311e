//! What callers want: requests and throws in, how they ended out.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::{Exchange, Flushed, News, wake};
use crate::clock::timeout;
use crate::entity::Inflight;
use crate::error::{Error, Reason};
use crate::serializer::Payload;
use crate::session::{Abandoned, CallEnd, CallId, Refused, Waiting, What};
use crate::turns::let_others_first;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit {
    /// What the caller set: errors name it.
    limit: Duration,
    /// Of which so much is left.
    left: Duration,
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, left: limit }
    }

    pub(crate) fn left(self) -> Duration {
        self.left
    }

    pub(crate) fn without(self, spent: Duration) -> Self {
        Self { left: self.left.saturating_sub(spent), ..self }
    }

    /// `no_connection`: why there was none.
    pub(crate) fn passed(self, no_connection: Option<String>) -> Reason {
        Reason::TimedOut { limit: self.limit, no_connection }
    }
}

impl Exchange {
    /// Sends a request and waits for how it ends. Dropping the future gives the call up: if its message did not go
    /// out yet, it never will.
    pub(crate) async fn request(&self, what: What<'_>, payload: Payload, time: Option<TimeLimit>) -> CallEnd {
        let said = self.said();
        let what = What { now: said.at, said: Some(said), ..what };
        let Some(time) = time else { return self.request_untimed(what, payload, &mut None).await };
        if time.left.is_zero() {
            return CallEnd::Lost(Error::NotSent(time.passed(self.why_no_link())));
        }
        let mut unsent = None;
        let call = self.request_untimed(what, payload, &mut unsent);
        let waited = timeout(time.left, &self.runtime, call).await;
        waited.unwrap_or_else(|_| {
            let reason = time.passed(self.why_no_link());
            // `None`: it was not even accepted.
            CallEnd::Lost(if unsent.unwrap_or(true) {
                Error::NotSent(reason)
            } else {
                Error::MayHaveRun(reason)
            })
        })
    }

    /// `unsent` is set when the future is dropped after the call was accepted: whether it will never be sent.
    async fn request_untimed(
        &self,
        mut what: What<'_>,
        payload: Payload,
        unsent: &mut Option<bool>,
    ) -> CallEnd {
        let mut payload = Some(payload);
        let accepted = self.accepted(what.route, |cx| {
            // A user's own code, so not under the lock.
            let mut waker = Some(cx.waker().clone());
            let mut session = self.session();
            let requested = session.request(what, &mut payload);
            // Who waits for room says it later than that.
            what.said = None;
            let requested = requested?;
            // Noted under the same lock: the call cannot have ended yet.
            let _ = session.poll_call(requested.call, &mut waker);
            Ok(requested)
        });
        let requested = match accepted.await {
            Ok(requested) => requested,
            Err(reason) => return CallEnd::Lost(Error::NotSent(reason)),
        };
        let (call, mut is_noted) = (requested.call, true);
        let mut pending = Pending { exchange: self, call: Some(call), watches: requested.watch, unsent };
        wake(requested.wake);
        if requested.alone && self.flush_now() != Some(Flushed::All) {
            self.call_driver();
        }
        let end = poll_fn(|cx| {
            // In this very turn: should the call have ended since, this waker was woken.
            if std::mem::take(&mut is_noted) {
                if pending.watches {
                    let_others_first(cx);
                }
                return Poll::Pending;
            }
            pending.see_to_driver();
            let mut waker = Some(cx.waker().clone());
            let end = self.session().poll_call(call, &mut waker);
            end.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        pending.call = None;
        end
    }

    /// Sends a throw. Done when the message is accepted.
    pub(crate) async fn throw(
        &self,
        what: What<'_>,
        payload: Payload,
        time: Option<TimeLimit>,
    ) -> Result<(), Error> {
        if let Some(time) = time.filter(|time| time.left.is_zero()) {
            return Err(Error::NotSent(time.passed(self.why_no_link())));
        }
        let mut payload = Some(payload);
        let accepted = self.accepted(what.route, |_| self.session().throw(what, &mut payload));
        let accepted = match time {
            None => accepted.await,
            Some(time) => {
                let accepted = timeout(time.left, &self.runtime, accepted).await;
                accepted.unwrap_or_else(|_| Err(time.passed(self.why_no_link())))
            }
        };
        wake(accepted.map_err(Error::NotSent)?);
        Ok(())
    }

    /// Tries until there is room.
    async fn accepted<T>(
        &self,
        route: Option<&str>,
        mut send: impl FnMut(&TaskContext<'_>) -> Result<T, Refused>,
    ) -> Result<T, Reason> {
        let mut send = |cx: &mut TaskContext<'_>| Poll::Ready(send(cx));
        let mut waits = None;
        loop {
            match poll_fn(&mut send).await {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::For(reason)) => return Err(reason),
                Err(Refused::Full) => {}
            }
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            // Room may have come between the two looks; then nobody would say so again.
            match poll_fn(&mut send).await {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::For(reason)) => return Err(reason),
                Err(Refused::Full) => {}
            }
            waits.get_or_insert_with(|| self.waits_for_room.enter(route));
            room.await;
        }
    }

    /// The calls that wait, the longest first.
    pub(crate) fn inflight(&self) -> Vec<Inflight> {
        let (now, waiting) = (self.now(), self.session().waiting_calls());
        let mut calls = self.waits_for_room.list(&self.client_id);
        calls.extend(waiting.into_iter().map(|Waiting { route, since, is_sent }| Inflight {
            route,
            client_id: self.client_id.to_string(),
            age: now.saturating_sub(since),
            is_sent,
        }));
        calls.sort_by_key(|call| std::cmp::Reverse(call.age));
        calls
    }
}

/// Gives the call up when its future is dropped before it ended.
struct Pending<'a> {
    exchange: &'a Exchange,
    call: Option<CallId>,
    /// See [`Requested::watch`](crate::session::Requested::watch).
    watches: bool,
    unsent: &'a mut Option<bool>,
}

impl Pending<'_> {
    /// The others had their turn: if the driver did not have its own, one of them keeps its thread.
    fn see_to_driver(&mut self) {
        if !std::mem::take(&mut self.watches) {
            return;
        }
        let mut session = self.exchange.session();
        let driver = if session.driver_has_looked() { None } else { session.call_driver() };
        drop(session);
        wake(driver);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.see_to_driver();
        if let Some(call) = self.call {
            let Abandoned { unsent, wake: driver, waiter } = self.exchange.session().abandon(call);
            *self.unsent = Some(unsent);
            drop(waiter);
            wake(driver);
            // It may have been the last thing that was left to send.
            self.exchange.tell(News { made_room: true, idle: unsent });
        }
    }
}
