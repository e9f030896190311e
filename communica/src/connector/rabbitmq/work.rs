//! A queue that all servers of an address share: its messages → the links of the clients they are from.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::bodies::{header, key, refusal, split};
use super::broker::Broker;
use super::dropped::tell_of_dropped;
use super::leaving::{end, give_back};
use super::line::{Line, Post, in_background, is};
use super::names::{CLIENT, MESSAGE, readable};
use super::rx::{RmqRx, Windows};
use super::server::{House, poll_next};
use super::shared::Shared;
use super::signs::{Check, Signs};
use super::tx::{Destination, PERSISTENT, RmqTx};
use crate::connector::{self, BoxFuture, Incoming, Link, LinkError, PeerInfo, STOPPING, SUPERSEDED};
use crate::wire::hello::{self, ClientHello};
use crate::wire::{Kind, Message, Receipt};

/// So often it is seen to it that whoever waits for an answer has a link for it.
const LOOK: Duration = Duration::from_secs(1);

/// What a server takes from the shared queue.
pub(super) struct WorkDesk {
    house: Arc<House>,
    broker: Arc<Broker>,
    line: Line,
    /// `None` while it is dropped.
    deliveries: Option<Consumer>,
    look: Interval,
}

/// What it was brought and did not look at is for others at once. The channel stays open until all that it took is done.
impl Drop for WorkDesk {
    fn drop(&mut self) {
        let Some(deliveries) = self.deliveries.take() else { return };
        let (line, broker) = (self.line.clone(), self.broker.clone());
        in_background(async move {
            // If the channel is gone, the broker gives all of it to somebody anyway.
            if let Ok(tags) = end(&line.channel, deliveries).await {
                let _ = give_back(&line.channel, tags).await;
            }
            drop(broker);
        });
    }
}

impl WorkDesk {
    pub(super) async fn open(house: &Arc<House>, broker: &Arc<Broker>) -> io::Result<Self> {
        let line = Line::open(broker, &house.connector.exchange).await?;
        line.prefetch(house.connector.work_prefetch).await?;
        let queue = line.durable_queue(house.connector.names.work()).await?;
        let deliveries = Some(line.consume(&queue, true).await?);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { house: house.clone(), broker: broker.clone(), line, deliveries, look })
    }

    /// A client that this server did not know, when something of it came; or one whose link ended before its answer
    /// went out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<WorkIncoming>> {
        while let Some(deliveries) = &mut self.deliveries {
            let Poll::Ready(delivery) = poll_next(deliveries, cx)? else { break };
            if let Some(incoming) = self.sort(delivery) {
                return Poll::Ready(Ok(incoming));
            }
        }
        while self.look.poll_tick(cx).is_ready() {
            if let Some(client) = self.house.without_link() {
                // There may be others.
                self.look.reset_immediately();
                if let Some(incoming) = WorkIncoming::new(&self.house, &self.broker, &client) {
                    return Poll::Ready(Ok(incoming));
                }
            }
        }
        Poll::Pending
    }

    fn sort(&mut self, mut delivery: Delivery) -> Option<WorkIncoming> {
        let mut ticket = Ticket::new(&self.line, delivery.delivery_tag);
        let client = header(&delivery, CLIENT).filter(|_| is(&delivery, MESSAGE));
        let Some(client) = client.filter(|client| self.house.connector.check_names(client).is_ok()) else {
            tell_of_dropped(delivery.routing_key.as_str(), None, "it is no message of a client's");
            ticket.done();
            return None;
        };
        let body = std::mem::take(&mut delivery.data).into();
        let message = match split(body, self.house.limits.message_size) {
            Ok(message) => message,
            Err(unfit) => {
                tell_of_dropped(delivery.routing_key.as_str(), Some(&readable(&client)), &unfit.why);
                let Some(answer) = unfit.answer else {
                    ticket.done();
                    return None;
                };
                let post = Post::new(MESSAGE, &self.house.connector.names.to_client(&client), answer);
                let posting = self.line.post(post.with(|post| post.with_delivery_mode(PERSISTENT)));
                tokio::spawn(async move {
                    // The request is kept until its answer is.
                    if posting.await.is_ok() {
                        ticket.done();
                    }
                });
                return None;
            }
        };
        ticket.share = Some(self.house.share(&client));
        let key = key(&delivery, &message.metadata.id());
        let message = message.with_receipt(Receipt::new(key, move || ticket.done()));
        let message = self.house.links.give(&client, message)?;
        WorkIncoming::with(&self.house, &self.broker, &client, message)
    }
}

/// One delivery, of work or of an answer: acknowledged when it is done with, given back when nobody here will do it.
pub(super) struct Ticket {
    line: Line,
    tag: u64,
    done: bool,
    /// Of its client's, see [`House::share`].
    share: Option<Arc<()>>,
}

impl Ticket {
    pub(super) fn new(line: &Line, tag: u64) -> Self {
        Self { line: line.clone(), tag, done: false, share: None }
    }

    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (line, tag, done) = (self.line.clone(), self.tag, self.done);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let back = BasicNackOptions { requeue: true, multiple: false };
            // If the channel is gone, the broker gives the message to somebody anyway.
            let _ = match done {
                true => line.channel.basic_ack(tag, BasicAckOptions::default()).await,
                false => line.channel.basic_nack(tag, back).await,
            };
        });
    }
}

