//! A knock → a handshake → a link.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use tokio::sync::mpsc;

use super::RmqConnector;
use super::broker::{Broker, LEAVING_TIME, Turn, broken};
use super::bundle;
use super::client::expect;
use super::doorstep::Doorstep;
use super::line::{Line, Post, is};
use super::links::{Entry, Shaken};
use super::names::{CONNECT, CONNECT_OK, DONE, FAIL, MINE, NEXT, OURS, readable};
use super::rx::{RmqRx, Windows};
use super::server::{House, Mine, say_replaced};
use super::shared::Shared;
use super::signs::{Check, Signs};
use super::sweep::sweep;
use super::tx::{Destination, RmqTx};
use crate::connector::{self, BoxFuture, Incoming, Link, LinkError, PeerInfo};
use crate::wire::Message;
use crate::wire::hello::{self, ClientHello};

/// Who reads a queue is looked at so often.
const LEAVING_LOOK: Duration = Duration::from_millis(10);

/// A client that knocked.
pub(super) struct RmqIncoming {
    house: Arc<House>,
    broker: Arc<Broker>,
    door: Line,
    knock: Delivery,
    /// The id its queues are named after.
    client: String,
    stage: Stage,
    /// The handshake began.
    begun: bool,
    /// The knock was acknowledged.
    acknowledged: bool,
}

/// How far the handshake is.
enum Stage {
    Knocked,
    Shaking(Box<Shaking>),
    Ready(Box<Ready>),
    Over,
}

/// The client said hello.
struct Shaking {
    line: Line,
    own: Consumer,
    to: ShortString,
    hello: Bytes,
    session_id: String,
}

/// Everything is there, and the client does not know it yet.
struct Ready {
    shared: Arc<Shared>,
    own: Consumer,
    to: ShortString,
    hello: Bytes,
    aside: mpsc::UnboundedReceiver<Message>,
    fresh: bool,
}

/// One that failed early is given back to nobody: its client knocks again, if it is there.
impl Drop for RmqIncoming {
    fn drop(&mut self) {
        if !self.begun || self.acknowledged {
            return;
        }
        let reject = BasicNackOptions { requeue: false, multiple: false };
        let mut rejecting = pin!(self.door.channel.basic_nack(self.knock.delivery_tag, reject));
        // The first look is what sends it.
        let _ = rejecting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl RmqIncoming {
    pub(super) fn new(house: Arc<House>, broker: Arc<Broker>, door: Line, knock: Delivery) -> Self {
        let (client, stage) = (String::new(), Stage::Knocked);
        Self { house, broker, door, knock, client, stage, begun: false, acknowledged: false }
    }

    async fn opening(&mut self) -> Result<Bytes, LinkError> {
        self.begun = true;
        let (client, to) = self.read_knock()?;
        self.client = client;
        let doorstep = self.house.doorsteps.take(&self.broker, &self.house.connector.exchange).await?;
        let answer = Post::new(CONNECT_OK, &to, Vec::new()).must_arrive();
        let reply_to = doorstep.queue.clone();
        let answer = answer.with(|properties| properties.with_reply_to(reply_to).with_app_id(OURS.into()));
        let answered = doorstep.line.post(answer).await;
        let channel = self.door.channel.clone();
        let mut acking = pin!(channel.basic_ack(self.knock.delivery_tag, BasicAckOptions::default()));
        // The first look is what sends it, and to settle it twice would break the channel.
        let first = poll_fn(|cx| Poll::Ready(acking.as_mut().poll(cx))).await;
        self.acknowledged = true;
        match first {
            Poll::Ready(acked) => acked.map_err(broken)?,
            Poll::Pending => acking.await.map_err(broken)?,
        }
        if let Err(error) = answered {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error.into());
            }
            // Nobody heard of it, so it will do for the next.
            self.house.doorsteps.give_back(doorstep);
            return Err(io::Error::new(io::ErrorKind::NotFound, "the client has given up").into());
        }
        let Doorstep { line, mut own, .. } = doorstep;
        let (hello, session_id) = self.hear(&line, &mut own, &to).await?;
        self.stage = Stage::Shaking(Box::new(Shaking { line, own, to, hello: hello.clone(), session_id }));
        Ok(hello)
    }

