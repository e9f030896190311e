//! Signs of life: beats out, whether the peer lives too.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};

use super::{Driver, LinkEnd};
use crate::session::{BEATS, Beat};

/// Beats, at each of which both sides should have heard of each other.
pub(super) struct Pulse {
    time: Duration,
    /// When the next is due. Once the timer is set, nobody looks at it before that: it is far from all else that a turn is about.
    due: Instant,
    timer: Pin<Box<Sleep>>,
    /// It wakes whoever polls the driver.
    is_set: bool,
    /// What the link had brought at the last.
    activity: u64,
}

impl Pulse {
    pub(super) fn new(time: Duration) -> Self {
        let timer = tokio::time::sleep(time);
        Self { time, due: timer.deadline(), timer: Box::pin(timer), is_set: false, activity: 0 }
    }

    /// Somebody else polls it now.
    pub(super) fn forget_waker(&mut self) {
        self.is_set = false;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set && Instant::now() < self.due {
            return Poll::Pending;
        }
        let pending = self.timer.as_mut().poll(cx).is_pending();
        // Without any budget left tokio did not look at it.
        self.is_set = pending && has_budget_remaining();
        if pending {
            return Poll::Pending;
        }
        self.due = Instant::now() + self.time;
        self.timer.as_mut().reset(self.due);
        Poll::Ready(())
    }
}

impl Driver {
    /// Says that this side lives, and notices when the peer does not.
    pub(super) fn poll_pulse(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let Some(pulse) = &mut self.pulse else { return Poll::Pending };
        loop {
            ready!(pulse.poll_next(cx));
            let came = std::mem::replace(&mut pulse.activity, self.rx.activity()) != self.rx.activity();
            let beat = self.exchange.session().beat(came);
            if beat == Beat::Gone {
                let what = format!("nothing was heard of the peer for {:?}", pulse.time * BEATS);
                return Poll::Ready(LinkEnd::Broken(io::Error::new(ErrorKind::TimedOut, what).into()));
            }
        }
    }
}
