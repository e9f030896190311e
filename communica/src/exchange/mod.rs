//! One peer's session, shared: callers put messages in, handlers put answers in, the driver carries both.
//!
//! Locks: `writer` before `session`; both are held for moments and never over an await. No user code runs under
//! either.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::connector::{BoxFuture, LinkTx, PeerInfo};
use crate::context::Context;
use crate::entity::{Inflight, Peer};
use crate::error::{Error, Fault, FaultKind, Reason};
use crate::limits::Limits;
use crate::route::{Handlers, Ran};
use crate::running::Running;
use crate::serializer::Payload;
use crate::session::{Answer, CallEnd, CallId, Goodbye, Lost, Refused, Session, Waiting, What};
use crate::wire::hello::About;
use crate::wire::{Batch, Kind, Message, Metadata};

/// Answers wait for their batch for so long, and no longer, while other handlers of it run.
const ANSWERS_WAIT: Duration = Duration::from_micros(100);

/// When answers that wait for their batch have so many bytes, it is time to see whether there is room for more.
const LARGE_ANSWERS: usize = 1 << 20;

/// Everything about one peer that outlives its links.
pub(crate) struct Exchange {
    client_id: String,
    handlers: Arc<Handlers>,
    pub(crate) limits: Limits,
    /// Where its clock begins.
    born: Instant,
    session: Mutex<Session<Waker>>,
    writer: Mutex<Option<Writer>>,
    /// Who was at the other end of the latest link.
    peer: Mutex<PeerInfo>,
    /// Room for callers that found the outbox full.
    room: Notify,
    /// The link came or went, or the last handler finished.
    pub(crate) changed: Notify,
    /// Handlers that were not done at once.
    running: Running,
    /// Held by the driver of the current link.
    pub(crate) link_slot: Arc<tokio::sync::Mutex<()>>,
}

