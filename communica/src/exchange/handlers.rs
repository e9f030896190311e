//! What the peer wants: messages in, their handlers' answers out.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::coop::has_budget_remaining;

use super::turn::Held;
use super::{Exchange, Flushed, wake};
use crate::connector::{BoxFuture, PeerInfo};
use crate::context::HandledCall;
use crate::panics::discard;
use crate::route::{Handlers, Ran, Route};
use crate::running::Ends;
use crate::serializer::Payload;
use crate::session::Answer;
use crate::wire::{Kind, Message, Metadata};

/// Answers wait for so long, and no longer, while other handlers of their batch run: the peer can go on with them meanwhile. Each time
/// costs a system call, and the peer some work …
const ANSWERS_WAIT: Duration = Duration::from_micros(20);
/// … and so those of up to so many messages wait for half as long, and for no more than a part of them, …
const FEW: usize = 64;
const FEW_WAIT: Duration = Duration::from_micros(10);
const PARTS: usize = 4;
/// … which is no smaller than this.
const PART: usize = 8;
/// Each time costs a broker much more.
const ANSWERS_WAIT_STORED: Duration = Duration::from_micros(100);

/// For so long handlers start, one after the other, without a look at whether somebody still wants that, and at what waits to go out.
const STARTS_UNSEEN: Duration = Duration::from_micros(100);

/// For so long one turn starts handlers, one after the other: a driver also reads answers, and says that this side lives.
const LONG_TURN: Duration = Duration::from_millis(10);

/// When answers that wait for their batch have so many bytes, it is time to see whether there is room for more.
const LARGE_ANSWERS: usize = 1 << 20;

impl Exchange {
    /// Starts what may start, in the order it came. True if there is something to flush: answers, or word of throws that came.
    pub(crate) fn start_jobs(self: &Arc<Self>, batch: &mut VecDeque<Message>) -> bool {
        let (mut mine, mut answered) = (false, false);
        let (mut done, mut clock, mut unsent) = (Done::default(), None, None);
        loop {
            let (never, stored) = {
                let mut session = self.session();
                (session.start_jobs(&mut mine, batch), session.is_stored())
            };
            if never.any_given_up {
                // It may have been the last that somebody waits for.
                self.changed.notify_waiters();
            }
            for why in never.refused {
                tracing::debug!(client_id = self.client_id(), why, "dropped a message");
            }
            if batch.is_empty() {
                return answered;
            }
            let Some(handlers) = self.handlers.upgrade() else {
                batch.drain(..).for_each(|message| drop(Job::new(self.clone(), None, message.metadata)));
                continue;
            };
            let unsent = unsent.get_or_insert_with(|| Unsent::new(batch.len() + never.left, stored));
            let clock = clock.get_or_insert_with(Clock::start);
            clock.tick();
            let (mut bytes, mut looked, mut known) = (0, clock.now, None);
            while let Some(message) = batch.front_mut() {
                // They share the budget that tokio gives to this task. Without any left they would all wait, though nothing keeps
                // them, and go on in any order.
                if clock.now > LONG_TURN || !has_budget_remaining() {
                    answered |= done.count > 0;
                    self.finish(&mut done);
                    self.give_back(batch, &mut mine);
                    self.start_others();
                    return answered;
                }
                let started = self.start(&handlers, message, clock, &mut known);
                let Some(Message { metadata, .. }) = batch.pop_front() else { break };
                match started {
                    Started::Answered(answer) => {
                        bytes += answer
                            .as_ref()
                            .map_or_else(|fault| fault.message().len(), |payload| payload.len());
                        if done.add(metadata, answer) {
                            unsent.add(clock.now);
                        }
                    }
                    Started::Later => {}
                    Started::Long(long) => {
                        answered |= done.count > 0;
                        self.finish(&mut done);
                        self.session().wait_for_start(batch);
                        self.start_aside(*long);
                        return answered;
                    }
                }
                // Large answers may take all the room there is.
                if bytes > LARGE_ANSWERS {
                    bytes = 0;
                    self.finish(&mut done);
                    answered = true;
                    if self.session().give_back_if_full(batch, &mut mine) {
                        // What was forgotten does not wait.
                        self.changed.notify_waiters();
                        return true;
                    }
                }
                // Do not hold the first answers back for the last handler of the batch.
                if unsent.go_out(clock.now) {
                    self.finish(&mut done);
                    if self.flush_now() != Some(Flushed::All) {
                        self.call_driver();
                    }
                }
                if clock.now - looked > STARTS_UNSEEN {
                    looked = clock.now;
                    let mut session = self.session();
                    session.drop_forgotten(batch);
                    let has_unsent = session.has_unsent();
                    drop(session);
                    // Of throws nobody waits for an answer, but for what their handlers say, or others meanwhile.
                    if has_unsent && self.flush_now() != Some(Flushed::All) {
                        self.call_driver();
                    }
                }
            }
            answered |= done.count > 0;
            self.finish(&mut done);
        }
    }

