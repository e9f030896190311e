//! One request: what a caller wants in, how it ended out.
//!
//! A future by hand: nested `async fn`s would each have a copy of what the caller said, and of the payload.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::{Exchange, Flushed, News, wake};
use crate::connector::BoxFuture;
use crate::error::{Error, Reason};
use crate::serializer::Payload;
use crate::session::{Abandoned, CallEnd, CallId, Refused, Requested, What};
use crate::turns::let_others_first;

/// Sends the message when it is polled for the first time, and waits for how the call ends. Dropped before that, it is given up: a
/// message that did not go out yet never will.
pub(super) struct Request<'a> {
    exchange: &'a Exchange,
    state: State<'a>,
}

enum State<'a> {
    New {
        what: What<'a>,
        payload: Option<Payload>,
    },
    /// There was no room.
    WaitsForRoom(BoxFuture<'a, Result<Requested<Waker>, Reason>>),
    /// `watches`: see [`Requested::watch`].
    Sent {
        call: CallId,
        watches: bool,
    },
    Over,
}

impl<'a> Request<'a> {
    pub(super) fn new(exchange: &'a Exchange, what: What<'a>, payload: Payload) -> Self {
        Self { exchange, state: State::New { what, payload: Some(payload) } }
    }

    /// Nobody waits any more. Whether the message will never be sent.
    pub(super) fn give_up(&mut self) -> bool {
        self.see_to_driver();
        let State::Sent { call, .. } = std::mem::replace(&mut self.state, State::Over) else { return true };
        let Abandoned { unsent, wake: driver, waiter } = self.exchange.session().abandon(call);
        drop(waiter);
        wake(driver);
        // It may have been the last thing that was left to send.
        self.exchange.tell(News { made_room: true, idle: unsent });
        unsent
    }

    /// The others had their turn: if the driver did not have its own, one of them keeps its thread.
    fn see_to_driver(&mut self) {
        let State::Sent { watches, .. } = &mut self.state else { return };
        if !std::mem::take(watches) {
            return;
        }
        let mut session = self.exchange.session();
        let driver = if session.driver_has_looked() { None } else { session.call_driver() };
        drop(session);
        wake(driver);
    }

    fn poll_end(&self, call: CallId, cx: &Context<'_>) -> Poll<CallEnd> {
        // Mostly it has ended, and nobody has to be woken.
        if let Some(end) = self.exchange.session().take_end(call) {
            return Poll::Ready(end);
        }
        // A user's own code, so not under the lock.
        let mut waker = Some(cx.waker().clone());
        let end = self.exchange.session().poll_call(call, &mut waker);
        end.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Requested<Waker>, Reason>> {
        match &mut self.state {
            State::New { what, payload } => {
                let said = self.exchange.said();
                let what = What { now: said.at, said: Some(said), ..*what };
                match self.exchange.try_request(what, payload, cx) {
                    Ok(requested) => Poll::Ready(Ok(requested)),
                    Err(Refused::For(reason)) => Poll::Ready(Err(reason)),
                    Err(Refused::Full) => {
                        let mut waits = self.exchange.request_later(what, payload.take());
                        let sent = waits.as_mut().poll(cx);
                        self.state = State::WaitsForRoom(waits);
                        sent
                    }
                }
            }
            State::WaitsForRoom(waits) => waits.as_mut().poll(cx),
            State::Sent { .. } | State::Over => Poll::Pending,
        }
    }
}

impl Future for Request<'_> {
    type Output = CallEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallEnd> {
        if let State::Sent { call, .. } = self.state {
            self.see_to_driver();
            let end = ready!(self.poll_end(call, cx));
            self.state = State::Over;
            return Poll::Ready(end);
        }
        let Requested { call, alone, wake: driver, watch } = match ready!(self.poll_sent(cx)) {
            Ok(requested) => requested,
            Err(reason) => {
                self.state = State::Over;
                return Poll::Ready(CallEnd::Lost(Error::NotSent(reason)));
            }
        };
        self.state = State::Sent { call, watches: watch };
        wake(driver);
        if alone && self.exchange.flush_now() != Some(Flushed::All) {
            self.exchange.call_driver();
        }
        // It may have ended since, but then the waker that is kept was woken.
        if watch {
            let_others_first(cx);
        }
        Poll::Pending
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if matches!(self.state, State::Sent { .. }) {
            self.give_up();
        }
    }
}
