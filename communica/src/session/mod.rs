//! Who waits for what with one peer: messages in, events out. No tokio, no sockets, no clock.
//!
//! A session outlives its links. What callers and handlers have to say is queued in the [`outbox`] and handed to
//! whatever link is there; [`calls`] wait for answers, [`jobs`] wait for their handler. `W` wakes somebody: a task
//! in production, a number in tests. Methods that make work for the driver return the `W` to wake, once unlocked.

mod amount;
mod arrivals;
mod calls;
mod ending;
mod failed_throws;
mod heard;
mod incoming;
mod jobs;
mod kept;
mod link;
mod other;
mod outbox;
mod outgoing;
mod sent;
mod stall;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use calls::{CallEnd, CallId, Waiting};
pub(crate) use other::{BEATS, Beat};

use crate::error::{Fault, Reason};
use crate::lean::Seldom;
use crate::limits::{Limits, Quota};
use crate::serializer::Payload;
use arrivals::Arrivals;
use calls::Calls;
use failed_throws::FailedThrows;
use heard::Heard;
use jobs::Jobs;
use other::Other;
use outbox::Outbox;
use stall::Stall;

/// What a handler made of a request.
pub(crate) type Answer = Result<Payload, Fault>;

pub(crate) struct Session<W> {
    failed_throws: FailedThrows,
    stall: Stall,
    /// For the log.
    client_id: Arc<str>,
    /// Unlike that of every other session, the one of an earlier process included.
    instance: String,
    /// What came of this session of the peer was counted, and the count is gone: one that speaks 0.4 came between.
    lost_count: Option<String>,
    /// Requests, by their numbers, that were given up while there was no link, and that the next one may repeat.
    given_up: Vec<(u64, CallId)>,
    /// Throws that were dropped, are not known to have come, and are to be told of.
    throws_lost: usize,
    /// Counts the connections that came; the newest is the one that counts.
    newest_link: u64,
    /// Counts the links with which nothing of earlier ones went on.
    beginnings: u64,
    // What each message is about is written together, here and in the outbox, and mostly stands so in memory: of many peers little is in a
    // cache. The compiler has the last word.
    /// Set once, by the first of: closed here, replaced, forgotten. No calls from here any more.
    closed: Option<Reason>,
    /// The store of the link forgets requests of no more than so many bytes when the peer has them.
    hands_over: usize,
    /// Memory to write ids in.
    id_text: String,
    outbox: Outbox,
    calls: Calls<W>,
    jobs: Jobs,
    other: Other,
    heard: Heard,
    /// Of links with a store.
    arrivals: Seldom<Arrivals>,
    /// Those of the entity, which all of its peers share.
    limits: Arc<Limits>,
    /// The driver should end the link.
    goodbye: Option<Goodbye>,
    /// The link's driver, once that has looked for the first time.
    driver: Option<W>,
    /// When that looks next.
    next_look: NextLook,
    /// Answers to calls in the batch of messages that came last.
    answers_came: usize,
    /// There is a link.
    linked: bool,
    /// The link that is there, or was last, has a store.
    stored: bool,
    /// What that link takes or took is repeated until the peer has it.
    resumes: bool,
    /// There will be no link any more, and nobody for whom an answer could be.
    ended: bool,
    /// No requests and throws from the peer any more.
    draining: bool,
    /// The driver stopped reading until something changes.
    paused: bool,
    /// The link that is there brought something.
    brought: bool,
    /// What was received made room.
    made_room: bool,
    /// Some of the answers that wait to be sent are no handler's: they refuse requests.
    refusing: bool,
    /// This side ended the last link for good, and kept nothing of what it sent there. The peer may not know.
    over: bool,
    /// Handlers are stopped whose answers somebody would wait for without end.
    answers_for_stopped: bool,
}

/// When the driver looks at what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextLook {
    WhenCalled,
    /// It was woken.
    WasCalled,
    /// When the others on its thread had their turn, which it left to them. Woken before that it would send the little that is there by
    /// then. `is_watched`: somebody on another thread sees to it that it does look, should one of them keep the thread.
    AfterOthers {
        since: Said,
        is_watched: bool,
    },
}

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was cut, and the peer may come back as if nothing had been.
    Cut,
    /// The store did not accept a message.
    Refused,
    /// One side ended it for good: nothing that was sent is repeated.
    Over,
    /// The same: the peer did, since another connection with this one's client id took over.
    Replaced,
}

