//! The listening side: knocks on a queue → connections; news from other servers of the address.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::RmqConnector;
use super::broker::{Broker, Line, OPENING, Post, broken, cancelled, is};
use super::client::expect;
use super::links::{Displaced, Entry, Links, Shaken};
use super::names::{CLOSE, CONNECT, CONNECT_OK, DONE, FAIL, MESSAGE, MINE, NEXT, OURS, REASON};
use super::rx::{RmqRx, Windows, header, split};
use super::shared::Shared;
use super::tx::{Check, Destination, RmqTx, Signs, headers};
use super::work::{WorkDesk, WorkIncoming};
use crate::connector::{self, BoxFuture, Incoming, Link, LinkError, Listener, PeerInfo};
use crate::entity::{Backoff, REPLACED};
use crate::limits::Limits;
use crate::wire::hello::{self, ClientHello};

pub(super) struct RmqListener {
    incoming: mpsc::UnboundedReceiver<Box<dyn Incoming>>,
    state: String,
    task: AbortHandle,
}

impl RmqListener {
    pub(super) async fn open(connector: &RmqConnector, limits: &Limits) -> io::Result<Self> {
        let (arrivals, incoming) = mpsc::unbounded_channel();
        let house = Arc::new(House {
            connector: connector.clone(),
            limits: limits.clone(),
            links: Links::default(),
            id: crate::random::hex(8),
        });
        let door = Door::open_in_time(&house).await?;
        let task = tokio::spawn(keep(house, door, arrivals)).abort_handle();
        Ok(Self { incoming, state: connector.dump_state(), task })
    }
}

impl Listener for RmqListener {
    fn dump_state(&self) -> String {
        self.state.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async { self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into()) })
    }
}

impl Drop for RmqListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who read a queue before gets so much time to leave it, and is looked at so often.
const LEAVING_TIME: Duration = Duration::from_secs(3);
const LEAVING_LOOK: Duration = Duration::from_millis(10);

/// What the links of one server share.
pub(super) struct House {
    pub(super) connector: RmqConnector,
    pub(super) limits: Limits,
    pub(super) links: Links,
    /// In what this server tells all of them, itself included.
    id: String,
}

type Arrivals = mpsc::UnboundedSender<Box<dyn Incoming>>;

/// Serves the door, and opens it anew when the broker was gone.
async fn keep(house: Arc<House>, mut door: Door, arrivals: Arrivals) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let Err(error) = poll_fn(|cx| door.poll(cx, &arrivals)).await;
        tracing::warn!(address = house.connector.describe(), %error, "not listening at the broker for now");
        // Answers to calls of theirs went to a queue of that door.
        house.links.forget_unshaken();
        drop(door);
        door = loop {
            tokio::time::sleep(backoff.next()).await;
            match Door::open_in_time(&house).await {
                Ok(door) => break door,
                Err(error) => {
                    tracing::debug!(address = house.connector.describe(), %error, "still not listening");
                }
            }
        };
        backoff.reset();
        tracing::info!(address = house.connector.describe(), "listening at the broker again");
    }
}

/// What a server listens to apart from its links.
struct Door {
    house: Arc<House>,
    broker: Arc<Broker>,
    line: Line,
    knocks: Consumer,
    news: Consumer,
    work: Option<WorkDesk>,
}

/// What a server tells the others of its address.
#[derive(Serialize, Deserialize)]
struct Mine {
    server: String,
    client: String,
    connect_id: Vec<u8>,
}

