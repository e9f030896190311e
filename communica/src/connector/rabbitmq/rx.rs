//! Deliveries of a queue → messages, in the order in which they were published.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ShortString};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::broker::{broken, cancelled, is};
use super::names::{CLOSE, LISTENING, MESSAGE, REASON};
use super::shared::Shared;
use crate::connector::{BoxFuture, LinkError, LinkRx, Received};
use crate::wire::{Kind, Message, Receipt};

/// A queue is consumed in so many windows at most, see [`Windows`].
const WINDOWS: usize = 32;

pub(super) struct RmqRx {
    shared: Arc<Shared>,
    windows: Windows,
    /// The queue that only this side has: what is meant for this link and no other.
    own: Option<Consumer>,
    /// Messages that came on other ways.
    aside: Option<mpsc::UnboundedReceiver<Message>>,
    silence: Option<Silence>,
    /// Deliveries by tag, to be taken in this order.
    ready: BTreeMap<u64, Delivery>,
    settings: Intake,
}

/// What is accepted, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Bytes of a payload.
    pub(super) message_size: usize,
    /// Deliveries that may be out at once, in the first window.
    pub(super) prefetch: u16,
    /// Acknowledge when a message arrives, not when it is done with.
    pub(super) ack_on_arrival: bool,
}

/// The broker delivers so many messages before it waits for acknowledgements. When all of them are being handled and
/// more are wanted, another window is opened: what the handlers wait for may stand behind. Whether more are wanted,
/// the session decides by its own bounds.
pub(super) struct Windows {
    pub(super) queue: Option<ShortString>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) opening: Option<BoxFuture<'static, io::Result<Consumer>>>,
}

/// Ends the link of a client whose server says nothing.
struct Silence {
    limit: Duration,
    over: Pin<Box<Sleep>>,
}

/// What a delivery was.
enum Taken {
    Message(Message),
    Closed(Option<String>),
    Nothing,
}

impl RmqRx {
    pub(super) fn new(shared: Arc<Shared>, windows: Windows, settings: Intake) -> Self {
        Self { shared, windows, own: None, aside: None, silence: None, ready: BTreeMap::new(), settings }
    }

    pub(super) fn with_own(self, own: Consumer) -> Self {
        Self { own: Some(own), ..self }
    }

    pub(super) fn with_aside(self, aside: mpsc::UnboundedReceiver<Message>) -> Self {
        Self { aside: Some(aside), ..self }
    }

    /// The other side is never silent for so long.
    pub(super) fn with_silence(self, limit: Duration) -> Self {
        let over = Box::pin(tokio::time::sleep(limit));
        Self { silence: Some(Silence { limit, over }), ..self }
    }

