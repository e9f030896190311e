//! The listening side: knocks on a queue → connections; news from other servers of the address.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::ShortString;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::RmqConnector;
use super::broker::{Broker, Line, Post, broken, cancelled, is};
use super::client::expect;
use super::links::{Displaced, Entry, Links, Shaken};
use super::names::{CLOSE, CONNECT, CONNECT_OK, DONE, FAIL, MESSAGE, MINE, NEXT, REASON};
use super::rx::{RmqRx, Windows, header, split};
use super::shared::Shared;
use super::tx::{Check, Destination, RmqTx, Signs, headers};
use super::work::{WorkDesk, WorkIncoming};
use crate::connector::{BoxFuture, Incoming, Link, LinkError, Listener};
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
        let house =
            Arc::new(House { connector: connector.clone(), limits: limits.clone(), links: Links::default() });
        let door = Door::open(&house).await?;
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

/// What the links of one server share.
pub(super) struct House {
    pub(super) connector: RmqConnector,
    pub(super) limits: Limits,
    pub(super) links: Links,
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
            match Door::open(&house).await {
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
    client: String,
    connect_id: Vec<u8>,
}

impl Door {
    async fn open(house: &Arc<House>) -> io::Result<Self> {
        let RmqConnector { names, exchange, .. } = &house.connector;
        names.check("")?;
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
            if let Some(displaced) = self.house.links.moved(&mine.client, &mine.connect_id) {
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
        let acknowledge = self.door.channel.basic_ack(self.knock.delivery_tag, BasicAckOptions::default());
        let knocked = self.read_knock();
        let (client, to) = match knocked {
            Ok(knocked) => knocked,
            Err(error) => {
                acknowledge.await.map_err(broken)?;
                return Err(error.into());
            }
        };
        self.client = client;
        let line = Line::open(&self.broker, &self.house.connector.exchange).await?;
        let queue = line.own_queue().await?;
        let mut own = line.consume(&queue, false).await?;
        let answer = Post::new(CONNECT_OK, &to, Vec::new()).must_arrive();
        let answered = line.post(answer.with(|properties| properties.with_reply_to(queue))).await;
        acknowledge.await.map_err(broken)?;
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
        self.house.connector.names.check(&client)?;
        Ok((client, to))
    }

    async fn let_in(mut self: Box<Self>, hello: &[u8]) -> Result<Link, LinkError> {
        let Some(Shaking { line, own, to, hello: theirs, session_id }) = self.shaking.take() else {
            let what = "a connection was accepted before it said hello";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
        };
        let RmqConnector { names, prefetch, pace, .. } = &self.house.connector;
        line.post(Post::new(NEXT, &to, hello)).await?;
        let (to_client, to_server) = (names.to_client(&self.client), names.to_server(&self.client));
        // Whatever an earlier link sent is in these queues, unless somebody deleted them.
        let fresh = self.house.links.was_here(&self.client)
            && !self.broker.has_queues([to_client.clone(), to_server.clone()]).await?;
        line.durable_queue(to_client.clone()).await?;
        line.durable_queue(to_server.clone()).await?;
        line.prefetch(*prefetch).await?;
        let consumer = line.consume(&to_server, true).await?;
        let connect_id = crate::random::bytes(16);
        let shared = Shared::new(line, self.broker.clone(), connect_id.clone());
        let aside = self.register(&shared, session_id, &to);
        shared.line.post(Post::new(DONE, &to, connect_id.clone())).await?;
        self.tell_others(&shared.line, connect_id).await?;

        let windows = Windows { queue: Some(to_server), consumers: vec![consumer], opening: None };
        let settings = self.house.connector.intake(&self.house.limits);
        let rx = RmqRx::new(shared.clone(), windows, settings).with_own(own).with_aside(aside);
        let destination =
            Destination { peer: to_client, own: Some(to), client: None, work: None, reply_to: None };
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
        let shaken = Shaken { shared: Arc::downgrade(shared), session_id, own: own.clone() };
        if let Some(displaced) = self.house.links.shaken(&self.client, Entry { shaken: Some(shaken), aside })
        {
            say_replaced(&shared.line, displaced);
        }
        receiver
    }

    async fn tell_others(&self, line: &Line, connect_id: Vec<u8>) -> Result<(), LinkError> {
        let mine = Mine { client: self.client.clone(), connect_id };
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

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async { Ok(hello::text(&ClientHello { client_id: self.client().to_owned() })?.into()) })
    }

    fn accept<'a>(self: Box<Self>, _: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.let_in())
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.turn_away(reason))
    }
}
