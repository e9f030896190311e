//! Every bound in one place: what a peer or a caller may make grow, and how long a silence may last.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::wire::WireLimits;

/// What one side accepts and keeps. Defaults suit a handful of processes that trust each other; each has a setting.
///
/// ```
/// # #[cfg(feature = "memory")] {
/// use std::time::Duration;
///
/// use communica::{Limits, MemoryConnector, RouteServer, RouteTable};
///
/// // For strangers: small messages, few of them at once, and soon forgotten.
/// let limits = Limits::new().message_size(64 * 1024).running(16).waiting(64, 1 << 20).forget_time(Duration::from_secs(60));
/// let server = RouteServer::new(MemoryConnector::unique(), RouteTable::new()).limits(limits);
/// # drop(server);
/// # }
/// ```
///
/// | setting | default | what happens at it |
/// |---|---|---|
/// | [`message_size`](Self::message_size) | 128 MiB | a larger one from a peer is refused alone, see there; one of ours that is larger than either side takes is not sent |
/// | [`chunk_size`](Self::chunk_size) | 1 MiB | a larger payload goes out in pieces of 32 KiB, small messages between |
/// | [`running`](Self::running) | 1,024, and 64 MiB | more messages of that peer wait for a handler to end; see there |
/// | [`waiting`](Self::waiting) | 16,384 messages, 64 MiB | no more is read from that peer; see there |
/// | [`queued`](Self::queued) | 16,384 messages, 64 MiB | callers wait for room before their message is accepted, and no handler starts while so many answers wait; handlers have more room, see there |
/// | [`peers`](Self::peers) | 10,000 | the client that is gone longest is forgotten for a new one; if all are connected, or what they sent is still handled, that is refused, with the reason |
/// | [`handshakes`](Self::handshakes) | 256 | further connections wait to be accepted |
/// | [`handshake_time`](Self::handshake_time) | 10 s | the connection is closed |
/// | [`stall_time`](Self::stall_time) | 60 s | a link that takes no byte of what is queued counts as lost; not over a broker |
/// | [`silence_time`](Self::silence_time) | 30 s | a peer of which nothing is heard for so long counts as gone, and its link as cut |
/// | [`unacknowledged`](Self::unacknowledged) | 16,384 messages, 64 MiB | nothing more goes out before the peer said what came; not over a broker |
/// | [`busy_poll_time`](Self::busy_poll_time) | 20 µs | the thread that looked for the next message of a link may sleep |
/// | [`resume_time`](Self::resume_time) | 30 s | calls that were sent over a link that was cut end, if there is no new one; over a broker only those to any client |
/// | [`forget_time`](Self::forget_time) | 10 min | a client that is gone for longer is forgotten, with what waits for it |
/// | [`remembered`](Self::remembered) | 65,536 | a copy of an older request, or of an older throw, that a broker brings again is handled again |
///
/// These are fixed:
///
/// | what | bound | what happens at it |
/// |---|---|---|
/// | hello, and over a broker whatever comes before or with it | 64 KiB | the connection is closed; a client whose own is longer does not start |
/// | client id | 1 KiB | the connection is refused |
/// | metadata of a message | 64 KiB and 64 levels, of a call of ours 32 KiB and 63 | its link is closed; over a broker it is dropped alone; the call ends, not sent |
/// | a payload that is loaded | 128 levels, and 4,096 elements without any bytes | it is not loaded: its caller gets an `Error::Serializer` |
/// | chunks under assembly | one message per link, of `message_size` | a second one closes its link; of one that is larger nothing is kept |
/// | what is read and thrown away of a message that is larger than `message_size` | 16 times that, but 1 GiB at least and 3 GiB at most; over a broker what that takes | its link is closed |
/// | memory of large messages that is kept for the next, and of it what is in use again | 128 MiB for a process, for a second | it goes back to the system |
/// | what a local socket holds of what was sent | a MiB from a large message on, or from more small ones than it had room for; 96 KiB while small ones overtake a large one, as far as the system allows that (on Linux) | the rest waits here |
/// | what a TCP socket takes that could not be sent yet | 128 KiB on Linux; a MiB to a process of the same machine, from a large message on, or from more small ones than that, until small ones overtake a large one; elsewhere what the system likes | the rest waits here |
/// | a buffer to read into | 64 KiB; of a large frame 16 times what came, or 256 KiB, ahead of that | it is read in more steps |
/// | handlers that wait for a peer that waits for them | 16 times `running` | the request is refused ([`Reason::NotBegun`](crate::Reason::NotBegun)) |
/// | what handlers say to the peer that called them | twice `queued`, four times `waiting`, `running` and 24,576 together; twice `queued` in bytes | they wait for room |
/// | what waits while an answer may stand behind it | 4 times `waiting` | its link is closed |
/// | cancels of requests that did not start | twice as many as wait, and 32 | a handler more runs to its end |
/// | what comes to the queue that a link over a broker has for itself, ahead of what is read | 4 messages | the rest waits at the broker |
/// | messages that share one of a broker's | 64, 32 KiB together, none above 16 KiB | the next one begins another |
/// | a message that goes out beside others, over a broker | 256 KiB | a larger one goes alone: when all before it is confirmed, and nothing behind it before it is |
/// | the last words on a link that broke, or that is to end at once | a second | the peer sees no more than a cut |
/// | links that break over one message, to a peer without resume | 3 | it is not sent again |
/// | links that take an idempotent call whole | 3 | it ends with `MayHaveRun` |
/// | sessions that lost their client id to a newer one | 8 for each id | the oldest of them may come back |
/// | handlers that compute aside while others start | 64 for a process | those behind wait for one of them to wait or end |
/// | requests whose answers go to other servers of a broker's address | 32,768 for a connector, and as many answered | the place of the oldest is forgotten |
/// | warnings about throws that fail, of one peer; about messages of a broker's that nobody can use, of a process | 8, then every power of two | they are counted in silence |
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) message_size: usize,
    pub(crate) chunk_size: usize,
    pub(crate) running: usize,
    pub(crate) waiting: Quota,
    pub(crate) queued: Quota,
    pub(crate) peers: usize,
    pub(crate) handshakes: usize,
    pub(crate) handshake_time: Duration,
    pub(crate) stall_time: Duration,
    pub(crate) forget_time: Duration,
    pub(crate) remembered: usize,
    pub(crate) unacknowledged: Quota,
    pub(crate) silence_time: Duration,
    pub(crate) resume_time: Duration,
    pub(crate) busy_poll_time: Duration,
}