impl Door {
    async fn open_in_time(house: &Arc<House>) -> io::Result<Self> {
        let opened = tokio::time::timeout(OPENING, Self::open(house)).await;
        opened.unwrap_or_else(|_| {
            let what = format!("the broker did not do what a server needs of it within {OPENING:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        })
    }

    async fn open(house: &Arc<House>) -> io::Result<Self> {
        let RmqConnector { names, exchange, .. } = &house.connector;
        house.connector.check_names("")?;
        let broker = house.connector.broker();
        let line = Line::open(&broker, exchange).await?;
        let news_queue = line.own_queue().await?;
        let news = line.consume(&news_queue, false).await?;
        line.bind(news_queue.clone(), names.servers()).await?;
        line.prefetch(u16::try_from(house.limits.handshakes).unwrap_or(u16::MAX)).await?;
        let knocks = line.durable_queue(names.connect()).await?;
        let knocks = line.consume(&knocks, true).await?;
        let work = match house.connector.work_queue {
            true => Some(WorkDesk::open(house, &broker, news_queue).await?),
            false => None,
        };
        Ok(Self { house: house.clone(), broker, line, knocks, news, work })
    }

    fn poll(&mut self, cx: &mut Context<'_>, arrivals: &Arrivals) -> Poll<Result<Never, io::Error>> {
        while let Poll::Ready(knock) = poll_next(&mut self.knocks, cx)? {
            let incoming = RmqIncoming {
                house: self.house.clone(),
                broker: self.broker.clone(),
                door: self.line.clone(),
                knock,
                client: String::new(),
                shaking: None,
                begun: false,
                acknowledged: false,
            };
            // The server takes them as its limits allow; the broker delivers no more than that.
            let _ = arrivals.send(Box::new(incoming));
        }
        while let Poll::Ready(news) = poll_next(&mut self.news, cx)? {
            self.hear(news);
        }
        if let Some(work) = &mut self.work {
            while let Poll::Ready(arrival) = work.poll(cx)? {
                let _ = arrivals.send(Box::new(arrival) as Box<dyn Incoming>);
            }
        }
        Poll::Pending
    }

    fn hear(&self, news: Delivery) {
        if is(&news, MINE) {
            let Ok(mine) = serde_json::from_slice::<Mine>(&news.data) else { return };
            if let Some(displaced) =
                self.house.links.moved(&mine.client, &mine.connect_id, mine.server == self.house.id)
            {
                tracing::info!(client = mine.client, "another server has this client now");
                say_replaced(&self.line, displaced);
            }
        } else if is(&news, MESSAGE) {
            // The answer to a call that this server made over the work queue.
            let client = header(&news, super::names::CLIENT);
            let message = split(news.data, self.house.limits.message_size);
            if let (Some(client), Ok(message)) = (client, message) {
                let _ = self.house.links.give(&client, message);
            }
        }
    }
}

/// There is no such value: who serves goes on until it fails.
enum Never {}

pub(super) fn poll_next(consumer: &mut Consumer, cx: &mut Context<'_>) -> Poll<io::Result<Delivery>> {
    Pin::new(consumer)
        .poll_next(cx)
        .map(|delivery| delivery.ok_or_else(cancelled).and_then(|delivery| delivery.map_err(broken)))
}

/// Two that read one queue take each other's messages: the earlier one was told, and gets some time to leave.
async fn wait_until_left(broker: &Broker, queue: &ShortString) -> io::Result<()> {
    let left = async {
        while broker.readers(queue.clone()).await? > 0 {
            tokio::time::sleep(LEAVING_LOOK).await;
        }
        Ok(())
    };
    // One that hangs does not read either, and leaves when it goes on.
    tokio::time::timeout(LEAVING_TIME, left).await.unwrap_or(Ok(()))
}

/// Tells a client's link that another took over, on the one queue that no other link of that client reads.
fn say_replaced(line: &Line, displaced: Displaced) {
    let post = Post::new(CLOSE, &displaced.own, displaced.connect_id);
    let post = post.with(|properties| properties.with_headers(headers(REASON, REPLACED)));
    let posting = line.post(post);
    tokio::spawn(async move {
        // It may be gone for long.
        let _ = posting.await;
    });
}

/// A client that knocked.
struct RmqIncoming {
    house: Arc<House>,
    broker: Arc<Broker>,
    door: Line,
    knock: Delivery,
    /// The id its queues are named after.
    client: String,
    shaking: Option<Shaking>,
    /// The handshake began.
    begun: bool,
    /// The knock was acknowledged.
    acknowledged: bool,
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

/// A handshake after the client's hello.
struct Shaking {
    line: Line,
    own: Consumer,
    to: ShortString,
    hello: Bytes,
    session_id: String,
}

impl RmqIncoming {
    async fn opening(&mut self) -> Result<Bytes, LinkError> {
        self.begun = true;
        let (client, to) = self.read_knock()?;
        self.client = client;
        let line = Line::open(&self.broker, &self.house.connector.exchange).await?;
        let queue = line.own_queue().await?;
        let mut own = line.consume(&queue, false).await?;
        let answer = Post::new(CONNECT_OK, &to, Vec::new()).must_arrive();
        let answer = answer.with(|properties| properties.with_reply_to(queue).with_app_id(OURS.into()));
        let answered = line.post(answer).await;
        self.door
            .channel
            .basic_ack(self.knock.delivery_tag, BasicAckOptions::default())
            .await
            .map_err(broken)?;
        self.acknowledged = true;
        answered.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, "the client has given up"),
            _ => error,
        })?;
        let hello = Bytes::from(expect(&mut own, NEXT).await?.data);
        let session_id =
            hello::decode::<ClientHello>(&hello).map_or_else(|_| String::new(), |it| it.client_id);
        self.shaking = Some(Shaking { line, own, to, hello: hello.clone(), session_id });
        Ok(hello)
    }

    /// Who knocks, and where the answer goes.
    fn read_knock(&self) -> io::Result<(String, ShortString)> {
        let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if !is(&self.knock, CONNECT) {
            return Err(bad("a message of an unknown type came to the queue where clients connect"));
        }
        let to = self.knock.properties.reply_to().clone();
        let to = to.ok_or_else(|| bad("a client wants to connect and does not say where to answer"))?;
        let client: String = serde_json::from_slice(&self.knock.data)
            .map_err(|_| bad("a client wants to connect with an id that is no JSON string"))?;
        self.house.connector.check_names(&client)?;
        Ok((client, to))
    }

    async fn let_in(mut self: Box<Self>, hello: &[u8]) -> Result<Link, LinkError> {
        let Some(Shaking { line, own, to, hello: theirs, session_id }) = self.shaking.take() else {
            let what = "a connection was accepted before it said hello";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
        };
        let RmqConnector { names, prefetch, pace, .. } = &self.house.connector;
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
        line.durable_queue(to_server.clone()).await?;
        line.prefetch(*prefetch).await?;
        let connect_id = crate::random::bytes(16);
        let shared = Shared::new(line, self.broker.clone(), connect_id.clone());
        let aside = self.register(&shared, session_id, &to);
        self.tell_others(&shared.line, connect_id.clone()).await?;
        wait_until_left(&self.broker, &to_client).await?;
        shared.line.post(Post::new(DONE, &to, connect_id).must_arrive()).await?;

        // An earlier link to this server ends when this one is there. What it was brought and did not take goes back to
        // its place in the queue then: read before that, what stands behind it would come first.
        let (broker, line) = (self.broker.clone(), shared.line.clone());
        let queue = to_server.clone();
        let opening = Box::pin(async move {
            wait_until_left(&broker, &queue).await?;
            line.consume(&queue, true).await
        });
        let windows = Windows { queue: Some(to_server), consumers: Vec::new(), opening: Some(opening) };
        let settings = self.house.connector.intake(&self.house.limits);
        let rx = RmqRx::new(shared.clone(), windows, settings).with_own(own).with_aside(aside);
        let destination = Destination {
            peer: to_client,
            own: Some(to),
            client: None,
            work: None,
            reply_to: None,
            prefetch: *prefetch,
        };
        let signs = Signs::new(Some(pace.listening), Check::Always(pace.listening));
        let tx = RmqTx::new(shared, destination, fresh, signs);
        let address = self.address();
        Ok(Link { tx: Box::new(tx), rx: Box::new(rx), hello: theirs, peer: address.into() })
    }

    fn register(
        &self,
        shared: &Arc<Shared>,
        session_id: String,
        own: &ShortString,
    ) -> mpsc::UnboundedReceiver<crate::wire::Message> {
        let (aside, receiver) = mpsc::unbounded_channel();
        let shaken =
            Shaken { shared: Arc::downgrade(shared), session_id, own: own.clone(), announced: false };
        if let Some(displaced) = self.house.links.shaken(&self.client, Entry { shaken: Some(shaken), aside })
        {
            say_replaced(&shared.line, displaced);
        }
        receiver
    }

    async fn tell_others(&self, line: &Line, connect_id: Vec<u8>) -> Result<(), LinkError> {
        let (server, client) = (self.house.id.clone(), self.client.clone());
        let mine = Mine { server, client, connect_id };
        let mine = serde_json::to_vec(&mine).map_err(io::Error::from)?;
        Ok(line.post(Post::new(MINE, &self.house.connector.names.servers(), mine)).await?)
    }
}

impl Incoming for RmqIncoming {
    fn address(&self) -> String {
        match self.client.is_empty() {
            true => self.house.connector.describe(),
            false => format!("{}, client {}", self.house.connector.describe(), self.client),
        }
    }

    fn peer(&self) -> PeerInfo {
        self.address().into()
    }

    fn delivery(&self) -> connector::Delivery {
        connector::Delivery::Stored { fresh: false }
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(self.opening())
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.let_in(hello))
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(shaking) = &self.shaking else { return };
            // It is turned away either way.
            let _ = shaking.line.post(Post::new(FAIL, &shaking.to, hello::refusal_json(reason))).await;
        })
    }
}

/// Makes a link of a client that is known only by what it put into the work queue.
impl Incoming for WorkIncoming {
    fn address(&self) -> String {
        self.describe()
    }

    fn peer(&self) -> PeerInfo {
        self.address().into()
    }

    fn delivery(&self) -> connector::Delivery {
        connector::Delivery::Stored { fresh: false }
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        let hello = ClientHello { client_id: self.client().to_owned(), communica: None };
        Box::pin(async move { Ok(hello::text(&hello)?.into()) })
    }

    fn accept<'a>(self: Box<Self>, _: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.let_in())
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.turn_away(reason))
    }
}