/// What a new link brought with it.
#[derive(Debug)]
pub(crate) struct LinkUp<W> {
    /// Whose calls ended.
    pub(crate) wake: Vec<W>,
    /// The peer is another process than the one before, if there was one: nobody waits for answers to what that asked.
    pub(crate) is_another: bool,
}

/// Why a message was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No room now; wait for some and try again.
    Full,
    /// Never.
    For(Reason),
}

/// What a request says beside its payload.
#[derive(Clone, Copy, Default)]
pub(crate) struct What<'a> {
    pub(crate) route: Option<&'a str>,
    /// Further members of the metadata.
    pub(crate) more: &'a str,
    /// Handling it twice does no harm.
    pub(crate) idempotent: bool,
    /// For the link that is there: should that end before it took this, the call ends.
    pub(crate) here: bool,
    /// The time by the caller's clock.
    pub(crate) now: Duration,
    /// For who may be content with a driver that comes by itself.
    pub(crate) said: Option<Said>,
    pub(crate) sender: Sender,
}

/// When something is said, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at: Duration,
    /// A number that other threads do not have.
    pub(crate) on: usize,
}

/// Who says something. A handler that waits for room holds up those behind it, and so what the peer has to say: two sides
/// could wait for each other's handlers without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sender {
    #[default]
    Caller,
    /// Says it to the peer that called it.
    Handler,
}

/// Who has to wait for room.
#[derive(Clone, Copy, Debug)]
struct Full {
    for_callers: bool,
    for_handlers: bool,
}

impl Full {
    /// Some of those that had to wait then can go on now.
    fn has_room_since(self, earlier: Self) -> bool {
        earlier.for_callers && !self.for_callers || earlier.for_handlers && !self.for_handlers
    }
}

/// A driver that lets others go first is not woken for so long by what they say: it would send it in small pieces. Longer, and the
/// peer would have nothing to do meanwhile.
const OTHERS_TURN: Duration = Duration::from_micros(25);

/// Throws that stand in the buffers of a link, at most: these hold 1.1 MiB, and a throw has 50 bytes and more.
const ON_THE_WAY: usize = 24 * 1024;

/// What may wait where handlers have something to say. Two sides whose handlers throw back do not wait for each other if
/// there is room for an answer to all that the other had to say when this one had no more room: what waited there, what is
/// under way, what waits and runs here.
fn of_handlers(limits: &Limits) -> Quota {
    let Limits { queued, waiting, running, .. } = limits;
    // Four times, because so much is read while nothing can go out.
    let waiting = waiting.times(4);
    let messages = queued.messages.saturating_mul(2).saturating_add(waiting.messages);
    Quota {
        messages: messages.saturating_add(*running).saturating_add(ON_THE_WAY),
        // What they say may be of any size, so that there is no sum that would do.
        bytes: queued.bytes.saturating_mul(2),
    }
}

/// A call nobody waits for any more.
#[derive(Debug)]
pub(crate) struct Abandoned<W> {
    /// It was not sent, and never will be.
    pub(crate) unsent: bool,
    /// The driver to wake.
    pub(crate) wake: Option<W>,
    /// Who waited for it, to be dropped under no lock.
    pub(crate) waiter: Option<W>,
}

/// A request that was accepted.
#[derive(Debug)]
pub(crate) struct Requested<W> {
    pub(crate) call: CallId,
    /// It is the only thing under way: worth handing to the link at once, without waking the driver.
    pub(crate) alone: bool,
    /// The driver to wake.
    pub(crate) wake: Option<W>,
    /// It is to be called if it has not looked when the others on this thread had their turn.
    pub(crate) watch: bool,
}

/// What a message meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<W> {
    /// A call has its answer; wake who waits.
    Answered(Option<W>),
    /// A handler has to be found and run, see [`Session::start_jobs`].
    Queued,
    /// Nobody waits any more for the answer to the request with this id.
    Cancelled(String),
    /// Callers that wait for room may try again.
    Room,
    /// Nothing to do.
    Noted,
    /// Nobody needs it. For the log.
    Dropped(&'static str),
}