/// A bound on a queue, by number and by size, whichever is met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Quota {
    pub(crate) fn is_met_by(self, messages: usize, bytes: usize) -> bool {
        messages >= self.messages || bytes >= self.bytes
    }

    pub(crate) fn times(self, factor: usize) -> Self {
        Self { messages: self.messages.saturating_mul(factor), bytes: self.bytes.saturating_mul(factor) }
    }
}

const MIB: usize = 1 << 20;
/// Of a message that is too large, this much is read and thrown away where messages are small: a peer that knows no limit
/// must not lose its other calls over a file. It takes a second or two …
const MIN_LEFT_OUT: usize = 1024 * MIB;
/// … and no more than this where they are large: whoever announces 4 GiB speaks nonsense.
const MAX_LEFT_OUT: usize = 3072 * MIB;
/// Shorter ones would keep both sides busy with signs of life.
pub(crate) const MIN_SILENCE_TIME: Duration = Duration::from_millis(30);

impl Default for Limits {
    fn default() -> Self {
        let queue = Quota { messages: 16_384, bytes: 64 * MIB };
        Self {
            message_size: 128 * MIB,
            chunk_size: MIB,
            running: 1024,
            waiting: queue,
            queued: queue,
            peers: 10_000,
            handshakes: 256,
            handshake_time: Duration::from_secs(10),
            stall_time: Duration::from_secs(60),
            forget_time: Duration::from_secs(600),
            remembered: 65_536,
            unacknowledged: queue,
            silence_time: Duration::from_secs(30),
            resume_time: Duration::from_secs(30),
            busy_poll_time: Duration::from_micros(20),
        }
    }
}