/// The outgoing half of the current link and what it did not take yet.
pub(crate) struct Writer {
    tx: Box<dyn LinkTx>,
    batch: Batch,
    /// The link was given a batch and did not say that it is done with it.
    owed: bool,
    failed: Option<io::Error>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // User code never runs under these locks, so what a panic elsewhere left behind is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl Exchange {
    pub(crate) fn new(client_id: String, handlers: Arc<Handlers>, limits: Limits) -> Arc<Self> {
        // 64 random bits, so that no answer to another process's request is ever taken for one of ours.
        let session = Session::new(crate::random::hex(8), &limits);
        Arc::new(Self {
            client_id,
            handlers,
            limits,
            born: Instant::now(),
            session: Mutex::new(session),
            writer: Mutex::new(None),
            peer: Mutex::new(PeerInfo::default()),
            room: Notify::new(),
            changed: Notify::new(),
            running: Running::default(),
            link_slot: Arc::default(),
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn peer_info(&self) -> PeerInfo {
        lock(&self.peer).clone()
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session<Waker>> {
        lock(&self.session)
    }

    // Calls -----------------------------------------------------------------------------------------------------

    /// Sends a request and waits for how it ends. Dropping the future gives the call up: if its message did not go
    /// out yet, it never will.
    pub(crate) async fn request(
        &self,
        what: What<'_>,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> CallEnd {
        let what = What { now: self.now(), ..what };
        let Some(time) = timeout else { return self.request_untimed(what, payload, &mut None).await };
        let mut unsent = None;
        let waited = tokio::time::timeout(time, self.request_untimed(what, payload, &mut unsent)).await;
        waited.unwrap_or_else(|_| {
            let reason = Reason::TimedOut(time);
            // `None`: it was not even accepted.
            CallEnd::Lost(if unsent.unwrap_or(true) {
                Error::NotSent(reason)
            } else {
                Error::MayHaveRun(reason)
            })
        })
    }

    /// `unsent` is set when the future is dropped after the call was accepted: whether it will never be sent.
    async fn request_untimed(&self, what: What<'_>, payload: Payload, unsent: &mut Option<bool>) -> CallEnd {
        let mut payload = Some(payload);
        let requested = match self.accepted(|session| session.request(what, &mut payload)).await {
            Ok(requested) => requested,
            Err(reason) => return CallEnd::Lost(Error::NotSent(reason)),
        };
        let call = requested.call;
        let mut pending = Pending { exchange: self, call: Some(call), unsent };
        wake(requested.wake);
        if requested.alone && !self.flush_now() {
            self.call_driver();
        }
        let end = poll_fn(|cx| match self.session().poll_call(call, || cx.waker().clone()) {
            Some(end) => Poll::Ready(end),
            None => Poll::Pending,
        })
        .await;
        pending.call = None;
        end
    }

    /// Sends a throw. Done when the message is accepted.
    pub(crate) async fn throw(
        &self,
        route: Option<&str>,
        more: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let mut payload = Some(payload);
        let accepted = self.accepted(|session| session.throw(route, more, &mut payload));
        let accepted = match timeout {
            None => accepted.await,
            Some(time) => tokio::time::timeout(time, accepted).await.unwrap_or(Err(Reason::TimedOut(time))),
        };
        wake(accepted.map_err(Error::NotSent)?);
        Ok(())
    }

    /// Tries until there is room.
    async fn accepted<T>(
        &self,
        mut send: impl FnMut(&mut Session<Waker>) -> Result<T, Refused>,
    ) -> Result<T, Reason> {
        loop {
            let first = send(&mut self.session());
            match first {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::For(reason)) => return Err(reason),
                Err(Refused::Full) => {}
            }
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            // Room may have come between the two looks; then nobody would say so again.
            let second = send(&mut self.session());
            match second {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::For(reason)) => return Err(reason),
                Err(Refused::Full) => room.await,
            }
        }
    }

    // Jobs ------------------------------------------------------------------------------------------------------

    /// Starts what may start, in the order it came. True if there are answers to flush.
    pub(crate) fn start_jobs(self: &Arc<Self>, batch: &mut Vec<Message>) -> bool {
        let (mut mine, mut answered) = (false, false);
        let mut answers = Vec::new();
        loop {
            self.session().start_jobs(&mut mine, batch);
            if batch.is_empty() {
                return answered;
            }
            let (mut since, mut bytes) = (None, 0);
            batch.reverse();
            while let Some(message) = batch.pop() {
                let Some(answer) = self.start(message) else { continue };
                bytes += answer.1.as_ref().map_or(0, |payload| payload.len());
                answers.push(answer);
                // Large answers may take all the room there is.
                if bytes > LARGE_ANSWERS {
                    bytes = 0;
                    self.finish(&mut answers);
                    answered = true;
                    if self.session().give_back_if_full(batch, &mut mine) {
                        return true;
                    }
                }
                // Do not hold the first answers back for the last handler of the batch.
                if since.get_or_insert_with(Instant::now).elapsed() > ANSWERS_WAIT {
                    self.finish(&mut answers);
                    if !self.flush_now() {
                        self.call_driver();
                    }
                    since = None;
                }
            }
            answered |= !answers.is_empty();
            self.finish(&mut answers);
        }
    }

    /// The calls that wait, the longest first.
    pub(crate) fn inflight(&self) -> Vec<Inflight> {
        let (now, waiting) = (self.now(), self.session().waiting_calls());
        let mut calls: Vec<_> = waiting
            .into_iter()
            .map(|Waiting { route, since, is_sent }| Inflight {
                route,
                client_id: self.client_id.clone(),
                age: now.saturating_sub(since),
                is_sent,
            })
            .collect();
        calls.sort_by_key(|call| std::cmp::Reverse(call.age));
        calls
    }

    /// The time by this exchange's clock.
    pub(crate) fn now(&self) -> Duration {
        self.born.elapsed()
    }

    /// When the caller stops waiting.
    fn deadline(&self, metadata: &Metadata) -> Option<Instant> {
        self.born.checked_add(metadata.came())?.checked_add(metadata.timeout()?)
    }

    /// Notes when a message came, if that will matter.
    pub(crate) fn note_arrival(&self, message: &mut Message) {
        if message.metadata.timeout().is_some() {
            message.metadata.set_came(self.now());
        }
    }

    /// Runs the handler until it waits for something. An answer that is there at once is returned.
    fn start(self: &Arc<Self>, message: Message) -> Option<(Metadata, Answer)> {
        let Message { metadata, payload, .. } = message;
        let deadline = self.deadline(&metadata);
        if metadata.kind() == Kind::Request && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            drop(Job { exchange: self.clone(), metadata: Some(metadata) });
            return None;
        }
        let route = match self.handlers.find(metadata.route().as_deref()) {
            Ok(route) => route,
            Err(fault) => return Some((metadata, Err(fault))),
        };
        let context = Context::new(Peer::of(self.clone()), metadata.clone(), deadline);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            match route.run(context, payload) {
                Ran::Ready(answer) => Ran::Ready(answer),
                // Many async handlers never wait: a first look costs less than a task.
                Ran::Later(mut future) => {
                    match future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                        Poll::Ready(answer) => Ran::Ready(answer),
                        Poll::Pending => Ran::Later(future),
                    }
                }
            }
        }));
        match ran {
            Ok(Ran::Ready(answer)) => Some((metadata, answer)),
            Ok(Ran::Later(future)) => {
                self.spawn(metadata.detached(), deadline, future);
                None
            }
            Err(panic) => Some((metadata, Err(panicked(&*panic)))),
        }
    }

    /// Runs the handler to its end in a task of its own, unless nobody waits for its answer before.
    fn spawn(
        self: &Arc<Self>,
        metadata: Metadata,
        deadline: Option<Instant>,
        mut future: BoxFuture<'static, Answer>,
    ) {
        let is_request = metadata.kind() == Kind::Request;
        let id = is_request.then(|| metadata.id().into_owned());
        let job = Job { exchange: self.clone(), metadata: Some(metadata) };
        let handler = poll_fn(move |cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
            polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
        });
        let deadline = deadline.filter(|_| is_request);
        self.running.spawn(id.clone(), async move {
            let answer = match deadline {
                None => handler.await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), handler).await {
                    Ok(answer) => answer,
                    Err(_) => return job.give_up(),
                },
            };
            job.finish(answer);
        });
        // The word that nobody waits may have come when the handler was not yet known to run.
        if let Some(id) = id {
            let given_up = self.session().was_cancelled(&id);
            if given_up {
                self.running.stop(&id);
            }
        }
    }

    /// The peer does not wait for this request any more.
    pub(crate) fn cancel(&self, id: String) {
        self.session().cancel_job(id.clone());
        if self.running.stop(&id) {
            self.session().was_cancelled(&id);
        }
    }

    fn finish(&self, answers: &mut Vec<(Metadata, Answer)>) {
        let mut session = self.session();
        let bytes = answers.iter().map(|(metadata, _)| metadata.payload_len()).sum();
        session.jobs_done(answers.len(), bytes);
        for (metadata, answer) in answers.drain(..) {
            session.answer(&metadata, answer);
        }
        let at_rest = session.no_jobs();
        drop(session);
        if at_rest {
            self.changed.notify_waiters();
        }
    }

    /// Stops the handlers that still run. Their callers get no answer.
    pub(crate) fn abort_jobs(&self) {
        self.running.stop_all();
    }

    fn call_driver(&self) {
        let driver = self.session().call_driver();
        wake(driver);
    }

    // The link --------------------------------------------------------------------------------------------------

    /// `about`: what the peer said of itself.
    pub(crate) fn attach(&self, tx: Box<dyn LinkTx>, peer: PeerInfo, about: Option<About>) {
        *lock(&self.peer) = peer;
        let mut slot = lock(&self.writer);
        let delivery = tx.delivery();
        *slot = Some(Writer { tx, batch: Batch::default(), owed: false, failed: None });
        let up = self.session().link_up(delivery, about);
        drop(slot);
        self.running.no_more_giving_up();
        wake(up.wake);
        // What the peer has, or what nobody repeats, makes room.
        self.room.notify_waiters();
        if up.is_another {
            self.running.stop_requests();
        }
    }

    /// Takes the link's half back, with what it did not send.
    pub(crate) fn detach(&self) -> Batch {
        lock(&self.writer).take().map(|writer| writer.batch).unwrap_or_default()
    }

    /// Hands everything queued to the link, as far as it takes it. `Ready` means that nothing is left.
    pub(crate) fn poll_flush(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let mut slot = lock(&self.writer);
        slot.as_mut().map_or(Poll::Ready(Ok(())), |writer| self.poll_writer(writer, cx))
    }

    /// The same without waiting for whoever is at it. False if the driver has to see to the rest.
    fn flush_now(&self) -> bool {
        let mut slot = match self.writer.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let Some(writer) = slot.as_mut() else { return false };
        match self.poll_writer(writer, &mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                writer.failed = Some(error);
                false
            }
            Poll::Pending => false,
        }
    }

    fn poll_writer(&self, writer: &mut Writer, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = writer.failed.take() {
            return Poll::Ready(Err(error));
        }
        loop {
            if !writer.owed {
                let mut session = self.session();
                let made_room = session.fill(&mut writer.batch, writer.tx.in_chunks());
                let idle = writer.batch.is_empty() && session.is_idle();
                drop(session);
                self.tell(made_room, idle);
                if writer.batch.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                writer.owed = true;
            }
            ready!(writer.tx.poll_send(cx, &mut writer.batch))?;
            writer.owed = false;
            self.session().filled_was_sent();
        }
    }

    /// Takes in what the link's store has. `Ready` when that was something new.
    pub(crate) fn poll_confirmed(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return Poll::Pending };
        let count = ready!(writer.tx.poll_confirmed(cx))?;
        let mut session = self.session();
        let made_room = session.confirmed(count);
        let idle = writer.batch.is_empty() && session.is_idle();
        drop(session);
        self.tell(made_room, idle);
        Poll::Ready(Ok(()))
    }

    /// Wakes callers that wait for room, and whoever waits for everything to be done.
    pub(crate) fn tell(&self, made_room: bool, idle: bool) {
        if made_room {
            self.room.notify_waiters();
        }
        if idle {
            self.changed.notify_waiters();
        }
    }

    /// Bytes that the link was given and did not take, and messages that came to the peer: while neither changes, what is
    /// sent gets nowhere.
    pub(crate) fn progress(&self) -> (usize, u64) {
        let stuck = lock(&self.writer).as_ref().map_or(0, |writer| bytes::Buf::remaining(&writer.batch));
        (stuck, self.session().came())
    }

    /// Sends a close notify behind what the link was given already, and nothing that is queued. `reason`: what it
    /// says; `None` to go on with what was begun.
    pub(crate) fn poll_last_words(
        &self,
        cx: &mut TaskContext<'_>,
        reason: Option<&str>,
    ) -> Poll<io::Result<()>> {
        let mut slot = lock(&self.writer);
        let Some(writer) = slot.as_mut() else { return Poll::Ready(Ok(())) };
        if reason.is_some() {
            writer.batch.push_close(reason);
        }
        ready!(writer.tx.poll_send(cx, &mut writer.batch))?;
        if std::mem::take(&mut writer.owed) {
            self.session().filled_was_sent();
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
            let _ = writer.tx.poll_send(&mut TaskContext::from_waker(Waker::noop()), &mut writer.batch);
        }
    }

    /// Tells a peer that would go on later that there is no later.
    pub(crate) fn say_that_it_is_over(&self, reason: &str) {
        if self.session().is_resumable() {
            let _ = self.poll_last_words(&mut TaskContext::from_waker(Waker::noop()), Some(reason));
        }
    }

    pub(crate) fn poll_close(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        lock(&self.writer).as_mut().map_or(Poll::Ready(Ok(())), |writer| writer.tx.poll_close(cx))
    }

    /// What the link did not take waits for the next; what it took is repeated there, if the peer can go on.
    pub(crate) fn link_lost(self: &Arc<Self>, why: &str, lost: Lost) {
        let batch = self.detach();
        let mut session = self.session();
        let wakers = session.link_lost(batch, why, lost);
        // What a store has is answered whenever the peer is there.
        let waits = session.is_calling() && session.resumes();
        drop(session);
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
        if waits {
            self.give_up_later(why);
        }
    }

    /// Calls that were sent do not wait for ever for the link to come back.
    fn give_up_later(self: &Arc<Self>, why: &str) {
        let (exchange, time) = (Arc::downgrade(self), self.limits.resume_time);
        let reason = format!("{why}; there was no new connection within {time:?}");
        self.running.give_up_after(time, move || {
            if let Some(exchange) = exchange.upgrade() {
                exchange.end_sent(&Reason::Disconnected(reason));
            }
        });
    }

    /// The peer will not come back: calls that were sent to it end.
    pub(crate) fn end_sent(&self, reason: &Reason) {
        let mut session = self.session();
        let wakers = if session.is_linked() { Vec::new() } else { session.end_sent(reason) };
        drop(session);
        wake(wakers);
        self.changed.notify_waiters();
    }

    /// The peer is served by somebody else: calls to it end.
    pub(crate) fn moved(&self, why: &str) {
        let wakers = self.session().moved(why);
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
    }

    /// Asks the driver to end the link.
    pub(crate) fn end_link(&self, goodbye: Goodbye) {
        let driver = self.session().end_link(goodbye);
        wake(driver);
    }

    /// A newer connection came. Returns its number.
    pub(crate) fn take_over(&self, goodbye: Goodbye) -> u64 {
        let (number, driver) = self.session().take_over(goodbye);
        wake(driver);
        // Those that wait for their turn have lost it.
        self.changed.notify_waiters();
        number
    }

    /// Ends every call and accepts no more.
    pub(crate) fn close(&self, reason: Reason) {
        let wakers = self.session().close(reason);
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
    }

    /// Waits until `done` says so, looking whenever something changed.
    pub(crate) async fn wait_until(&self, done: impl Fn(&Session<Waker>) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if done(&self.session()) {
                return;
            }
            changed.await;
        }
    }
}

