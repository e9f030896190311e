//! A link and its plan → the two halves of the same link, which do what the plan says.
//!
//! Both halves are in one place, so that a cut takes both at once, whichever of them it falls on.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Buf;
use tokio::time::{Instant, Sleep};

use super::plan::Plan;
use super::{Bench, lock};
use crate::connector::{Delivery, Link, LinkError, LinkRx, LinkTx, Received};
use crate::wire::{Batch, Message};

/// One link, seen from outside.
pub(super) struct Cable {
    bench: Arc<Bench>,
    state: Mutex<State>,
}

struct State {
    /// `None` after a cut, or when this half was dropped.
    tx: Option<Box<dyn LinkTx>>,
    rx: Option<Box<dyn LinkRx>>,
    plan: Plan,
    is_cut: bool,
    stalled_until: Option<Instant>,
    /// Who waits for either half, to be told of a cut on command.
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

/// What a cut takes, to be dropped.
type Halves = (Option<Box<dyn LinkTx>>, Option<Box<dyn LinkRx>>);

pub(super) fn wrap(link: Link, plan: Plan, bench: Arc<Bench>) -> (Link, Arc<Cable>) {
    let Link { tx, rx, hello, peer } = link;
    let (in_chunks, delivery) = (tx.in_chunks(), tx.delivery());
    let state = State {
        tx: Some(tx),
        rx: Some(rx),
        plan,
        is_cut: false,
        stalled_until: None,
        sender: None,
        receiver: None,
    };
    let cable = Arc::new(Cable { bench, state: Mutex::new(state) });
    let tx = FaultTx { cable: cable.clone(), in_chunks, delivery, wait: Wait::default(), between: true };
    let stored = matches!(delivery, Delivery::Stored { .. });
    let rx = FaultRx { cable: cable.clone(), stored, wait: Wait::default(), held: Vec::new(), outcome: None };
    (Link { tx: Box::new(tx), rx: Box::new(rx), hello, peer }, cable)
}

impl Cable {
    /// Cuts the link on command, if it is open.
    pub(super) fn cut(&self, why: &str) {
        let mut state = lock(&self.state);
        if state.is_cut || state.tx.is_none() && state.rx.is_none() {
            return;
        }
        self.bench.cuts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let wakers = [state.sender.take(), state.receiver.take()];
        let halves = state.cut(why);
        drop(state);
        drop(halves);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Counts bytes that passed. An error when that was the cut.
    fn spend(&self, state: &mut State, bytes: u64) -> io::Result<()> {
        if state.plan.spend(bytes) {
            if self.bench.may_cut() {
                // Both halves are polled by one task, which learns of it now.
                drop(state.cut("as planned"));
                return Err(state.broken());
            }
            state.plan.spare();
        }
        if let Some(time) = state.plan.stall() {
            state.stalled_until = Some(Instant::now() + time);
        }
        Ok(())
    }
}

impl State {
    /// What is dropped is hung up.
    fn cut(&mut self, why: &str) -> Halves {
        tracing::debug!(seed = self.plan.seed(), link = self.plan.link(), why, "cut a link on purpose");
        self.is_cut = true;
        (self.tx.take(), self.rx.take())
    }

    fn broken(&self) -> io::Error {
        let (link, seed) = (self.plan.link(), self.plan.seed());
        let what = format!("the connection was cut on purpose (link {link} of the faults with seed {seed})");
        io::Error::new(io::ErrorKind::ConnectionReset, what)
    }
}

/// Holds a half back for a time.
#[derive(Default)]
struct Wait(Option<Pin<Box<Sleep>>>);

impl Wait {
    fn start(&mut self, time: Duration) {
        if !time.is_zero() {
            self.0 = Some(Box::pin(tokio::time::sleep(time)));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, stalled_until: Option<Instant>) -> Poll<()> {
        loop {
            if let Some(sleep) = &mut self.0 {
                ready!(sleep.as_mut().poll(cx));
                self.0 = None;
            }
            match stalled_until.filter(|until| *until > Instant::now()) {
                Some(until) => self.0 = Some(Box::pin(tokio::time::sleep_until(until))),
                None => return Poll::Ready(()),
            }
        }
    }
}

struct FaultTx {
    cable: Arc<Cable>,
    in_chunks: bool,
    delivery: Delivery,
    wait: Wait,
    /// What comes next is a new batch, and may be delayed.
    between: bool,
}

impl LinkTx for FaultTx {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let cable = self.cable.clone();
        let mut state = lock(&cable.state);
        state.sender = Some(cx.waker().clone());
        let sent = self.poll_send_in(&mut state, cx, batch);
        self.between = sent.is_ready();
        sent
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.cable.state);
        state.sender = Some(cx.waker().clone());
        match &mut state.tx {
            Some(tx) => tx.poll_close(cx),
            None => Poll::Ready(Err(state.broken())),
        }
    }