impl Limits {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of one message's payload, in both directions. A peer of ours learns it in the handshake, and sends no larger one. One of
    /// the Python library knows no limit: what it sends above this is thrown away while it comes, and everything else on the link
    /// goes on. Its request is answered with a `RespError`; its answer ends the call with an [`Error::Resp`](crate::Error::Resp), both of
    /// which say how many bytes it had; its throw is told in the log. What has more than 16 times as many bytes, and more than
    /// 1 GiB, or more than 3 GiB, or announces that in its pieces, ends the link.
    ///
    /// At most 2 GiB, and 64 at least, which an error takes. Errors are shortened to
    /// it, and below some hundred bytes they say nothing.
    #[must_use]
    pub fn message_size(self, bytes: usize) -> Self {
        Self { message_size: bytes.clamp(64, 2048 * MIB), ..self }
    }

    /// A payload above this many bytes goes out in pieces, so that small messages need not wait for it: they may
    /// overtake it. A piece has this many bytes, but 32 KiB at most. Between 1 KiB and 1 GiB. Roads that carry whole messages never cut them.
    #[must_use]
    pub fn chunk_size(self, bytes: usize) -> Self {
        Self { chunk_size: bytes.clamp(1024, 1024 * MIB), ..self }
    }

    /// Handlers of one peer that were started and wait for something. At least 1. The messages that they were given have
    /// together as many bytes as may [wait](Self::waiting), unless there is but one; 16 times as many while this side waits for answers of
    /// that peer. One that blocks on a thread of its own
    /// (`#[route(blocking)]`) counts until it ends, also when nobody waits for its answer any more.
    ///
    /// While this side waits for answers of that peer, as many more may run: handlers that call their caller back
    /// must not keep those calls from being handled. At 16 times the limit, of handlers or of bytes, there is an end to that:
    /// further requests are refused ([`Reason::NotBegun`](crate::Reason::NotBegun)), and so are those that came meanwhile and have no room beside
    /// handlers that all may wait for them.
    #[must_use]
    pub fn running(self, handlers: usize) -> Self {
        Self { running: handlers.max(1), ..self }
    }

    /// Messages of one peer that wait for a handler to end, by number and by bytes.
    ///
    /// At this bound no more is read from the peer, so that its sending slows down. Only while this side itself waits for an answer
    /// of that peer, or for word of what it sent, reading goes on, because that may stand behind those messages; at four times the bound the link is closed, with the reason in the log and in the close notify.
    #[must_use]
    pub fn waiting(self, messages: usize, bytes: usize) -> Self {
        Self { waiting: Quota { messages: messages.max(1), bytes: bytes.max(1) }, ..self }
    }

    /// Messages to one peer that are accepted and not yet handed to its link, by number and by bytes. At this bound
    /// `request` and `throw` wait for room; those that wait side by side get it in no order. While answers alone reach
    /// it, no further handlers of that peer start. A peer that goes on sending what has to be refused, and takes no
    /// answers, loses its link at four times the bound.
    ///
    /// What a handler says to the peer that called it has more room: that, once more, what may wait and run here, and what the
    /// buffers of a link hold. Else two sides whose handlers throw back could wait for each other without end. A large message that goes out in pieces does not count while it is
    /// the next or under way, or the small ones that pass it would wait for it.
    #[must_use]
    pub fn queued(self, messages: usize, bytes: usize) -> Self {
        Self { queued: Quota { messages: messages.max(1), bytes: bytes.max(1) }, ..self }
    }

    /// Clients a server knows, connected or not. For one more, the one that is gone longest is forgotten, with what waits for it; if
    /// all are connected, or something that they sent is still handled, the newcomer is refused with the reason. A forgotten one whose throws
    /// are still handled counts.
    #[must_use]
    pub fn peers(self, clients: usize) -> Self {
        Self { peers: clients.max(1), ..self }
    }

    /// Connections of a server that are in their handshake, which also waits for an earlier link of the same client to end.
    #[must_use]
    pub fn handshakes(self, connections: usize) -> Self {
        Self { handshakes: connections.clamp(1, Semaphore::MAX_PERMITS), ..self }
    }

    /// How long a connection may take until both sides said hello: on a client with reaching the server, and TLS; on a server with the
    /// end of an earlier link of the same client.
    #[must_use]
    pub fn handshake_time(self, time: Duration) -> Self {
        Self { handshake_time: time, ..self }
    }

