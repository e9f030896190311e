//! Signs of life: beats out, whether the peer lives too.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::{Driver, LinkEnd};
use crate::session::{BEATS, Beat};

/// Beats, at each of which both sides should have heard of each other.
pub(super) struct Pulse {
    time: Duration,
    next: Pin<Box<Sleep>>,
    /// What the link had brought at the last.
    activity: u64,
}

impl Pulse {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, next: Box::pin(tokio::time::sleep(time)), activity: 0 }
    }
}

impl Driver {
    /// Says that this side lives, and notices when the peer does not.
    pub(super) fn poll_pulse(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let Some(pulse) = &mut self.pulse else { return Poll::Pending };
        loop {
            ready!(pulse.next.as_mut().poll(cx));
            pulse.next.as_mut().reset(Instant::now() + pulse.time);
            let came = std::mem::replace(&mut pulse.activity, self.rx.activity()) != self.rx.activity();
            let beat = self.exchange.session().beat(came);
            if beat == Beat::Gone {
                let what = format!("nothing was heard of the peer for {:?}", pulse.time * BEATS);
                return Poll::Ready(LinkEnd::Broken(io::Error::new(ErrorKind::TimedOut, what).into()));
            }
        }
    }
}
