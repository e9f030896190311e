//! Links through a RabbitMQ broker: between machines, and over the end of either process.
//!
//! A link is a pair of queues, one in each direction. [`client`] and [`incoming`] shake hands, [`tx`] and [`rx`] carry,
//! [`leaving`] ends it. What is small goes together: [`bundle`], [`sweep`]. [`server`] hears knocks, [`broker`] has the connection. [`work`] is the queue that servers share.

mod acks;
mod answers;
mod beside;
mod bodies;
mod broker;
mod bundle;
mod client;
mod doorstep;
mod dropped;
mod elsewhere;
mod former;
mod ids;
mod incoming;
mod leaving;
mod line;
mod links;
mod names;
mod opening;
mod rx;
mod server;
mod shared;
mod signs;
mod sweep;
#[cfg(test)]
mod tests;
mod tx;
mod unconfirmed;
mod work;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeleteOptions;
use serde::{Deserialize, Serialize};

use super::{BoxFuture, Connector, Link, LinkError, Listener, StateError, state};
use crate::limits::Limits;
use broker::{Url, broken};
use elsewhere::Elsewhere;
use former::Former;
use names::{EXCHANGE, Names};
use rx::Intake;
use shared::Pace;

const TYPE: &str = "RABBITMQ";
/// Of periods. Beyond a year a clock that counts on from now may come to its end.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reaches a server through a RabbitMQ broker, by an address that both sides name (feature `rabbitmq`).
///
/// Those who connect need an id ([`client_id`](Self::client_id)) that stays the same over restarts: the queues are named
/// after it, and what waits in them is for whoever comes back with it. No two clients of an address may have the same
/// at once; the one that came later stays.
///
/// ```
/// use communica::RmqConnector;
///
/// let server_side = RmqConnector::new("amqp://guest:guest@localhost:5672/%2f", "orders");
/// let client_side = server_side.clone().client_id("till-7");
/// ```
///
/// All links of a runtime to one URL (with the same [`ca_certificates`](Self::ca_certificates)) share one connection (a second one when a broker's limit of channels is reached),
/// and each has a channel of its own. Heartbeats find a dead broker within a minute; `?heartbeat=` in the URL, in
/// seconds, sets another time than 20 s.
///
/// # Delivery
///
/// | | what holds |
/// |---|---|
/// | a request, a throw, an answer | persistent, confirmed by the broker, repeated on the next connection when it was not |
/// | acknowledged | a throw when its handler has finished; a request when the broker has the answer; an answer when it came |
/// | its handler's process dies | the broker, or whoever asked, gives the message to the next one: a handler runs at least once |
/// | small requests, or answers, that are sent together | are one of the broker's, between two of ours ([`Feature::Bundle`](crate::Feature::Bundle)). It is acknowledged when it came, and whoever asked repeats what has no answer on the next link, behind what it said since: only if both processes end is it gone |
/// | the broker brings a message again | recognised by its id, and not handled again, while the same process lives ([`Limits::remembered`]) |
/// | a client comes back to its server | what waits is handled in the order of sending, and nothing of it twice |
/// | the broker dies and comes back | nothing that it confirmed is lost; what it did not is repeated |
/// | a client's queue is deleted | requests without an answer are repeated and may run twice; throws that were in it are gone |
/// | a link ends | calls wait on: they end with their answer, their time limit or `close`; those to any client ([`AnyPeer`](crate::AnyPeer)) are given to another one, or end after [`Limits::resume_time`] |
/// | a client is stopping | what comes for it waits in its queue until it is back; calls to any client it refuses, and another one is asked |
/// | a client says goodbye | what it left is worked off, within [`Limits::forget_time`] where a handler waits for that client itself; with a [work queue](RmqConnector::work_queue) such a handler waits for its own time limit |
/// | a call's time limit passes | the broker drops a request that nobody has taken by then, counted from when it was published |
///
/// # What to know of the broker
///
/// - `lapin` logs a message that no queue takes, payload and all, as a warning: where payloads are secrets, switch its target
///   `lapin::returned_messages` off.
/// - `lapin` logs as errors what is none here: that a queue is not there yet (`NOT_FOUND`), once or twice for a new client of a Python server,
///   and a refused password or virtual host, three times beside the one line that is ours.
/// - On the level TRACE `lapin` also logs what it writes when it connects, the password among it, byte for byte as decimal numbers: where
///   that level is kept, switch its target `lapin::io_loop` off.
/// - Whoever may publish to the exchange can send requests, and can connect under any client's id and so push that client
///   out: the permissions of the virtual host are the boundary.
/// - A message that is handled for longer than the broker's `consumer_timeout` (30 minutes by default) breaks the link, and
///   is brought again.
/// - A message larger than the broker takes (128 MiB by default, 16 MiB since RabbitMQ 4) breaks the link; after the third
///   time its call ends. [`Limits::message_size`] should be below that. What has more than 256 KiB goes out alone, so that no other
///   message is taken for it: each costs the way to the broker and back. A broker that takes no more than that (`max_message_size`) may
///   still close the connection, with all links.
/// - What the broker delivers ahead is held in memory. Its number is bounded ([`prefetch`](Self::prefetch)), and its bytes are not, not by
///   [`Limits::waiting`] either: many large messages want a smaller number.
/// - Where the virtual host makes queues quorum queues by default, the broker drops a message that it delivered too often (20 times since
///   RabbitMQ 4), and each link that is cut counts for all that it had.
/// - That a queue was emptied, or one that servers share was deleted while they live, is not noticed: what was in it is gone, and calls end with their time limit.
/// - A request that is refused, because too much waits at the responder, say, was not begun, and its caller is told so
///   ([`Reason::NotBegun`](crate::Reason::NotBegun)), unless the broker says that it brought it before, or it came by a [work queue](Self::work_queue): then somebody
///   else may have begun it, and the refusal is an answer with an error. The broker forgets the request before that is said. Should the
///   process die in between, a request of more than 16 KiB is not asked again, and ends with its time limit.
/// - What a server has when it hangs, without dying, is free for others when the broker misses its heartbeats.
/// - When a client goes to another server while work from the shared queue is being done for it, that work may be done twice.
/// - Several servers at one address: a client whose connection breaks may come back to another one, although its server lives. What
///   that one had not finished goes to the new one as well, and may be handled twice.
/// - A server that cannot hear for a moment which clients went to others, because the queue where clients knock was lost, say, breaks
///   its connections off; clients come back.
/// - What a server of several had asked of a client that came back to another may have no answer: it ends with its time limit, or when
///   the server forgets the client ([`Limits::forget_time`]).
/// - A server that hung for more than three seconds, while its client went to another, takes some of what that client sends when it goes
///   on. Requests are asked again then. An answer to the other server is lost, and the call that it was for ends with its time limit.
/// - A handler that does work from the shared queue and waits for its client, which never comes back, waits without end and keeps one of
///   the places of [`work_prefetch`](Self::work_prefetch): give what it asks of clients a time limit.
/// - What was not confirmed when the connection broke is published again. The same server knows it again; of several that share a
///   queue, one may do it and another the copy.
/// - A client whose work from the shared queue a server has done keeps a place there for as long as it is connected to any server. With
///   more clients than [`Limits::peers`], what a server takes of the others is refused: requests with an answer, throws with an
///   error in the log.
/// - Answers to what servers that share a queue ask of clients wait in a queue of each server
///   (`communica.<address>.answers.<server>`), which the broker deletes when that server was not there for half an hour.
///
/// The Python library knows no such bundles: those that wait when one of its processes takes the place of one of ours are taken away before it
/// reads, and the requests in them repeated, each on its own; where more than 4,096 messages or 64 MiB wait, or taking them away takes two seconds, it drops those behind and connects again.
/// It acknowledges on arrival, so what it has taken is lost with its process; and what it sends waits for the
/// broker's confirm, but is not persistent, and is lost when the broker restarts. Each of its processes has an id of its own: when
/// one is started again, its throws that are being handled go on, and its requests begin anew.
#[derive(Clone, Debug)]
pub struct RmqConnector {
    url: Url,
    names: Names,
    client_id: Option<String>,
    exchange: String,
    ca: Option<String>,
    prefetch: u16,
    ack_on_arrival: bool,
    work_queue: bool,
    work_prefetch: u16,
    pace: Pace,
    /// Clients of this connector and of copies of it.
    former: Arc<Former>,
    /// Where answers go that are due, on whichever link.
    elsewhere: Arc<Elsewhere>,
}

