//! What the two halves of a link have in common.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use lapin::types::ShortString;

use super::acks::Acks;
use super::broker::{Broker, Turn};
use super::elsewhere::Elsewhere;
use super::leaving::{Leaving, Left};
use super::line::Line;
use crate::connector::{MOVED, is_elsewhere};

pub(super) struct Shared {
    pub(super) line: Line,
    /// Keeps the connection.
    broker: Arc<Broker>,
    pub(super) acks: Arc<Acks>,
    pub(super) connect_id: Vec<u8>,
    /// Where the answers to some requests go.
    pub(super) elsewhere: Arc<Elsewhere>,
    /// Something came since the last look.
    heard: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// It is over, and why.
    ended: Option<Option<String>>,
    /// It cannot go on, and why.
    broken: Option<&'static str>,
    waker: Option<Waker>,
    /// Answers to requests that were not taken.
    refusals: Vec<Refusal>,
    /// What is read, and the turn to do so.
    reading: Option<(ShortString, Option<Turn>)>,
    /// Set when the receiving half is gone.
    left: Left,
}

/// The answer to a request that was not taken.
pub(super) struct Refusal {
    pub(super) body: Vec<u8>,
    /// Where it goes, if not to the peer's queue.
    pub(super) reply_to: Option<ShortString>,
}

/// How a side of a link finds out that the other is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// A server that said nothing for so long says that it is there; a client that heard nothing for one and a half
    /// times as long gives the link up.
    pub(super) listening: Duration,
    /// A side that heard nothing for so long asks the broker whether the other still listens.
    pub(super) check: Duration,
}

impl Shared {
    pub(super) fn new(
        line: Line,
        broker: Arc<Broker>,
        connect_id: Vec<u8>,
        elsewhere: Arc<Elsewhere>,
    ) -> Arc<Self> {
        let (heard, state) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { line, broker, acks: Arc::default(), connect_id, elsewhere, heard, state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This link reads the queue from now on. Others of this process have to wait until it has ended and what it did not
    /// take is back there.
    pub(super) fn reads(&self, queue: ShortString, turn: Option<Turn>) {
        self.lock().reading = Some((queue, turn));
    }

    /// The receiving half is gone.
    pub(super) fn leave(&self, left: Left) {
        self.lock().left = left;
    }

    /// Who looks after the link.
    pub(super) fn keep_waker(&self, waker: &Waker) {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
    }

    pub(super) fn waker(&self) -> Option<Waker> {
        self.lock().waker.clone()
    }

    /// Nothing more is received.
    pub(super) fn end(&self, reason: Option<String>) {
        let waker = {
            let mut state = self.lock();
            // Whatever else was said: what the broker has is somebody else's then.
            if is_elsewhere(reason.as_deref()) || state.ended.is_none() {
                state.ended = Some(reason);
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn ended(&self) -> Option<Option<String>> {
        self.lock().ended.clone()
    }

    /// The link ends as if it had been cut.
    pub(super) fn break_off(&self, why: &'static str) {
        let waker = {
            let mut state = self.lock();
            state.broken = Some(why);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn broken(&self) -> Option<io::Error> {
        self.lock().broken.map(|why| io::Error::new(io::ErrorKind::NotConnected, why))
    }

    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Whether something came since the last time this was asked.
    pub(super) fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    /// This answer goes out soon.
    pub(super) fn refuse(&self, answer: Refusal) {
        let waker = {
            let mut state = self.lock();
            state.refusals.push(answer);
            state.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn take_refusals(&self) -> Vec<Refusal> {
        std::mem::take(&mut self.lock().refusals)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let State { ended, reading, left, .. } =
            std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        let Some((queue, turn)) = reading else { return };
        let (line, acks, _broker) = (self.line.clone(), self.acks.clone(), self.broker.clone());
        let has_moved = ended.flatten().is_some_and(|reason| reason == MOVED);
        Leaving { line, left, acks, queue, turn, _broker }.begin(!has_moved);
    }
}