    /// Collects what came. A delivery with a smaller tag may be found later than one with a larger, on another
    /// consumer, but was there before: so a round that finds nothing means that nothing is missing.
    fn gather(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let before = self.ready.len();
            for consumer in self.windows.consumers.iter_mut().chain(&mut self.own) {
                while let Poll::Ready(delivery) = Pin::new(&mut *consumer).poll_next(cx) {
                    let delivery = delivery.ok_or_else(cancelled)?.map_err(broken)?;
                    self.ready.insert(delivery.delivery_tag, delivery);
                }
            }
            if self.ready.len() == before {
                return Ok(());
            }
            self.shared.hear();
        }
    }

    fn take(&self, delivery: Delivery) -> Taken {
        if is(&delivery, MESSAGE) {
            self.shared.acks.came(delivery.delivery_tag);
            let queue = delivery.routing_key.clone();
            let tag = delivery.delivery_tag;
            return match self.message(delivery) {
                Ok(message) => Taken::Message(message),
                Err(why) => {
                    // It is nobody's: kept, it would come again for ever.
                    tracing::warn!(%queue, why, "dropped what is no message of ours");
                    self.shared.acks.settle(tag);
                    Taken::Nothing
                }
            };
        }
        self.shared.acks.came(delivery.delivery_tag);
        self.shared.acks.settle(delivery.delivery_tag);
        if is(&delivery, CLOSE) {
            // One that was meant for an earlier link says nothing about this one.
            let ours = delivery.data == self.shared.connect_id;
            return if ours { Taken::Closed(reason(&delivery)) } else { Taken::Nothing };
        }
        if !is(&delivery, LISTENING) {
            let kind = delivery.properties.kind();
            tracing::warn!(queue = %delivery.routing_key, ?kind, "dropped a message of an unknown type");
        }
        Taken::Nothing
    }

    fn message(&self, mut delivery: Delivery) -> Result<Message, String> {
        let message = split(std::mem::take(&mut delivery.data), self.settings.message_size)?;
        let id = message.metadata.id();
        if let (Some(queue), Kind::Request) = (delivery.properties.reply_to(), message.metadata.kind()) {
            self.shared.answer_elsewhere(&id, queue.clone());
        }
        if self.settings.ack_on_arrival {
            self.shared.acks.settle(delivery.delivery_tag);
            return Ok(message);
        }
        let key = key(&delivery, &id);
        drop(id);
        let (acks, tag) = (self.shared.acks.clone(), delivery.delivery_tag);
        Ok(message.with_receipt(Receipt::new(key, move || acks.settle(tag))))
    }

    /// Opens another window if all are full. This is called when more is wanted.
    fn widen(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(queue) = &self.windows.queue else { return Ok(()) };
        if self.windows.opening.is_none() {
            let room = self.windows.consumers.len() * usize::from(self.settings.prefetch);
            let full = room > 0 && self.shared.acks.open() >= room;
            if !full || self.windows.consumers.len() >= WINDOWS {
                return Ok(());
            }
            let (line, queue) = (self.shared.line.clone(), queue.clone());
            self.windows.opening = Some(Box::pin(async move { line.consume(&queue, true).await }));
        }
        if let Some(opening) = &mut self.windows.opening {
            if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                self.windows.opening = None;
                self.windows.consumers.push(opened?);
                // What it brings wakes whoever has looked at it.
                cx.waker().wake_by_ref();
            }
        }
        Ok(())
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<LinkError> {
        let Some(silence) = &mut self.silence else { return Poll::Pending };
        std::task::ready!(silence.over.as_mut().poll(cx));
        let what = format!("the server was not heard for {:?}", silence.limit);
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what).into())
    }
}

impl LinkRx for RmqRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        self.shared.keep_waker(cx.waker());
        if let Some(reason) = self.shared.ended() {
            return Poll::Ready(Ok(Received::Closed { reason }));
        }
        let before = into.len();
        let gathered = self.gather(cx);
        if !self.ready.is_empty() {
            if let Some(silence) = &mut self.silence {
                silence.over.as_mut().reset(Instant::now() + silence.limit);
            }
        }
        while let Some((_, delivery)) = self.ready.pop_first() {
            match self.take(delivery) {
                Taken::Message(message) => into.push(message),
                Taken::Closed(reason) => self.shared.end(reason),
                Taken::Nothing => {}
            }
        }
        if let Some(aside) = &mut self.aside {
            while let Poll::Ready(Some(message)) = aside.poll_recv(cx) {
                into.push(message);
            }
        }
        if into.len() > before {
            return Poll::Ready(Ok(Received::Messages));
        }
        if let Some(reason) = self.shared.ended() {
            return Poll::Ready(Ok(Received::Closed { reason }));
        }
        gathered?;
        self.widen(cx)?;
        self.poll_silence(cx).map(Err)
    }
}

/// The body of a message: metadata, a zero byte, payload.
pub(super) fn split(body: Vec<u8>, message_size: usize) -> Result<Message, String> {
    let mut metadata = Bytes::from(body);
    let end = metadata.iter().position(|&byte| byte == 0).ok_or("no zero byte ends its metadata")?;
    let payload = metadata.split_off(end + 1);
    metadata.truncate(end);
    if payload.len() > message_size {
        return Err(format!("it has {} bytes where {message_size} are allowed", payload.len()));
    }
    Message::parse(metadata, payload).map_err(|error| error.to_string())
}

/// By what copies of a message are recognised.
pub(super) fn key(delivery: &Delivery, id: &str) -> Option<String> {
    match delivery.properties.message_id() {
        Some(stamp) => Some(stamp.as_str().to_owned()),
        // Python gives requests an id, and throws nothing.
        None => (!id.is_empty()).then(|| id.to_owned()),
    }
}

fn reason(delivery: &Delivery) -> Option<String> {
    header(delivery, REASON)
}

/// Text among the headers.
pub(super) fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