    /// Lets start what may start now: the driver does that, or without a link a task of its own.
    pub(super) fn start_others(self: &Arc<Self>) {
        let mut session = self.session();
        let driver = session.call_driver();
        let nobody = !session.is_linked() && session.may_start_jobs();
        drop(session);
        wake(driver);
        // Without a runtime nothing will ever start.
        if let (true, Ok(runtime)) = (nobody, Handle::try_current()) {
            // Those that came are handled, though their entity may be over by then.
            let (exchange, handlers) = (self.clone(), self.handlers.upgrade());
            runtime.spawn(async move {
                exchange.start_jobs(&mut VecDeque::new());
                drop(handlers);
                // There may be a link meanwhile, whose driver left this to who was at it.
                exchange.call_driver();
            });
        }
    }

    /// Leaves started messages to whoever is at it next.
    fn give_back(&self, rest: &mut VecDeque<Message>, mine: &mut bool) {
        let mut session = self.session();
        session.give_back(rest, mine);
        // What was forgotten does not wait.
        let news = session.no_jobs() || session.is_held_up();
        drop(session);
        if news {
            self.changed.notify_waiters();
        }
    }

    /// When the caller stops waiting.
    fn deadline(&self, metadata: &Metadata) -> Option<Instant> {
        self.born.checked_add(metadata.came())?.checked_add(metadata.timeout()?)
    }

    /// Notes who sent a message, for its handler, and when it came, if that will matter.
    pub(crate) fn note_arrival(&self, message: &mut Message, sender: &Arc<PeerInfo>) {
        if matches!(message.metadata.kind(), Kind::Request | Kind::Throw) {
            message.sender = Some(sender.clone());
        }
        if message.metadata.timeout().is_some() {
            message.metadata.set_came(self.now());
        }
    }

