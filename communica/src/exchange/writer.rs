//! The outgoing half of a link: what is queued in, what the link did not take yet out.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, TryLockError};
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::Buf;
use tokio::runtime::{EnterGuard, Handle};
use tokio::task::unconstrained;

use super::{Exchange, News, lock, wake};
use crate::connector::{LinkTx, PeerInfo};
use crate::panics::caught;
use crate::wire::hello::About;
use crate::wire::{Batch, Mix};

/// Batches handed to a link before other tasks, and what came from the peer, get a turn. While a large message is under
/// way, each has a piece of it, and a peer that reads as fast as this side writes would never let it end. Where small ones overtake it, a
/// turn has one.
const BATCHES_PER_TURN: usize = 2;

/// How far a flush came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing is left.
    All,
    /// There is more, and the link would take it. This went out last.
    Some(Mix),
}

/// The outgoing half of the current link and what it did not take yet.
pub(super) struct Writer {
    tx: Box<dyn LinkTx>,
    batch: Batch,
    /// The link was given a batch and did not say that it is done with it.
    owed: bool,
    failed: Option<io::Error>,
    /// Batches that the link is done with.
    done: u64,
    /// The last words are with the link, and nothing may stand behind them.
    parts: bool,
}

/// How far it is with what is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes that the link was given and did not take.
    left: usize,
    /// Batches that it is done with: it may take each whole, into a buffer of its own.
    done: u64,
    /// Messages that came to the peer.
    came: u64,
}

impl Exchange {
    /// Messages that wait keep what is known of who sent them: a peer that comes back again and again has one chain of
    /// certificates.
    pub(crate) fn with_known_certificates(&self, mut peer: PeerInfo) -> PeerInfo {
        let known = lock(&self.peer);
        if peer.certificates == known.certificates {
            peer.certificates = known.certificates.clone();
        }
        peer
    }

    /// `about`: what the peer said of itself.
    pub(crate) fn attach(&self, tx: Box<dyn LinkTx>, peer: Arc<PeerInfo>, about: Option<About>) {
        *lock(&self.peer) = peer;
        let mut slot = lock(&self.writer);
        let delivery = tx.delivery();
        *slot =
            Some(Writer { tx, batch: Batch::default(), owed: false, failed: None, done: 0, parts: false });
        let up = self.session().link_up(delivery, about);
        drop(slot);
        lock(&self.no_link).take();
        self.running.no_more_giving_up();
        wake(up.wake);
        // What the peer has, or what nobody repeats, makes room.
        self.room.notify_waiters();
        if up.is_another {
            self.running.stop_requests();
        }
        self.tell_of_lost_throws();
    }

    /// Takes the link's half back, and what it did not send.
    pub(super) fn detach(&self) -> (Option<Box<dyn LinkTx>>, Batch) {
        let writer = lock(&self.writer).take();
        writer.map_or_else(Default::default, |writer| (Some(writer.tx), writer.batch))
    }

    /// Hands what is queued to the link, as far as it takes it, for one turn.
    pub(crate) fn poll_flush(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Flushed>> {
        let mut news = News::default();
        let polled = {
            let mut slot = lock(&self.writer);
            let Some(writer) = slot.as_mut() else { return Poll::Ready(Ok(Flushed::All)) };
            self.poll_writer(writer, &mut news, cx)
        };
        self.tell(news);
        polled
    }

    /// The same without waiting for whoever is at it, or for the link. `None` if the driver has to see to the rest.
    pub(crate) fn flush_now(&self) -> Option<Flushed> {
        let mut slot = match self.writer.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let writer = slot.as_mut()?;
        let _runtime = self.enter_runtime()?;
        let mut news = News::default();
        let flushed = match at_once(|cx| self.poll_writer(writer, &mut news, cx)) {
            Poll::Ready(Ok(flushed)) => Some(flushed),
            Poll::Ready(Err(error)) => {
                writer.failed = Some(error);
                None
            }
            Poll::Pending => None,
        };
        drop(slot);
        self.tell(news);
        flushed
    }

    /// Links may need it, and this thread may have none, or one that ends before the link does. `None` at the end of a thread.
    fn enter_runtime(&self) -> Option<EnterGuard<'_>> {
        let is_over = Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        (!is_over).then(|| self.runtime.enter())
    }

