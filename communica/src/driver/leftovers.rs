//! What the peer said before it went, or before the link broke, in; how the link ended out.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::{Driver, LinkEnd};
use crate::connector::{LinkError, Received, is_elsewhere};

/// A peer that went.
pub(super) struct Left {
    /// Its last words.
    reason: Option<String>,
    /// Runs out when nobody waits for it any more.
    time: Pin<Box<Sleep>>,
}

impl Left {
    /// What it left is worked off for so long.
    pub(super) fn new(reason: Option<String>, time: Duration) -> Self {
        Self { reason, time: Box::pin(sleep(time)) }
    }
}

impl Driver {
    /// Whether what runs here should be finished over this link though the peer went. A client comes back to this
    /// process or to none; what a server does not finish, the store gives to another, which would do it once more.
    pub(super) fn may_have_leftovers(&self, reason: Option<&str>) -> bool {
        self.stored && self.finishes && !self.goodbye_said && !is_elsewhere(reason)
    }

    /// Works off what came before the peer went.
    pub(super) fn poll_leftovers(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        loop {
            let inbox = &mut self.room.get_or_insert_default().inbox;
            match self.rx.poll_recv(cx, inbox) {
                // Answers by other ways than the goodbye.
                Poll::Ready(Ok(Received::Messages)) => {
                    self.take_in();
                }
                // The peer is somebody else's by now.
                Poll::Ready(Ok(Received::Closed { reason })) if is_elsewhere(reason.as_deref()) => {
                    return Poll::Ready(LinkEnd::Peer(reason));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(LinkEnd::Broken(error)),
                Poll::Ready(Ok(Received::Closed { .. })) | Poll::Pending => break,
            }
        }
        if self.exchange.session().may_start_jobs() {
            self.exchange.start_jobs(&mut self.room.get_or_insert_default().jobs);
        }
        if let Poll::Ready(end) = self.poll_write(cx) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_confirmed(cx) {
            return Poll::Ready(end);
        }
        if self.goodbye_said {
            return Poll::Ready(LinkEnd::Here);
        }
        let (idle, is_calling) = {
            let session = self.exchange.session();
            (session.is_idle(), session.has_calls())
        };
        if let Some(left) = self.left.as_mut().filter(|_| !idle) {
            // A handler that waits for the peer itself would keep the link for ever; any other one has its time.
            let over = left.time.as_mut().poll(cx).is_ready();
            if !over || !is_calling {
                return Poll::Pending;
            }
        }
        Poll::Ready(LinkEnd::Peer(self.left.take().and_then(|left| left.reason)))
    }

    /// Nothing more can be sent. What the peer said before may tell why.
    pub(super) fn broken(&mut self, cx: &mut Context<'_>, error: io::Error) -> LinkEnd {
        // It is asked until there is nothing more.
        self.rx.busy_poll(false);
        let mut before = self.rx.activity();
        let mut came = true;
        loop {
            // What may not wait here is not read here either: whoever sends without reading would fill memory, link by link.
            if self.exchange.session().has_more_than_may_wait() {
                return LinkEnd::Broken(error.into());
            }
            let inbox = &mut self.room.get_or_insert_default().inbox;
            match self.rx.poll_recv(cx, inbox) {
                Poll::Ready(Ok(Received::Messages)) => {
                    came = true;
                    self.take_in();
                    self.exchange.start_jobs(&mut self.room.get_or_insert_default().jobs);
                }
                Poll::Ready(Ok(Received::Closed { reason })) => return LinkEnd::Peer(reason),
                Poll::Ready(Err(refused @ LinkError::Refused(_))) => return LinkEnd::Broken(refused),
                Poll::Ready(Err(_)) => return LinkEnd::Broken(error.into()),
                // It may have let others go first, with more to read.
                Poll::Pending if came || before != self.rx.activity() => {
                    came = false;
                    before = self.rx.activity();
                }
                Poll::Pending => return LinkEnd::Broken(error.into()),
            }
        }
    }
}