    /// Runs the handler until it waits for something, and takes the payload out of its message. `clock`: the time before and after it. `known`:
    /// the route of the last one.
    fn start<'a>(
        self: &Arc<Self>,
        handlers: &'a Handlers,
        message: &mut Message,
        clock: &mut Clock,
        known: &mut Option<(&'a str, &'a Route)>,
    ) -> Started {
        let Message { metadata, payload, sender, .. } = message;
        let (payload, deadline) = (std::mem::take(payload), self.deadline(metadata));
        if metadata.kind() == Kind::Request
            && deadline.is_some_and(|deadline| deadline <= clock.start + clock.now)
        {
            drop(Job::new(self.clone(), None, metadata.clone()));
            return Started::Later;
        }
        let route = match handlers.find(metadata.route().as_deref(), known) {
            Ok(route) => route,
            Err(fault) => return Started::Answered(Err(fault)),
        };
        if route.is_for_aside() {
            let (route, metadata, sender) = (route.clone(), metadata.detached(), sender.take());
            return Started::Long(Box::new(Long { metadata, sender, deadline, route, payload }));
        }
        let call = HandledCall { exchange: self, sender: sender.as_ref(), metadata, deadline };
        let ran = catch_unwind(AssertUnwindSafe(|| route.start(call, payload)));
        let took = clock.tick();
        // What goes to the pool does nothing here: it was the thread that waited. Aside it would leave the pool's order.
        if !matches!(ran, Ok(Ran::Blocking(_))) && route.took(took) {
            self.tell_that_it_held_up(metadata, took);
        }
        match ran {
            Ok(Ran::Ready(answer)) => Started::Answered(answer),
            Ok(Ran::Later(future)) => {
                self.spawn(metadata.detached(), deadline, future);
                Started::Later
            }
            Ok(Ran::Blocking(run)) => {
                self.spawn_blocking(metadata.detached(), deadline, run);
                Started::Later
            }
            Err(panic) => {
                let fault = self.panicked(metadata, &*panic);
                discard(panic);
                Started::Answered(Err(fault))
            }
        }
    }

    /// Starts a handler of a route that is known to compute for long. It has the turn to start until it waits, as if it ran in
    /// place, or until it is known to have begun: those behind it start after it, and nothing else waits for it.
    fn start_aside(self: &Arc<Self>, long: Long) {
        let Long { metadata, sender, deadline, route, payload } = long;
        let turn = Arc::new(Held::new(self.clone()));
        // It is not passed before it is known whether the handler was given up meanwhile, and the word for that is not needed any more.
        let _kept = turn.clone();
        let (runtime, exchange, of_call) = (Handle::current(), self.clone(), metadata.clone());
        let handler = async move {
            let watched = turn.turn();
            let begins = move |progress| drop(watched.watch(progress, &runtime));
            let waits = move || drop(turn);
            let size = payload.len();
            let start = move |route: &Route| {
                let sender = sender.as_ref();
                route
                    .start(HandledCall { exchange: &exchange, sender, metadata: &of_call, deadline }, payload)
            };
            route.run_aside(size, start, begins, waits).await
        };
        self.spawn(metadata, deadline, Box::pin(handler));
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
        let job = Job::new(self.clone(), self.handlers.upgrade(), metadata);
        let handler = poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        let deadline = deadline.filter(|_| is_request);
        self.keep(id, |ends| async move {
            let _ends = ends;
            let ended = match deadline {
                None => handler.await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), handler).await {
                    Ok(ended) => ended,
                    Err(_) => return job.give_up(),
                },
            };
            job.finish(ended);
        });
    }

    /// Keeps the task of a handler, to be stopped when nobody waits for its answer any more. `id`: of the request it
    /// answers.
    pub(super) fn keep<F>(&self, id: Option<String>, task: impl FnOnce(Ends) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.running.spawn(id.clone(), task);
        // The word that nobody waits may have come when the handler was not yet known to run.
        if let Some(id) = id {
            let mut session = self.session();
            let given_up = session.was_cancelled(&id) || session.forgot_requests();
            drop(session);
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

    fn finish(&self, done: &mut Done) {
        for (metadata, answer) in &done.answers {
            if let Err(fault) = answer {
                self.tell_of_failure(metadata, fault);
            }
        }
        let mut session = self.session();
        session.jobs_done(std::mem::take(&mut done.count), std::mem::take(&mut done.bytes));
        for (metadata, answer) in &mut done.answers {
            session.answer(metadata, std::mem::replace(answer, Ok(Payload::from(Vec::new()))));
        }
        done.answers.clear();
        let news = session.no_jobs() || session.is_held_up();
        drop(session);
        if news {
            self.changed.notify_waiters();
        }
    }

    /// Stops the handlers that still run. Their callers get no answer; of throws the log tells.
    pub(crate) fn abort_jobs(&self) {
        // First, or they would start in the places of those that are stopped; and a store keeps what comes after that.
        {
            let mut session = self.session();
            session.drain();
            session.forget_jobs();
        }
        self.running.stop_all();
    }
}

/// The time since a turn began, as it was read last: numbers, as each look at it would take an `Instant` apart.
struct Clock {
    start: Instant,
    now: Duration,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), now: Duration::ZERO }
    }

    /// Reads it. How much is that since it was read last?
    fn tick(&mut self) -> Duration {
        let before = self.now;
        // There are machines on which it goes back.
        self.now = self.start.elapsed().max(before);
        self.now - before
    }
}