    /// `news`: is for when no lock is held.
    fn poll_writer(
        &self,
        writer: &mut Writer,
        news: &mut News,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<Flushed>> {
        if let Some(error) = writer.failed.take() {
            return Poll::Ready(Err(error));
        }
        if writer.parts {
            return Poll::Pending;
        }
        for _ in 0..BATCHES_PER_TURN {
            if !writer.owed {
                let mut session = self.session();
                if !writer.batch.is_empty() || session.has_unsent() {
                    news.made_room |= session.fill(&mut writer.batch, writer.tx.in_chunks());
                }
                if writer.batch.is_empty() {
                    // For now: a full window may hold something back.
                    news.idle = session.is_idle();
                    return Poll::Ready(Ok(Flushed::All));
                }
                drop(session);
                writer.owed = true;
            }
            ready!(unharmed(|| writer.tx.poll_send(cx, &mut writer.batch)))?;
            writer.owed = false;
            writer.batch.went_out();
            writer.done += 1;
            let mut session = self.session();
            news.made_room |= session.filled_was_sent();
            if !session.has_unsent() {
                news.idle = session.is_idle();
                return Poll::Ready(Ok(Flushed::All));
            }
            // What waits for the peer's word waits for no turn.
            if writer.batch.mix() == Mix::Both && !session.is_held_back() {
                break;
            }
        }
        Poll::Ready(Ok(Flushed::Some(writer.batch.mix())))
    }

    /// Takes in what the link's store has. `Ready` when that was something new.
    pub(crate) fn poll_confirmed(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return Poll::Pending };
        let count = ready!(unharmed(|| writer.tx.poll_confirmed(cx)))?;
        let mut session = self.session();
        let made_room = session.confirmed(count);
        let idle = writer.batch.is_empty() && session.is_idle();
        drop(session);
        drop(slot);
        self.tell(News { made_room, idle });
        Poll::Ready(Ok(()))
    }

    /// What changes as long as what is sent gets somewhere.
    pub(crate) fn progress(&self) -> Progress {
        let writer = lock(&self.writer);
        let (left, done) = writer.as_ref().map_or((0, 0), |writer| (writer.batch.remaining(), writer.done));
        drop(writer);
        Progress { left, done, came: self.session().came() }
    }

    /// The same where only word of the peer lets more go out: signs of life do not count.
    pub(crate) fn progress_of_window(&self) -> Progress {
        Progress { left: 0, done: 0, came: self.session().came() }
    }

    /// Sends what came and a close notify behind what the link was given already, and nothing that is queued. `reason`: what it
    /// says; `None` to go on with what was begun.
    pub(crate) fn poll_last_words(
        &self,
        cx: &mut TaskContext<'_>,
        reason: Option<&str>,
    ) -> Poll<io::Result<()>> {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return Poll::Ready(Ok(())) };
        if reason.is_some() {
            if let Some(count) = self.session().heard_to_tell() {
                writer.batch.push_acknowledgement(count);
            }
            writer.batch.push_close(reason);
            writer.parts = true;
        }
        ready!(unharmed(|| writer.tx.poll_send(cx, &mut writer.batch)))?;
        if std::mem::take(&mut writer.owed) {
            let made_room = self.session().filled_was_sent();
            drop(slot);
            self.tell(News { made_room, idle: false });
        }
        Poll::Ready(Ok(()))
    }

    /// Tells a peer that goes what came from it, and nothing else: it wants to know that nothing was lost.
    pub(crate) fn say_what_came(&self) {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return };
        let count = self.session().heard_to_tell();
        if let Some(count) = count {
            writer.batch.push_acknowledgement(count);
            // It goes: whether it still takes this shows on its side.
            let _ = at_once(|cx| unharmed(|| writer.tx.poll_send(cx, &mut writer.batch)));
        }
    }

    /// Tells a peer that would go on later that there is no later.
    pub(crate) fn say_that_it_is_over(&self, reason: &str) {
        let Some(_runtime) = self.enter_runtime() else { return };
        if self.session().is_resumable() {
            // As far as the link takes them now: that they are read is more than can be asked.
            let _ = at_once(|cx| self.poll_last_words(cx, Some(reason)));
        }
    }

    pub(crate) fn poll_close(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        lock(&self.writer)
            .as_mut()
            .map_or(Poll::Ready(Ok(())), |writer| unharmed(|| writer.tx.poll_close(cx)))
    }
}

/// Looks once, and takes nothing of the budget that tokio gives to the task that looks: who has none left would be told that the
/// link takes nothing.
fn at_once<T>(poll: impl FnMut(&mut TaskContext<'_>) -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(&mut TaskContext::from_waker(Waker::noop()))
}

/// A user's own code: should it panic, the link is broken, and nobody else is.
fn unharmed<T>(poll: impl FnOnce() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    let panicked = || Poll::Ready(Err(io::Error::other("the outgoing half of the link panicked")));
    caught(poll).unwrap_or_else(panicked)
}