    /// How long a link may take nothing of what waits to be sent before it counts as lost. A local socket takes more when the peer read
    /// most of what is in it, which may be a MiB of a large message. Not over a broker: one that takes nothing for want of memory or disk is
    /// waited for, within the time limits of calls.
    #[must_use]
    pub fn stall_time(self, time: Duration) -> Self {
        Self { stall_time: time, ..self }
    }

    /// How long a server remembers a client whose link is gone, with its place and what waits to be sent to it; less long where its
    /// place is needed, see [`peers`](Self::peers).
    #[must_use]
    pub fn forget_time(self, time: Duration) -> Self {
        Self { forget_time: time, ..self }
    }

    /// How many of the requests that came from one peer by way of a broker, and how many of the throws, are remembered after they were
    /// handled, so that a copy which the broker brings again, or the peer sends again, is not handled again. It should be more than the peer may
    /// have under way. Links without a store do not use it.
    #[must_use]
    pub fn remembered(self, messages: usize) -> Self {
        Self { remembered: messages, ..self }
    }

    /// What was sent to one peer and not yet acknowledged by it, by number and by bytes: it is kept, to be repeated should
    /// the link be cut. At this bound nothing more is sent, and `request` and `throw` wait for room. A single larger message
    /// is sent nevertheless, and one that goes out in pieces does not count while it is the only one. Only with a peer that supports [`Feature::Resume`](crate::Feature::Resume), and not over a broker, which keeps that itself.
    #[must_use]
    pub fn unacknowledged(self, messages: usize, bytes: usize) -> Self {
        Self { unacknowledged: Quota { messages: messages.max(1), bytes: bytes.max(1) }, ..self }
    }

    /// How long a peer may be silent before it counts as gone (between three quarters of this and all of it), as one that is stopped, hangs, or whose machine was
    /// unplugged. Both sides say that they live four times in this time, or in the peer's if that is shorter; so a
    /// handler that computes, or blocks its thread, for more than half of it may cost a link. Then the link counts as cut:
    /// what is under way goes on over the next. At least 30 ms; `Duration::MAX` for ever, if the peer says so too. Not over a broker. Only with a peer that supports
    /// [`Feature::Heartbeat`](crate::Feature::Heartbeat); for others there is TCP's keepalive, which takes a minute.
    #[must_use]
    pub fn silence_time(self, time: Duration) -> Self {
        Self { silence_time: time.max(MIN_SILENCE_TIME), ..self }
    }

    /// How long calls that were sent wait for a new link when theirs was cut. After that they end with
    /// [`Error::MayHaveRun`](crate::Error::MayHaveRun); calls that were not sent wait on, within their own time limit.
    /// Where it is known that the other process died, they end at once: a client whose local address leads to nobody any
    /// more knows, and so does a server on Linux that sees its local client's process gone.
    /// Only with a peer that supports [`Feature::Resume`](crate::Feature::Resume); otherwise they end with the link. Over a broker calls
    /// wait on whatever the peer supports, but for those to any client: give them time limits.
    #[must_use]
    pub fn resume_time(self, time: Duration) -> Self {
        Self { resume_time: time, ..self }
    }

    /// How long after a message of a peer the next one may be looked for without a pause, before the thread may sleep. Zero for never.
    ///
    /// Where processors sleep while they wait, to look on both sides makes calls one after the other more than twice as fast, for less
    /// processor time than to be woken for each. Where other work keeps the processors busy, who looks takes them from the peer. So a link looks
    /// only as long as messages come soon enough for that, others have the processor for little of the time, and to be woken would take longer than that.
    ///
    /// Over local sockets and TCP, what comes then wakes no thread (not on Windows, and not with TLS). A task that keeps a thread of the runtime
    /// meanwhile, as none should, may hold up the link for 10 ms, until another thread goes on with it.
    /// Other tasks of the runtime go on meanwhile. A thread looks for one link, the one on which a message came last. Not over a broker.
    #[must_use]
    pub fn busy_poll_time(self, time: Duration) -> Self {
        Self { busy_poll_time: time, ..self }
    }

    pub(crate) fn wire(&self) -> WireLimits {
        let left_out = self.message_size.saturating_mul(16).clamp(MIN_LEFT_OUT, MAX_LEFT_OUT);
        WireLimits { message: self.message_size, metadata: 64 * 1024, left_out }
    }
}