    /// The client's hello, and the id in it. One that cannot be one is answered with the reason.
    async fn hear(
        &self,
        line: &Line,
        own: &mut Consumer,
        to: &ShortString,
    ) -> Result<(Bytes, String), LinkError> {
        let heard = expect(own, NEXT).await.and_then(|said| self.read_hello(said.data.into()));
        if let Err(LinkError::Io(error)) = &heard {
            if error.kind() == io::ErrorKind::InvalidData {
                // It is turned away either way.
                let _ = line.post(Post::new(FAIL, to, hello::refusal_json(&error.to_string()))).await;
            }
        }
        heard
    }

    fn read_hello(&self, hello: Bytes) -> Result<(Bytes, String), LinkError> {
        // Whoever decides about clients refuses what cannot be read.
        let Ok(said) = hello::decode::<ClientHello>(&hello) else { return Ok((hello, String::new())) };
        if said.communica.is_none() && !self.house.connector.names.suit_python(&self.client) {
            let what = "Python's library can use no queues for an address or a client id with other characters than ASCII letters, \
                        digits, spaces and -_.:@#,/+";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what).into());
        }
        // Who may come in is decided by the hello, and the queues are those of the knock. The ids in Python's hellos are of their
        // processes.
        if said.communica.is_some() && said.client_id != self.client {
            let what = "the client's hello names another client than its knock";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what).into());
        }
        Ok((hello, said.client_id))
    }

    /// Who knocks, and where the answer goes.
    fn read_knock(&self) -> io::Result<(String, ShortString)> {
        let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if !is(&self.knock, CONNECT) {
            return Err(bad("a message of an unknown type came to the queue where clients connect"));
        }
        let size = self.knock.data.len();
        if size > hello::MAX_LEN {
            let what = format!("a client wants to connect with an id of {size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let to = self.knock.properties.reply_to().clone();
        let to = to.ok_or_else(|| bad("a client wants to connect and does not say where to answer"))?;
        let client: String = serde_json::from_slice(&self.knock.data)
            .map_err(|_| bad("a client wants to connect with an id that is no JSON string"))?;
        self.house.connector.check_names(&client)?;
        Ok((client, to))
    }

    /// What there is to do while the client's earlier link still works.
    async fn make_ready(&mut self, hello: &[u8]) -> Result<(), LinkError> {
        let shaking = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Shaking(shaking) => shaking,
            other => {
                self.stage = other;
                return Ok(());
            }
        };
        let Shaking { line, own, to, hello: theirs, session_id } = *shaking;
        let RmqConnector { names, prefetch, .. } = &self.house.connector;
        // A client that gave up took its queue with it: then this must not become a link.
        line.post(Post::new(NEXT, &to, hello).must_arrive()).await?;
        let (to_client, to_server) = (names.to_client(&self.client), names.to_server(&self.client));
        // Whatever an earlier link sent is in these queues, unless somebody deleted them.
        let links = &self.house.links;
        let queues = [to_client.clone(), to_server.clone()];
        if links.was_here(&self.client) && !self.broker.has_queues(&queues).await? {
            links.queues_lost(&self.client);
        }
        let fresh = links.is_fresh(&self.client);
        line.durable_queue(to_client.clone()).await?;
        line.durable_queue(to_server).await?;
        line.prefetch(*prefetch).await?;
        let shared = Shared::new(line, self.broker.clone(), crate::random::bytes(16), Arc::default());
        if session_id != self.client {
            // The id is of this process: should another read the queue next, its session would handle them once more.
            shared.acks.keep_throws();
        }
        // From here on this is the client's link, so that its work makes no other.
        let aside = self.register(&shared, session_id, &to);
        self.tell_others(&shared).await?;
        in_time(wait_until_left(&shared.line, &to_client, &mut true)).await?;
        if !links.is_latest(&self.client, &shared) {
            // Later than that one, this would push it out.
            let what = "another connection of this client came meanwhile";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, what).into());
        }
        self.stage = Stage::Ready(Box::new(Ready { shared, own, to, hello: theirs, aside, fresh }));
        Ok(())
    }

    async fn let_in(mut self: Box<Self>, hello: &[u8]) -> Result<Link, LinkError> {
        self.make_ready(hello).await?;
        let Stage::Ready(ready) = std::mem::replace(&mut self.stage, Stage::Over) else {
            let what = "a connection was accepted before it said hello";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
        };
        let Ready { shared, own, to, hello: theirs, aside, fresh } = *ready;
        let RmqConnector { names, prefetch, pace, .. } = &self.house.connector;
        let bundles = bundle::are_taken(&theirs);
        if !bundles {
            // From when it was another process, of this library.
            let (exchange, queue) = (&self.house.connector.exchange, names.to_client(&self.client));
            sweep(&self.broker, exchange, &queue).await?;
        }
        let (consumer, alone) = self.begin_to_read(&shared).await?;
        let consumers = vec![consumer];
        let windows = Windows { queue: Some(names.to_server(&self.client)), consumers, opening: None };
        let settings = self.house.connector.intake(&self.house.limits);
        let rx = RmqRx::new(shared.clone(), windows, settings).with_own(own).with_aside(aside);
        let rx = if alone { rx } else { rx.beside_another() };
        // Not earlier: the client may ask the broker at once whether somebody reads what it sends.
        shared.line.post(Post::new(DONE, &to, shared.connect_id.clone()).must_arrive()).await?;
        self.house.links.has_queues(&self.client);
        let destination = Destination {
            peer: names.to_client(&self.client),
            own: Some(to),
            client: None,
            work: None,
            // It may come back to another server.
            reply_to: self.house.answers.clone(),
            bundles,
            prefetch: *prefetch,
        };
        let signs = Signs::new(Some(pace.listening), Check::Silent(pace.check));
        let tx = RmqTx::new(shared, destination, fresh, signs);
        let address = self.address();
        Ok(Link::new(tx, rx, theirs, address))
    }

    /// What an earlier link was brought and did not take goes back to its place in the queue when that link has ended.
    /// Read before that, what stands behind it would come first. False if another one that reads did not leave in time.
    async fn begin_to_read(&self, shared: &Arc<Shared>) -> io::Result<(Consumer, bool)> {
        let queue = self.house.connector.names.to_server(&self.client);
        let (mut turn, mut alone): (Option<Turn>, _) = (None, true);
        let left = async {
            turn = Some(self.broker.turn(&queue).await);
            // That of another server.
            wait_until_left(&shared.line, &queue, &mut alone).await
        };
        in_time(left).await?;
        // One of this process is known to leave as soon as it can.
        shared.reads(queue.clone(), turn);
        Ok((shared.line.consume(&queue, true).await?, alone))
    }

    fn register(
        &self,
        shared: &Arc<Shared>,
        session_id: String,
        own: &ShortString,
    ) -> mpsc::UnboundedReceiver<Message> {
        let (aside, receiver) = mpsc::unbounded_channel();
        let shaken =
            Shaken { shared: Arc::downgrade(shared), session_id, own: own.clone(), announced: false };
        if let Some(displaced) = self.house.links.shaken(&self.client, Entry { shaken: Some(shaken), aside })
        {
            say_replaced(&shared.line, displaced);
        }
        receiver
    }

    async fn tell_others(&self, shared: &Shared) -> Result<(), LinkError> {
        let (server, client) = (self.house.id.clone(), self.client.clone());
        let mine = Mine { server, client, connect_id: shared.connect_id.clone() };
        let mine = serde_json::to_vec(&mine).map_err(io::Error::from)?;
        let servers = self.house.connector.names.servers();
        Ok(shared.line.post(Post::new(MINE, &servers, mine)).await?)
    }
}

