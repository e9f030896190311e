//! Reads and writes one link, side by side in one task, until it ends.

mod busy_poll;
mod end;
mod goodbye;
mod leftovers;
mod nudge;
mod pulse;

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connector::{BoxFuture, Delivery, Link, LinkRx, PeerInfo, Received};
use crate::exchange::{Exchange, Flushed, News, Progress, on_the_pool, wake};
use crate::session::{Event, Goodbye, Intake, Lost};
use crate::turns::{let_all_others_first, let_others_first};
use crate::wire::hello::About;
use crate::wire::{Feature, Message, Mix, WireError};
use busy_poll::BusyPoll;
pub(crate) use end::LinkEnd;
use leftovers::Left;
use nudge::Nudge;
use pulse::Pulse;

/// Who gets an answer of more bytes may work on it for long.
const LARGE_ANSWER: usize = 256 * 1024;
/// Batches read before other tasks get a turn.
const BATCHES_PER_TURN: usize = 8;
/// When so many callers were woken, they have their turn before more is read, and what they say goes out: the peer works on that while
/// the next are woken here.
const MANY_CALLERS: usize = 8;

/// Carries messages from now on until the link ends; what was not sent then waits for the next one. The caller holds the exchange's
/// link slot; `about` is what the peer said of itself. `finishes`: when the peer of a link with a store goes, what it left is worked off
/// first. Dropping the driver breaks the link off.
pub(crate) fn drive(exchange: &Arc<Exchange>, link: Link, about: Option<About>, finishes: bool) -> Driver {
    // What else belongs to the link is not kept for as long as it lives.
    let Link { tx, rx, peer, .. } = link;
    let peer = Arc::new(exchange.with_known_certificates(peer));
    let stored = tx.delivery() != Delivery::Direct;
    exchange.attach(tx, peer.clone(), about);
    let pulse = exchange.session().beat_time().map(Pulse::new);
    // A broker takes longer than any moment.
    let busy_poll_time = if stored { Duration::ZERO } else { exchange.limits.busy_poll_time };
    let id = Arc::as_ptr(exchange) as usize;
    Driver {
        exchange: exchange.clone(),
        peer,
        rx,
        stored,
        finishes,
        room: None,
        let_others_first: true,
        callers_first: false,
        paused: false,
        goodbye: None,
        goodbye_said: false,
        left: None,
        lingers: false,
        watch: None,
        needs_thread: false,
        peer_asks: false,
        stuck: None,
        pulse,
        link_first: false,
        came: false,
        busy_poll: BusyPoll::new(id, busy_poll_time),
        wakes_nobody: false,
        nudge: Nudge::new(&exchange.runtime),
        ended: None,
    }
}

thread_local! {
    static ROOM: Cell<Option<Box<Room>>> = const { Cell::new(None) };
}

/// Where the messages of one turn stand. All links of a thread use the same, one after the other, so that an idle one
/// keeps none.
#[derive(Default)]
struct Room {
    inbox: Vec<Message>,
    jobs: VecDeque<Message>,
    /// Of those whose calls ended.
    wakers: Vec<Waker>,
}

impl Room {
    fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.jobs.is_empty()
    }
}

/// Carries the messages of one link, see [`drive`]. Ready when that ended.
pub(crate) struct Driver {
    exchange: Arc<Exchange>,
    /// Who is at the other end.
    peer: Arc<PeerInfo>,
    rx: Box<dyn LinkRx>,
    /// The link has a store, which says what it has.
    stored: bool,
    /// See [`drive`].
    finishes: bool,
    /// For the length of a turn, unless something stays in it.
    room: Option<Box<Room>>,
    /// Woken to send: tasks that are ready now may have more to say, and it all goes out in one system call.
    let_others_first: bool,
    /// Many callers were woken in the last turn, and have had theirs.
    callers_first: bool,
    /// Nothing is read, because too much waits here.
    paused: bool,
    goodbye: Option<Goodbye>,
    goodbye_said: bool,
    /// The peer went; what it left in the store is still worked off.
    left: Option<Box<Left>>,
    /// Everything is said; the peer has to close its side.
    lingers: bool,
    /// Runs out when the link took nothing for too long, or did not take the last words in time.
    watch: Option<Pin<Box<Sleep>>>,
    /// Whoever was woken may well keep this thread, and somebody else waits: another one has to go on here.
    needs_thread: bool,
    /// The peer asked for something, and may do so again.
    peer_asks: bool,
    /// How far it was when the watch was set; `None` when it is not set.
    stuck: Option<Progress>,
    /// When the peer beats too.
    pulse: Option<Pulse>,
    /// The last turn used up the budget that tokio gives to a task, as handlers may, and left nothing for the link.
    link_first: bool,
    /// Messages came in this turn.
    came: bool,
    busy_poll: BusyPoll,
    /// The link was told that it is polled again and again, and wakes nobody.
    wakes_nobody: bool,
    /// On from then until the first turn in which it was not so.
    nudge: Nudge,
    /// Most links never do.
    ended: Option<Box<Ended>>,
}

