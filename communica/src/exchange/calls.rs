//! What callers want: requests and throws in, how they ended out.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use super::request::Request;
use super::{Exchange, wake};
use crate::clock::timeout;
use crate::connector::BoxFuture;
use crate::entity::Inflight;
use crate::error::{Error, Reason};
use crate::serializer::Payload;
use crate::session::{CallEnd, Refused, Requested, Waiting, What};

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
    pub(crate) fn request<'a>(
        &'a self,
        what: What<'a>,
        payload: Payload,
        time: Option<TimeLimit>,
    ) -> impl Future<Output = CallEnd> + Send + 'a {
        let mut request = Request::new(self, what, payload);
        async move {
            // By reference: it would move, and its former place stay.
            let Some(time) = time else { return (&mut request).await };
            if time.left.is_zero() {
                return CallEnd::Lost(Error::NotSent(time.passed(self.why_no_link())));
            }
            let waited = timeout(time.left, &self.runtime, &mut request).await;
            waited.unwrap_or_else(|_| {
                let unsent = request.give_up();
                let reason = time.passed(self.why_no_link());
                CallEnd::Lost(if unsent { Error::NotSent(reason) } else { Error::MayHaveRun(reason) })
            })
        }
    }

    /// The payload is taken if the request was accepted.
    pub(super) fn try_request(
        &self,
        what: What<'_>,
        payload: &mut Option<Payload>,
        cx: &TaskContext<'_>,
    ) -> Result<Requested<Waker>, Refused> {
        // A user's own code, so not under the lock.
        let mut waker = Some(cx.waker().clone());
        let mut session = self.session();
        let requested = session.request(what, payload)?;
        // Noted under the same lock: the call cannot have ended yet.
        let _ = session.poll_call(requested.call, &mut waker);
        Ok(requested)
    }

    /// Tries again until there is room.
    pub(super) fn request_later<'a>(
        &'a self,
        what: What<'a>,
        mut payload: Option<Payload>,
    ) -> BoxFuture<'a, Result<Requested<Waker>, Reason>> {
        // Who waits says it later than that.
        let what = What { said: None, ..what };
        let route = what.route;
        Box::pin(self.accepted(route, move |cx| self.try_request(what, &mut payload, cx)))
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