/// Handlers that were done, and what they had to say.
#[derive(Default)]
struct Done {
    count: usize,
    /// Of their messages.
    bytes: usize,
    /// The throws among them have none, but for those that failed, and those for whose end a store waits.
    answers: Vec<(Metadata, Answer)>,
}

impl Done {
    /// False if there is nothing to say.
    fn add(&mut self, message: Metadata, answer: Answer) -> bool {
        self.count += 1;
        self.bytes += message.size();
        let says = message.kind() != Kind::Throw || message.arrival().is_some() || answer.is_err();
        if says {
            self.answers.push((message, answer));
        }
        says
    }
}

/// Answers that wait for others.
struct Unsent {
    /// How many of them may wait, and for how long.
    part: usize,
    wait: Duration,
    count: usize,
    since: Option<Duration>,
}

impl Unsent {
    /// `messages`: whose handlers may start now.
    fn new(messages: usize, stored: bool) -> Self {
        let (part, wait) = match messages {
            _ if stored => (usize::MAX, ANSWERS_WAIT_STORED),
            ..=FEW => (PART.max(messages / PARTS), FEW_WAIT),
            _ => (usize::MAX, ANSWERS_WAIT),
        };
        Self { part, wait, count: 0, since: None }
    }

    fn add(&mut self, now: Duration) {
        self.count += 1;
        self.since.get_or_insert(now);
    }

    /// Whether they go out now.
    fn go_out(&mut self, now: Duration) -> bool {
        let go_out = self.count >= self.part || self.since.is_some_and(|since| now - since > self.wait);
        if go_out {
            (self.count, self.since) = (0, None);
        }
        go_out
    }
}

/// What became of a message whose handler was to start.
enum Started {
    Answered(Answer),
    /// It runs in a task of its own, or nobody waits for it any more.
    Later,
    /// It has to start in a task of its own.
    Long(Box<Long>),
}

/// A handler that computes for long, and what it is given.
struct Long {
    metadata: Metadata,
    sender: Option<Arc<PeerInfo>>,
    deadline: Option<Instant>,
    route: Route,
    payload: Bytes,
}

/// A handler's task until it has its answer. Stopped before that, it counts as done, without one.
pub(super) struct Job {
    exchange: Arc<Exchange>,
    /// Those behind it still start, though their entity may be over by then.
    handlers: Option<Arc<Handlers>>,
    metadata: Option<Metadata>,
}

impl Job {
    pub(super) fn new(exchange: Arc<Exchange>, handlers: Option<Arc<Handlers>>, metadata: Metadata) -> Self {
        Self { exchange, handlers, metadata: Some(metadata) }
    }

    /// `ended`: how its handler did, which may be a panic.
    pub(super) fn finish(mut self, ended: thread::Result<Answer>) {
        let Some(metadata) = self.metadata.take() else { return };
        let exchange = &self.exchange;
        let answer = ended.unwrap_or_else(|panic| {
            let fault = exchange.panicked(&metadata, &*panic);
            discard(panic);
            Err(fault)
        });
        exchange.running.done(&metadata.id());
        let mut done = Done::default();
        done.add(metadata, answer);
        exchange.finish(&mut done);
        exchange.call_driver();
        exchange.start_jobs(&mut VecDeque::new());
        exchange.call_driver();
    }

    /// The caller's time is over. Its own clock tells it so; an answer would race with that, and tell it otherwise.
    fn give_up(mut self) {
        let (exchange, handlers) = (self.exchange.clone(), self.handlers.take());
        if let Some(metadata) = &self.metadata {
            exchange.running.done(&metadata.id());
        }
        drop(self);
        exchange.start_jobs(&mut VecDeque::new());
        exchange.call_driver();
        drop(handlers);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Some(metadata) = self.metadata.take() else { return };
        let mut session = self.exchange.session();
        session.job_stopped(&metadata);
        drop(session);
        self.exchange.changed.notify_waiters();
        self.exchange.start_others();
    }
}

#[cfg(test)]
mod tests;