/// A client of whom something came from the shared queue, and who never shook hands with this server.
pub(super) struct WorkIncoming {
    house: Arc<House>,
    broker: Arc<Broker>,
    client: String,
    waiting: mpsc::UnboundedReceiver<Message>,
    line: Option<Line>,
}

impl WorkIncoming {
    /// `None` if the client has a link.
    fn new(house: &Arc<House>, broker: &Arc<Broker>, client: &str) -> Option<Self> {
        let waiting = house.links.unshaken(client)?;
        let (house, broker) = (house.clone(), broker.clone());
        Some(Self { house, broker, client: client.to_owned(), waiting, line: None })
    }

    /// The same, with this message for it; or the message goes to the link that there is.
    pub(super) fn with(
        house: &Arc<House>,
        broker: &Arc<Broker>,
        client: &str,
        message: Message,
    ) -> Option<Self> {
        let incoming = Self::new(house, broker, client);
        // There is a place for it now. If not, it goes back to its queue.
        let _ = house.links.give(client, message);
        incoming
    }

    fn client(&self) -> &str {
        &self.client
    }

    fn describe(&self) -> String {
        let client = readable(&self.client);
        format!("{}, client {client} by the work queue", self.house.connector.describe())
    }

    /// What takes time, before any other link is ended for this one.
    async fn make_ready(&mut self) -> Result<(), LinkError> {
        if self.line.is_none() {
            self.line = Some(Line::open(&self.broker, &self.house.connector.exchange).await?);
        }
        self.check_place()
    }

    /// Whether its place was taken: then this link would push out the one that the client made.
    fn check_place(&mut self) -> Result<(), LinkError> {
        if !self.waiting.is_closed() {
            return Ok(());
        }
        self.hand_over();
        let what = "the client itself connected meanwhile";
        Err(io::Error::new(io::ErrorKind::AlreadyExists, what).into())
    }

    /// What came is for the link that the client has. If there is none, it goes back to the queue.
    fn hand_over(&mut self) {
        // Or this could be the link that it is given to.
        self.waiting.close();
        while let Ok(message) = self.waiting.try_recv() {
            let _ = self.house.links.give(&self.client, message);
        }
    }

    async fn let_in(mut self: Box<Self>) -> Result<Link, LinkError> {
        self.make_ready().await?;
        let Some(line) = self.line.take() else {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        };
        let connector = &self.house.connector;
        let shared = Shared::new(line, self.broker.clone(), crate::random::bytes(16), Arc::default());
        let windows = Windows { queue: None, consumers: Vec::new(), opening: None };
        let address = self.describe();
        let rx = RmqRx::new(shared.clone(), windows, connector.intake(&self.house.limits));
        let destination = Destination {
            peer: connector.names.to_client(&self.client),
            own: None,
            client: None,
            work: None,
            reply_to: self.house.answers.clone(),
            // Not known of a client that said no hello.
            bundles: false,
            prefetch: connector.prefetch,
        };
        let signs = Signs::new(None, Check::Always(connector.pace.listening));
        let tx = RmqTx::new(shared, destination, false, signs);
        let hello = hello::text(&ClientHello { client_id: self.client, communica: None })?;
        let rx = rx.with_aside(self.waiting);
        Ok(Link::new(tx, rx, hello, address))
    }

    /// Answers what came with the reason; unless it is only that the client's own link was there first, or that this server
    /// stops: it reads no more then, and others do what it gives back.
    async fn turn_away(mut self: Box<Self>, reason: &str) {
        if reason == SUPERSEDED || reason == STOPPING {
            return self.hand_over();
        }
        let Ok(line) = Line::open(&self.broker, &self.house.connector.exchange).await else { return };
        while let Ok(mut message) = self.waiting.try_recv() {
            if message.metadata.kind() != Kind::Request {
                // Kept, it would come again for ever.
                let (client, route) = (readable(&self.client), message.metadata.route());
                tracing::error!(
                    client,
                    route = route.as_deref(),
                    reason,
                    "dropped a message from the work queue"
                );
                message.receipt.take().into_iter().for_each(|receipt| receipt.settle());
                continue;
            }
            let body = refusal(&message.metadata, reason);
            let queue = self.house.connector.names.to_client(&self.client);
            let post = Post::new(MESSAGE, &queue, body);
            let post = post.with(|properties| properties.with_delivery_mode(PERSISTENT));
            if line.post(post).await.is_ok() {
                if let Some(receipt) = message.receipt {
                    receipt.settle();
                }
            }
        }
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
        connector::Delivery::stored()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        let hello = ClientHello { client_id: self.client().to_owned(), communica: None };
        Box::pin(async move { Ok(hello::text(&hello)?.into()) })
    }

    fn prepare<'a>(&'a mut self, _: &'a [u8]) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(self.make_ready())
    }

    fn accept<'a>(self: Box<Self>, _: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(self.let_in())
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.turn_away(reason))
    }
}