/// What became of messages that waited for a handler and get none.
#[derive(Debug, Default)]
pub(crate) struct NeverStart {
    /// Some were given up before.
    pub(crate) any_given_up: bool,
    /// Why others were refused, each of them. For the log.
    pub(crate) refused: Vec<&'static str>,
    /// How many wait on.
    pub(crate) left: usize,
}

/// How a link should end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    /// What the peer is told.
    pub(crate) reason: Option<String>,
    /// Not after everything queued went out, but now.
    pub(crate) at_once: bool,
}

/// May more be read from the peer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    Open,
    /// Not before something of what came was worked off.
    Paused,
    /// It sent four times what may wait, and reading could not stop because this side waits for its answers; or it
    /// does not take the answers to what it sends.
    Overrun,
}

impl<W: Clone> Session<W> {
    /// `prefix` makes the ids of this session unlike those of every other; it must not be guessable. `client_id`: for the log.
    pub(crate) fn new(prefix: String, client_id: Arc<str>, limits: Arc<Limits>) -> Self {
        Self {
            outbox: Outbox::new(&prefix, limits.chunk_size, limits.unacknowledged),
            calls: Calls::new(prefix.clone()),
            jobs: Jobs::new(limits.running, limits.waiting.bytes),
            arrivals: Seldom::default(),
            failed_throws: FailedThrows::new(client_id.clone()),
            stall: Stall::default(),
            client_id,
            instance: prefix,
            other: Other::default(),
            heard: Heard::new(),
            lost_count: None,
            over: false,
            given_up: Vec::new(),
            limits,
            closed: None,
            throws_lost: 0,
            ended: false,
            draining: false,
            newest_link: 0,
            beginnings: 0,
            linked: false,
            stored: false,
            hands_over: 0,
            resumes: false,
            answers_for_stopped: false,
            driver: None,
            next_look: NextLook::WhenCalled,
            goodbye: None,
            paused: false,
            brought: false,
            refusing: false,
            made_room: false,
            answers_came: 0,
            id_text: String::new(),
        }
    }

    /// The driver, if it has to be woken to see what is there.
    pub(crate) fn call_driver(&mut self) -> Option<W> {
        if self.next_look == NextLook::WasCalled {
            return None;
        }
        let driver = self.driver.clone()?;
        self.next_look = NextLook::WasCalled;
        Some(driver)
    }

    /// The same for what may go out together with what others say in this turn of the same thread.
    pub(crate) fn call_driver_to_send(&mut self, said: Said) -> Option<W> {
        if self.waits_for(Some(said)) == Some(true) { None } else { self.call_driver() }
    }

    /// The same for who looks once more when the others on its own thread had their turn: if that is told by `true`, it
    /// should call the driver then, unless that [`has looked`](Self::driver_has_looked).
    fn call_driver_or_watch(&mut self, said: Option<Said>) -> (Option<W>, bool) {
        let Some(here) = self.waits_for(said) else { return (self.call_driver(), false) };
        let NextLook::AfterOthers { is_watched, .. } = &mut self.next_look else { return (None, false) };
        let watch = !here && !std::mem::replace(is_watched, true);
        (None, watch)
    }

    /// The driver waits, not for long yet, for what others say: whether that is on the same thread.
    fn waits_for(&self, said: Option<Said>) -> Option<bool> {
        let (NextLook::AfterOthers { since, .. }, Some(said)) = (self.next_look, said) else { return None };
        let is_fresh = said.at.saturating_sub(since.at) < OTHERS_TURN;
        is_fresh.then_some(said.on == since.on)
    }

    /// The driver lets others on its thread go first, and comes back by itself.
    pub(crate) fn driver_waits_for_others(&mut self, since: Said) {
        self.next_look = NextLook::AfterOthers { since, is_watched: false };
    }

    /// There is nothing to watch any more.
    pub(crate) fn driver_has_looked(&self) -> bool {
        !matches!(self.next_look, NextLook::AfterOthers { is_watched: true, .. })
    }
}