impl PartialEq for RmqConnector {
    fn eq(&self, other: &Self) -> bool {
        let settings = |of: &Self| (of.prefetch, of.ack_on_arrival, of.work_queue, of.work_prefetch, of.pace);
        let place = |of: &Self| (of.url.clone(), of.names.clone(), of.exchange.clone(), of.ca.clone());
        self.client_id == other.client_id && place(self) == place(other) && settings(self) == settings(other)
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    url: String,
    address: String,
    client_id: Option<String>,
    exchange_name: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    work_queue: bool,
}

impl RmqConnector {
    /// The broker's URL (`amqp://user:password@host:port/vhost`, or `amqps:` with the feature `rabbitmq-tls`), and a name
    /// for the server. A URL that is none is told when a client connects or a server starts.
    #[must_use]
    pub fn new(url: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            url: Url::new(url.into()),
            names: Names::new(address.into()),
            client_id: None,
            exchange: EXCHANGE.to_owned(),
            ca: None,
            prefetch: 1024,
            ack_on_arrival: false,
            work_queue: false,
            work_prefetch: 16,
            pace: Pace { listening: Duration::from_secs(20), check: Duration::from_secs(2) },
            former: Arc::default(),
            elsewhere: Arc::default(),
        }
    }

    /// Who connects. Address and id have at most 224 characters together, and some 230 bytes: a broker's names have 255. With Python at the other end they are of
    /// ASCII letters, digits, spaces and `-_.:@#,/+`. A server does not need it.
    #[must_use]
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self { client_id: Some(id.into()), ..self }
    }

    /// The exchange that both sides publish to; `communica` by default.
    #[must_use]
    pub fn exchange(self, name: impl Into<String>) -> Self {
        Self { exchange: name.into(), ..self }
    }

    /// Certificates (PEM) of authorities that may vouch for the broker, beside the system's. Not part of the state string.
    #[must_use]
    pub fn ca_certificates(self, pem: impl Into<String>) -> Self {
        Self { ca: Some(pem.into()), ..self }
    }

    /// Messages that the broker delivers ahead of what is handled; 1,024 by default. Those that were sent together count as one, and until they came. More come when all of these wait
    /// for something and the [`Limits`] allow it.
    #[must_use]
    pub fn prefetch(self, messages: u16) -> Self {
        Self { prefetch: messages.max(1), ..self }
    }

    /// Acknowledges messages when they arrive, as the Python library does: a little cheaper, and what a process had
    /// taken is lost when it dies, or when the client goes to another server.
    #[must_use]
    pub fn ack_on_arrival(self) -> Self {
        Self { ack_on_arrival: true, ..self }
    }

    /// Requests and throws of this client go to a queue that all servers of the address share, so that each is handled
    /// by whichever server is free. To be set on both sides.
    ///
    /// Without it, a client belongs to one of the servers for as long as its connection lives. What a server sends to the client goes the
    /// usual way. The word that a call was given up does not reach its handler. The Python library does not know such queues.
    ///
    /// A handler that calls its client back, whose handler calls again, needs a second place of the
    /// [`work_prefetch`](Self::work_prefetch): where all places of all servers are taken by such calls, they wait for each other. And
    /// an `authorize` hook is asked about everybody whose work comes, without the token: one that demands a token turns away what
    /// a client did not send to the server it is connected to.
    #[must_use]
    pub fn work_queue(self) -> Self {
        Self { work_queue: true, ..self }
    }

    /// Messages of the shared queue that a server takes before it is done with earlier ones; 16 by default. With fewer,
    /// work is spread more evenly; with more, less time is spent waiting for the broker.
    #[must_use]
    pub fn work_prefetch(self, messages: u16) -> Self {
        Self { work_prefetch: messages.max(1), ..self }
    }

    /// A server that said nothing for so long says that it is there; a client that heard nothing for one and a half times
    /// as long connects anew. 20 s by default, as in Python: both sides must agree on it. Between 10 ms and a year.
    #[must_use]
    pub fn listening_period(self, period: Duration) -> Self {
        let listening = period.clamp(SHORTEST, LONGEST);
        Self { pace: Pace { listening, ..self.pace }, ..self }
    }

    /// A client that heard nothing for so long asks the broker whether its server still listens, and connects anew if it
    /// does not: to another server of the address, if there is one. So does a server, for which a client is gone whose queue nobody reads:
    /// until then calls to any client are made to it, too. Five times less often while nothing is sent. 2 s by default, between 10 ms and a year.
    ///
    /// The broker knows at once that a process died. That a machine did, or the way to it, it knows when it misses heartbeats.
    #[must_use]
    pub fn check_period(self, period: Duration) -> Self {
        let check = period.clamp(SHORTEST, LONGEST);
        Self { pace: Pace { check, ..self.pace }, ..self }
    }

    /// Drops what waits at the broker and the queues it waits in: of the client whose id was set, or else the queue where
    /// clients knock, and the one that servers share. Nobody should be using them.
    ///
    /// # Errors
    /// The broker cannot be reached or does not allow it.
    pub async fn cleanup(&self) -> io::Result<()> {
        self.check_names(self.client_id.as_deref().unwrap_or_default())?;
        let queues = match &self.client_id {
            Some(client) => [self.names.to_client(client), self.names.to_server(client)],
            None => [self.names.connect(), self.names.work()],
        };
        let broker = self.broker();
        for queue in queues {
            // Deleting what is not there is no mistake for the broker.
            let channel = broker.channel().await?;
            channel.queue_delete(queue, QueueDeleteOptions::default()).await.map_err(broken)?;
        }
        Ok(())
    }

    /// An ASCII string from which another process makes the same connector, but for certificates, periods, prefetches and
    /// `ack_on_arrival`. **It holds the broker's password**: hand it over in the environment or by stdin, for the arguments of a
    /// process are seen by every user of the machine.
    #[must_use]
    pub fn dump_state(&self) -> String {
        let state = State {
            url: self.url.secret().to_owned(),
            address: self.names.address().to_owned(),
            client_id: self.client_id.clone(),
            exchange_name: Some(self.exchange.clone()),
            work_queue: self.work_queue,
        };
        state::dump(TYPE, &state)
    }

    /// The connector that a state string describes.
    ///
    /// # Errors
    /// It is no state of a RabbitMQ connector, or the URL in it cannot be used, as `amqps` without the feature `rabbitmq-tls`.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        let state: State = state::load(TYPE, state)?;
        let mut connector = Self::new(state.url, state.address);
        connector.url.check().map_err(|why| StateError::new(TYPE, why))?;
        connector.client_id = state.client_id;
        connector.work_queue = state.work_queue;
        connector.exchange = state.exchange_name.unwrap_or_else(|| EXCHANGE.to_owned());
        Ok(connector)
    }

    /// Whether queues for this client, and the exchange, can have their names.
    fn check_names(&self, client: &str) -> io::Result<()> {
        if self.exchange.len() > 255 {
            let what = "the name of the exchange has more than 255 bytes: shorten it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        self.names.check(client)
    }

    /// Without the password.
    fn describe(&self) -> String {
        format!("{} at {}", self.names.address(), self.url)
    }

    fn intake(&self, limits: &Limits) -> Intake {
        Intake {
            message_size: limits.message_size,
            prefetch: self.prefetch,
            ack_on_arrival: self.ack_on_arrival,
        }
    }
}

impl Connector for RmqConnector {
    fn address(&self) -> String {
        self.describe()
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        self.url.check()?;
        let id = match (self.client_id.as_deref(), chosen) {
            (Some(one), Some(other)) if one != other => {
                return Err(format!(
                    "the connector has the client id `{one}` and the client `{other}`: give one of them"
                ));
            }
            (id, chosen) => id.or(chosen).ok_or(
                "a client that connects through a broker needs an id that stays the same: set it with \
                 `.client_id(\"…\")` of the client's builder, or with `RmqConnector::client_id`",
            )?,
        };
        self.check_names(id).map_err(|error| error.to_string())?;
        Ok(Some(id.to_owned()))
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(client::connect(self, hello, limits))
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = server::RmqListener::open(self, limits).await?;
            Ok(Box::new(listener) as Box<dyn Listener>)
        })
    }
}
