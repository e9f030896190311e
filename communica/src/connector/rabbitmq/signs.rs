//! Signs of life, given to the peer and asked of the broker, and when.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, Sleep};

use super::broker::{LEAVING_TIME, broken, is_not_found};
use super::shared::Shared;
use crate::connector::BoxFuture;

/// While nothing is sent, it is asked so many times less often whether the peer listens.
const IDLE: u32 = 5;

/// Signs of life, given and asked for.
pub(super) struct Signs {
    /// Say that this side is there when it said nothing for so long.
    listening: Option<Duration>,
    /// Ask the broker whether the peer listens.
    check: Check,
    last_sent: Instant,
    /// The same, but for signs.
    last_message: Instant,
    began: Instant,
    /// The peer was heard, or seen to listen.
    was_there: bool,
    next: Pin<Box<Sleep>>,
    asking: Option<BoxFuture<'static, lapin::Result<u32>>>,
}

/// When to ask whether somebody consumes the peer's queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Every so often.
    Always(Duration),
    /// When nothing came for so long; less often while nothing is sent either.
    Silent(Duration),
}

impl Signs {
    pub(super) fn new(listening: Option<Duration>, check: Check) -> Self {
        let next = Box::pin(tokio::time::sleep(Duration::ZERO));
        let now = Instant::now();
        let mut signs = Self {
            listening,
            check,
            last_sent: now,
            last_message: now,
            began: now,
            was_there: false,
            next,
            asking: None,
        };
        let wait = signs.wait();
        signs.next = Box::pin(tokio::time::sleep(wait));
        signs
    }

    /// Something goes out. `is_sign`: it is no message.
    pub(super) fn sent(&mut self, is_sign: bool) {
        let was_idle = self.is_idle();
        self.last_sent = Instant::now();
        if is_sign {
            return;
        }
        self.last_message = self.last_sent;
        if was_idle {
            let wait = self.wait();
            self.next.as_mut().reset(self.last_sent + wait);
        }
    }

    fn is_idle(&self) -> bool {
        matches!(self.check, Check::Silent(period) if self.last_message.elapsed() > period * IDLE)
    }

    /// Until the next look.
    fn wait(&self) -> Duration {
        let sign = self.listening.map(|period| period.saturating_sub(self.last_sent.elapsed()));
        let check = match self.check {
            Check::Silent(period) if self.is_idle() => period * IDLE,
            Check::Always(period) | Check::Silent(period) => period,
        };
        sign.map_or(check, |sign| sign.min(check)).max(Duration::from_millis(1))
    }

    /// Something is to be given or asked for.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        self.next.as_mut().poll(cx).is_ready()
    }

    /// That was done, if it was due.
    pub(super) fn wait_on(&mut self) {
        let wait = self.wait();
        self.next.as_mut().reset(Instant::now() + wait);
    }

    pub(super) fn should_give(&self) -> bool {
        self.listening.is_some_and(|period| self.last_sent.elapsed() >= period)
    }

    /// Asks the broker whether somebody reads the queue of the peer.
    pub(super) fn ask(&mut self, shared: &Shared, peer: &ShortString) {
        let due = match self.check {
            Check::Always(_) => true,
            Check::Silent(_) => {
                let heard = shared.take_heard();
                self.was_there |= heard;
                !heard
            }
        };
        if !due || self.asking.is_some() {
            return;
        }
        let (channel, queue) = (shared.line.channel.clone(), peer.clone());
        self.asking = Some(Box::pin(async move {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let queue = channel.queue_declare(queue, passive, FieldTable::default()).await?;
            Ok(queue.consumer_count())
        }));
    }

    /// A client begins when the server is done with the handshake, and an earlier link of its own may hold it up for a while.
    fn may_begin_to_listen(&self) -> bool {
        let wait = self.listening.map_or(Duration::ZERO, |period| period.min(2 * LEAVING_TIME));
        !self.was_there && self.began.elapsed() < wait
    }

    /// What the broker says to that.
    pub(super) fn heed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        let Poll::Ready(answer) = asking.as_mut().poll(cx) else { return Ok(()) };
        self.asking = None;
        match answer {
            Ok(0) if self.may_begin_to_listen() => Ok(()),
            Ok(0) => Err(gone("nobody listens to what is sent to the peer any more")),
            Ok(_) => {
                self.was_there = true;
                Ok(())
            }
            Err(error) if is_not_found(&error) => Err(gone("the peer's queue was deleted")),
            Err(error) => Err(broken(error)),
        }
    }
}

fn gone(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, what)
}