/// Gives the call up when its future is dropped before it ended.
struct Pending<'a> {
    exchange: &'a Exchange,
    call: Option<CallId>,
    unsent: &'a mut Option<bool>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            let abandoned = self.exchange.session().abandon(call);
            *self.unsent = Some(abandoned.unsent);
            wake(abandoned.wake);
            self.exchange.room.notify_waiters();
        }
    }
}

/// A handler's task until it has its answer. Stopped before that, it counts as done, without one.
struct Job {
    exchange: Arc<Exchange>,
    metadata: Option<Metadata>,
}

impl Job {
    fn finish(mut self, answer: Answer) {
        let Some(metadata) = self.metadata.take() else { return };
        let exchange = &self.exchange;
        exchange.running.done(&metadata.id());
        exchange.finish(&mut vec![(metadata, answer)]);
        exchange.call_driver();
        exchange.start_jobs(&mut Vec::new());
        exchange.call_driver();
    }

    /// The caller's time is over. Its own clock tells it so; an answer would race with that, and tell it otherwise.
    fn give_up(self) {
        let exchange = self.exchange.clone();
        if let Some(metadata) = &self.metadata {
            exchange.running.done(&metadata.id());
        }
        drop(self);
        exchange.start_jobs(&mut Vec::new());
        exchange.call_driver();
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Some(metadata) = self.metadata.take() else { return };
        let mut session = self.exchange.session();
        session.job_stopped(&metadata);
        drop(session);
        self.exchange.changed.notify_waiters();
        // It starts what may start now.
        self.exchange.call_driver();
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Fault::new(FaultKind::Unknown, format!("the handler panicked: {text}"), None)
}