/// Two that read one queue take each other's messages: the earlier one was told, and gets some time to leave. `alone`: none
/// was seen, or it left.
async fn wait_until_left(line: &Line, queue: &ShortString, alone: &mut bool) -> io::Result<()> {
    while line.readers(queue.clone()).await? > 0 {
        *alone = false;
        tokio::time::sleep(LEAVING_LOOK).await;
    }
    *alone = true;
    Ok(())
}

/// One that hangs leaves when it goes on, see [`Beside`](super::beside::Beside).
async fn in_time(left: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(LEAVING_TIME, left).await.unwrap_or(Ok(()))
}

impl Incoming for RmqIncoming {
    fn address(&self) -> String {
        match self.client.is_empty() {
            true => self.house.connector.describe(),
            false => format!("{}, client {}", self.house.connector.describe(), readable(&self.client)),
        }
    }

    fn peer(&self) -> PeerInfo {
        self.address().into()
    }

    fn delivery(&self) -> connector::Delivery {
        connector::Delivery::stored()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(self.opening())
    }

    fn prepare<'a>(&'a mut self, hello: &'a [u8]) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(self.make_ready(hello))
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.let_in(hello))
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (line, to) = match &self.stage {
                Stage::Shaking(shaking) => (&shaking.line, &shaking.to),
                Stage::Ready(ready) => (&ready.shared.line, &ready.to),
                Stage::Knocked | Stage::Over => return,
            };
            // It is turned away either way.
            let _ = line.post(Post::new(FAIL, to, hello::refusal_json(reason))).await;
        })
    }
}