/// What is known of a link that ended.
struct Ended {
    /// Until somebody is told.
    end: Option<LinkEnd>,
    why: String,
    lost: Lost,
    /// What is still to be said over it.
    last_words: Option<BoxFuture<'static, ()>>,
}

impl Future for Driver {
    type Output = LinkEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        loop {
            let Some(ended) = &mut self.ended else {
                let end = ready!(self.poll_link(cx));
                self.ended = Some(Box::new(self.note_end(end)));
                continue;
            };
            if let Some(last_words) = &mut ended.last_words {
                ready!(last_words.as_mut().poll(cx));
            }
            // Nobody asks twice.
            return Poll::Ready(ended.end.take().unwrap_or(LinkEnd::Here));
        }
    }
}

/// However the driving ends: what the link did not take waits for the next.
impl Drop for Driver {
    fn drop(&mut self) {
        match &self.ended {
            Some(ended) => self.exchange.link_lost(&ended.why, ended.lost),
            None => self.exchange.link_lost("it was broken off", Lost::Cut),
        }
    }
}

impl Driver {
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let kept = self.nudge.has_others() && !self.callers_first;
        self.busy_poll.turn_begins(kept, std::time::Instant::now);
        self.tell_link_who_wakes();
        self.room = self.room.take().or_else(|| ROOM.take());
        let polled = self.poll_turn(cx);
        self.link_first = !has_budget_remaining();
        if std::mem::take(&mut self.needs_thread) {
            cx.waker().wake_by_ref();
        }
        let came = std::mem::take(&mut self.came);
        let goes_on = polled.is_pending() && self.busy_poll.goes_on(came, std::time::Instant::now);
        let in_vain = self.wakes_nobody && !goes_on;
        if in_vain {
            // What comes wakes somebody from the next turn on, which a task that keeps the thread must not hold up.
            self.rx.busy_poll(false);
            self.wakes_nobody = false;
        } else if !self.wakes_nobody && self.nudge.is_on() {
            self.nudge.stop();
        }
        if goes_on && !self.callers_first || in_vain {
            let_others_first(cx);
        }
        if let Some(room) = self.room.take_if(|room| room.is_empty()) {
            ROOM.set(Some(room));
        }
        polled
    }

    /// As long as each message is found by looking, what comes need not wake anybody.
    fn tell_link_who_wakes(&mut self) {
        if self.busy_poll.needs_no_wake() {
            self.rx.busy_poll(true);
            self.wakes_nobody = true;
            self.nudge.turn(&self.exchange);
        } else if self.wakes_nobody {
            self.rx.busy_poll(false);
            self.wakes_nobody = false;
        }
    }

    fn note_end(&self, end: LinkEnd) -> Ended {
        let (why, client_id) = (end.why(), self.exchange.client_id());
        let address = &self.peer.address;
        tracing::debug!(client_id, address, why, "a link ended");
        let lost = end.lost(self.goodbye.as_ref().is_some_and(|goodbye| !goodbye.at_once));
        let goes_on = lost == Lost::Cut && self.exchange.session().supports(Feature::Resume);
        let last_words = match &end {
            // Whoever wrote the other side wants to know.
            LinkEnd::Broken(error) if !goes_on => {
                Some(Box::pin(goodbye::last_words(self.exchange.clone(), error.to_string())) as _)
            }
            _ => None,
        };
        Ended { end: Some(end), why, lost, last_words }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let pulse = &mut self.pulse;
        let goodbye = self.exchange.session().driver_looks(|known| match known {
            Some(known) if known.will_wake(cx.waker()) => known,
            _ => {
                pulse.iter_mut().for_each(Pulse::forget_waker);
                cx.waker().clone()
            }
        });
        if self.goodbye.is_none() && goodbye.is_some() {
            self.goodbye = goodbye;
        }
        if self.goodbye.as_ref().is_some_and(|goodbye| goodbye.at_once) {
            return self.poll_end_at_once(cx);
        }
        if self.left.is_some() {
            return self.poll_leftovers(cx);
        }
        match self.poll_read(cx) {
            Poll::Ready(LinkEnd::Peer(reason)) if self.may_have_leftovers(reason.as_deref()) => {
                self.left = Some(Box::new(Left::new(reason, self.exchange.limits.forget_time)));
                return self.poll_leftovers(cx);
            }
            // The peer says what came before it hangs up. If it does not, the link was cut at this moment.
            Poll::Ready(_) if self.goodbye_said && !self.exchange.session().is_unacknowledged() => {
                return Poll::Ready(LinkEnd::Here);
            }
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending => {}
        }
        if let Poll::Ready(end) = self.poll_pulse(cx) {
            return Poll::Ready(end);
        }
        if self.lingers {
            self.go_on_if_there_is_room(cx);
            return Poll::Pending;
        }
        if let Poll::Ready(end) = self.poll_write(cx) {
            return Poll::Ready(end);
        }
        if self.stored { self.poll_confirmed(cx) } else { Poll::Pending }
    }

    /// Lets the link say what its store has, until it has nothing to say.
    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        loop {
            match ready!(self.exchange.poll_confirmed(cx)) {
                Ok(()) => self.go_on_if_there_is_room(cx),
                Err(error) => return Poll::Ready(self.broken(cx, error)),
            }
        }
    }

    /// What is done with makes room for answers, and so for handlers, and so for reading.
    fn go_on_if_there_is_room(&self, cx: &mut Context<'_>) {
        let go_on = {
            let mut session = self.exchange.session();
            session.may_start_jobs() || self.paused && session.intake() != Intake::Paused
        };
        if go_on {
            let_others_first(cx);
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        if !self.link_first && self.exchange.session().may_start_jobs() {
            self.exchange.start_jobs(&mut self.room.get_or_insert_default().jobs);
        }
        let mut callers_first = std::mem::take(&mut self.callers_first);
        self.let_others_first &= !callers_first;
        for _ in 0..BATCHES_PER_TURN {
            let intake = self.exchange.session().intake();
            self.paused = intake == Intake::Paused;
            match intake {
                Intake::Open => {}
                Intake::Paused => return Poll::Pending,
                Intake::Overrun => return Poll::Ready(LinkEnd::Broken(WireError::Overrun.into())),
            }
            let inbox = &mut self.room.get_or_insert_default().inbox;
            match ready!(self.rx.poll_recv(cx, inbox)) {
                Ok(Received::Messages) => {
                    // Not before it is known that the peer is still there: what is queued otherwise was not sent.
                    let mut flushed = Poll::Pending;
                    if std::mem::take(&mut callers_first) {
                        flushed = self.exchange.poll_flush(cx);
                    }
                    let woken = self.take_in();
                    // Answers that are there now go out now: nobody is about to add to them.
                    if self.exchange.start_jobs(&mut self.room.get_or_insert_default().jobs) {
                        self.let_others_first = false;
                        if !matches!(flushed, Poll::Ready(Err(_))) {
                            flushed = self.exchange.poll_flush(cx);
                        }
                    }
                    if let Poll::Ready(Err(error)) = flushed {
                        return Poll::Ready(self.broken(cx, error));
                    }
                    // A store keeps many small messages as one, if they come together.
                    if woken >= MANY_CALLERS && !self.stored {
                        self.callers_first = true;
                        self.exchange.session().driver_waits_for_others(self.exchange.said());
                        // Not by `let_others_first`: should one of the callers compute for long, another thread goes on here.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Ok(Received::Closed { reason }) => {
                    self.exchange.say_what_came();
                    return Poll::Ready(LinkEnd::Peer(reason));
                }
                Err(error) => return Poll::Ready(LinkEnd::Broken(error)),
            }
        }
        let_others_first(cx);
        Poll::Pending
    }

    /// Gives each message to the session, then wakes who waited for it. How many that were?
    fn take_in(&mut self) -> usize {
        self.came = true;
        let (mut cancelled, mut made_room, mut large_answer) = (Vec::new(), false, false);
        let Room { inbox, wakers, .. } = &mut **self.room.get_or_insert_default();
        let mut session = self.exchange.session();
        session.begin_batch();
        for message in &mut *inbox {
            self.exchange.note_arrival(message, &self.peer);
            let size = message.payload.len();
            match session.receive(message) {
                Event::Answered(waker) => {
                    large_answer |= size > LARGE_ANSWER;
                    wakers.extend(waker);
                }
                Event::Queued => self.peer_asks = true,
                Event::Noted => {}
                Event::Room => made_room = true,
                Event::Cancelled(id) => cancelled.push(id),
                Event::Dropped(why) => {
                    tracing::debug!(client_id = self.exchange.client_id(), why, "dropped a message")
                }
            }
        }
        made_room |= session.take_made_room();
        let done = session.take_done();
        // To wake a thread costs a fifth of what a call with a MiB does.
        self.needs_thread |= large_answer && (self.peer_asks || session.has_calls());
        drop(session);
        inbox.clear();
        if !done.is_empty() {
            on_the_pool(move || drop(done));
        }
        let woken = wakers.len();
        wake(wakers.drain(..));
        cancelled.into_iter().for_each(|id| self.exchange.cancel(id));
        self.exchange.tell(News { made_room, idle: false });
        woken
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        if std::mem::take(&mut self.let_others_first) && self.stuck.is_none() {
            let mut session = self.exchange.session();
            if session.has_unsent() {
                session.driver_waits_for_others(self.exchange.said());
                drop(session);
                let_others_first(cx);
                return Poll::Pending;
            }
        }
        match self.exchange.poll_flush(cx) {
            Poll::Pending => {
                // What is with the link now made room for answers, and so for handlers.
                self.go_on_if_there_is_room(cx);
                return self.poll_watch(cx, self.exchange.progress());
            }
            Poll::Ready(Err(error)) => return Poll::Ready(self.broken(cx, error)),
            Poll::Ready(Ok(Flushed::Some(mix))) => {
                self.stuck = None;
                let_all_others_first(cx, mix == Mix::Both);
                return Poll::Pending;
            }
            Poll::Ready(Ok(Flushed::All)) => self.let_others_first = true,
        }
        if self.exchange.session().is_held_back() {
            // More may be read then, and the word that lets go on stands behind what was not.
            self.go_on_if_there_is_room(cx);
            return self.poll_watch(cx, self.exchange.progress_of_window());
        }
        self.stuck = None;
        self.go_on_if_there_is_room(cx);
        self.poll_goodbye(cx)
    }

    /// Nothing goes on now. Fine, unless it stays so.
    fn poll_watch(&mut self, cx: &mut Context<'_>, now: Progress) -> Poll<LinkEnd> {
        if self.stuck != Some(now) {
            self.set_watch(self.exchange.limits.stall_time);
        }
        self.stuck = Some(now);
        ready!(self.poll_watch_end(cx));
        let what = "the peer took nothing of what was sent for too long";
        Poll::Ready(LinkEnd::Broken(io::Error::new(ErrorKind::TimedOut, what).into()))
    }

    /// The time that was set last is over.
    fn poll_watch_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch.as_mut().map_or(Poll::Pending, |watch| watch.as_mut().poll(cx))
    }

    fn set_watch(&mut self, time: Duration) {
        // A time beyond the clock's end is as good as a year.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let end = Instant::now() + time.min(YEAR);
        match &mut self.watch {
            Some(watch) => watch.as_mut().reset(end),
            // Most links never need one.
            None => self.watch = Some(Box::pin(sleep_until(end))),
        }
    }
}

#[cfg(test)]
mod tests;
