//! A queue that all servers of an address share: its messages → the links of the clients they are from.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::ShortString;
use tokio::sync::mpsc;

use super::broker::{Broker, Line, Post, is};
use super::names::{CLIENT, MESSAGE};
use super::rx::{RmqRx, Windows, header, key, split};
use super::server::{House, poll_next};
use super::shared::Shared;
use super::tx::{Check, Destination, RmqTx, Signs};
use crate::connector::{Link, LinkError};
use crate::error::{Fault, FaultKind};
use crate::wire::{Kind, Message, Receipt};

/// What a server takes from the shared queue.
pub(super) struct WorkDesk {
    house: Arc<House>,
    broker: Arc<Broker>,
    line: Line,
    deliveries: Consumer,
    /// Where answers to this server's own calls go.
    answers: ShortString,
}

impl WorkDesk {
    pub(super) async fn open(
        house: &Arc<House>,
        broker: &Arc<Broker>,
        answers: ShortString,
    ) -> io::Result<Self> {
        let line = Line::open(broker, &house.connector.exchange).await?;
        line.prefetch(house.connector.work_prefetch).await?;
        let queue = line.durable_queue(house.connector.names.work()).await?;
        let deliveries = line.consume(&queue, true).await?;
        Ok(Self { house: house.clone(), broker: broker.clone(), line, deliveries, answers })
    }

    /// A client that this server did not know, when something of it came.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<WorkIncoming>> {
        loop {
            let delivery = std::task::ready!(poll_next(&mut self.deliveries, cx))?;
            if let Some(incoming) = self.sort(delivery) {
                return Poll::Ready(Ok(incoming));
            }
        }
    }

    fn sort(&self, mut delivery: Delivery) -> Option<WorkIncoming> {
        let ticket = Ticket { line: self.line.clone(), tag: delivery.delivery_tag, done: false };
        let Some(client) = header(&delivery, CLIENT).filter(|_| is(&delivery, MESSAGE)) else {
            tracing::warn!("dropped what is no message of ours from the work queue");
            ticket.done();
            return None;
        };
        let body = std::mem::take(&mut delivery.data);
        let message = match split(body, self.house.limits.message_size) {
            Ok(message) => message,
            Err(why) => {
                tracing::warn!(client, why, "dropped what is no message of ours from the work queue");
                ticket.done();
                return None;
            }
        };
        let key = key(&delivery, &message.metadata.id());
        let message = message.with_receipt(Receipt::new(key, move || ticket.done()));
        let message = self.house.links.give(&client, message).err()?;
        let waiting = self.house.links.unshaken(&client);
        // There is a place for it now.
        let _ = self.house.links.give(&client, message);
        let (house, broker, answers) = (self.house.clone(), self.broker.clone(), self.answers.clone());
        Some(WorkIncoming { house, broker, answers, client, waiting })
    }
}

/// One delivery from the shared queue: acknowledged when it is done with, given back when nobody here will do it.
struct Ticket {
    line: Line,
    tag: u64,
    done: bool,
}

impl Ticket {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (channel, tag, done) = (self.line.channel.clone(), self.tag, self.done);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            // If the channel is gone, the broker gives the message to somebody anyway.
            let _ = match done {
                true => channel.basic_ack(tag, BasicAckOptions::default()).await,
                false => channel.basic_nack(tag, BasicNackOptions { requeue: true, multiple: false }).await,
            };
        });
    }
}

/// A client of whom something came from the shared queue, and who never shook hands with this server.
pub(super) struct WorkIncoming {
    house: Arc<House>,
    broker: Arc<Broker>,
    answers: ShortString,
    client: String,
    waiting: mpsc::UnboundedReceiver<Message>,
}

impl WorkIncoming {
    pub(super) fn client(&self) -> &str {
        &self.client
    }

    pub(super) fn describe(&self) -> String {
        format!("{}, client {} by the work queue", self.house.connector.describe(), self.client)
    }

    pub(super) async fn let_in(self: Box<Self>) -> Result<Link, LinkError> {
        let connector = &self.house.connector;
        let line = Line::open(&self.broker, &connector.exchange).await?;
        let shared = Shared::new(line, self.broker.clone(), crate::random::bytes(16));
        let windows = Windows { queue: None, consumers: Vec::new(), opening: None };
        let address = self.describe();
        let rx = RmqRx::new(shared.clone(), windows, connector.intake(&self.house.limits));
        let destination = Destination {
            peer: connector.names.to_client(&self.client),
            own: None,
            client: None,
            work: None,
            reply_to: Some(self.answers),
        };
        let signs = Signs::new(None, Check::Always(connector.pace.listening));
        let tx = RmqTx::new(shared, destination, false, signs);
        let hello = crate::wire::hello::text(&crate::wire::hello::ClientHello { client_id: self.client })?;
        let rx = rx.with_aside(self.waiting);
        Ok(Link { tx: Box::new(tx), rx: Box::new(rx), hello: hello.into(), peer: address.into() })
    }

    /// Answers what came with the reason.
    pub(super) async fn turn_away(mut self: Box<Self>, reason: &str) {
        let Ok(line) = Line::open(&self.broker, &self.house.connector.exchange).await else { return };
        while let Ok(message) = self.waiting.try_recv() {
            let fault = Fault::new(FaultKind::Resp, reason, None);
            let mut body = bytes::BytesMut::new();
            message.metadata.put_answer(Kind::Resp, &mut body);
            body.extend_from_slice(&[0]);
            body.extend_from_slice(&fault.to_bytes());
            let queue = self.house.connector.names.to_client(&self.client);
            if line.post(Post::new(MESSAGE, &queue, body.to_vec())).await.is_ok() {
                if let Some(receipt) = message.receipt {
                    receipt.settle();
                }
            }
        }
    }
}