    fn in_chunks(&self) -> bool {
        self.in_chunks
    }

    fn delivery(&self) -> Delivery {
        self.delivery
    }

    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut state = lock(&self.cable.state);
        state.sender = Some(cx.waker().clone());
        match &mut state.tx {
            Some(tx) => tx.poll_confirmed(cx),
            None => Poll::Ready(Err(state.broken())),
        }
    }
}

impl FaultTx {
    fn poll_send_in(
        &mut self,
        state: &mut State,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<()>> {
        if self.between && !batch.is_empty() {
            self.between = false;
            state.plan.delay().into_iter().for_each(|time| self.wait.start(time));
        }
        loop {
            let Some(tx) = &mut state.tx else { return Poll::Ready(Err(state.broken())) };
            ready!(self.wait.poll(cx, state.stalled_until));
            if batch.is_empty() {
                return tx.poll_send(cx, batch);
            }
            let write_len = state.plan.write_len();
            let most = state.plan.allowance().min(write_len.unwrap_or(u64::MAX));
            let len = if self.in_chunks { to_usize(most).min(batch.remaining()) } else { batch.item_len() };
            let mut piece = batch.prefix(len);
            let sent = tx.poll_send(cx, &mut piece);
            let taken = self.take_out(batch, len, &piece);
            self.cable.spend(state, taken)?;
            match sent {
                Poll::Ready(Ok(())) if batch.is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if write_len.is_some() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
    }

    /// Takes out of the batch what the link took of its first `len` bytes. Returns how many bytes.
    fn take_out(&self, batch: &mut Batch, len: usize, left: &Batch) -> u64 {
        if self.in_chunks {
            let taken = len - left.remaining();
            batch.advance(taken);
            return taken as u64;
        }
        if !left.is_empty() {
            return 0;
        }
        batch.next_item();
        len as u64
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Drop for FaultTx {
    fn drop(&mut self) {
        let half = lock(&self.cable.state).tx.take();
        drop(half);
    }
}

struct FaultRx {
    cable: Arc<Cable>,
    /// What the link gave out, its store may not bring again: none of it must be lost here.
    stored: bool,
    wait: Wait,
    /// What came, while it is held back.
    held: Vec<Message>,
    /// What came with it, or after it.
    outcome: Option<Result<Received, LinkError>>,
}

impl LinkRx for FaultRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let cable = self.cable.clone();
        let mut state = lock(&cable.state);
        state.receiver = Some(cx.waker().clone());
        if self.stored {
            return self.poll_stored(cx, into, &mut state);
        }
        if self.outcome.is_none() {
            let Some(rx) = &mut state.rx else { return Poll::Ready(Err(state.broken().into())) };
            let outcome = ready!(rx.poll_recv(cx, &mut self.held));
            self.outcome = Some(outcome);
            state.plan.delay().into_iter().for_each(|time| self.wait.start(time));
        }
        if state.is_cut {
            return Poll::Ready(Err(state.broken().into()));
        }
        ready!(self.wait.poll(cx, state.stalled_until));
        let before = into.len();
        for message in self.held.drain(..) {
            if let Err(error) = cable.spend(&mut state, len(&message)) {
                // What came before the cut came; whoever asks again is told of it.
                let came = into.len() > before;
                return Poll::Ready(if came { Ok(Received::Messages) } else { Err(error.into()) });
            }
            into.push(message);
        }
        self.outcome.take().unwrap_or(Ok(Received::Messages)).into()
    }

    fn activity(&self) -> u64 {
        lock(&self.cable.state).rx.as_ref().map_or(0, |rx| rx.activity())
    }

    fn busy_poll(&mut self, on: bool) {
        if let Some(rx) = &mut lock(&self.cable.state).rx {
            rx.busy_poll(on);
        }
    }
}

impl FaultRx {
    /// Waits before it takes anything, and cuts behind what it took: the delay of what came holds up what comes next.
    fn poll_stored(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
        state: &mut State,
    ) -> Poll<Result<Received, LinkError>> {
        let Some(rx) = state.rx.as_mut().filter(|_| !state.is_cut) else {
            return Poll::Ready(Err(state.broken().into()));
        };
        ready!(self.wait.poll(cx, state.stalled_until));
        let before = into.len();
        let outcome = ready!(rx.poll_recv(cx, into));
        // The next look tells of a cut.
        let _ = into[before..].iter().try_for_each(|message| self.cable.spend(state, len(message)));
        state.plan.delay().into_iter().for_each(|time| self.wait.start(time));
        Poll::Ready(outcome)
    }
}

/// About what it had on the wire.
fn len(message: &Message) -> u64 {
    (message.metadata.as_bytes().len() + message.payload.len()) as u64
}

impl Drop for FaultRx {
    fn drop(&mut self) {
        let half = lock(&self.cable.state).rx.take();
        drop(half);
    }
}
