//! One channel: what is published goes in, what the broker says to it comes out.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Consumer, ExchangeKind, Queue};

use super::broker::{Broker, OPENING, broken};
use crate::connector::BoxFuture;

/// Messages that come to the queue of a handshake or a link ahead of what was read of it.
const OWN_AHEAD: u16 = 4;

/// A channel that confirms what is published on it, and a way to say things on it. The channel is closed with the last
/// copy, and what was not acknowledged on it goes back to its queue.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) channel: Channel,
    pub(super) exchange: ShortString,
    _end: Arc<End>,
}

/// Closes a channel. `lapin` does not, when nobody waited any more for a consumer that was being opened: that one would
/// be sent messages for as long as the connection lives.
struct End(Channel);

impl Drop for End {
    fn drop(&mut self) {
        let channel = self.0.clone();
        in_background(async move { close(&channel).await });
    }
}

async fn close(channel: &Channel) {
    // It would go out before what was published and is not written yet. If that fails, the channel is closed.
    let _ = channel.wait_for_confirms().await;
    // One that is closed already stays so.
    let _ = channel.close(lapin::protocol::constants::REPLY_SUCCESS, ShortString::default()).await;
}

/// Begins on the spot, so that it stands before whatever is said to the broker next. The rest is done in a task.
pub(super) fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    let mut work: BoxFuture<'static, ()> = Box::pin(work);
    let first = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if let (Poll::Pending, Ok(runtime)) = (first, tokio::runtime::Handle::try_current()) {
        runtime.spawn(work);
    }
}

/// One thing to publish.
pub(super) struct Post {
    pub(super) to: ShortString,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    /// It is an error if no queue has this name.
    pub(super) must_arrive: bool,
}

impl Post {
    /// Something of this type for this queue, which a restart of the broker may cost.
    pub(super) fn new(kind: &str, to: &ShortString, body: impl Into<Vec<u8>>) -> Self {
        let properties = BasicProperties::default().with_type(kind.into());
        Self { to: to.clone(), body: body.into(), properties, must_arrive: false }
    }

    /// With further properties.
    pub(super) fn with(mut self, change: impl FnOnce(BasicProperties) -> BasicProperties) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub(super) fn must_arrive(self) -> Self {
        Self { must_arrive: true, ..self }
    }
}

/// Done when the broker has what was published.
pub(super) type Posting = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Line {
    /// A new channel to the broker; the exchange is there.
    pub(super) async fn open(broker: &Broker, exchange: &str) -> io::Result<Self> {
        let channel = broker.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(broken)?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = ShortString::from(exchange);
        let declared =
            channel.exchange_declare(exchange.clone(), ExchangeKind::Direct, durable, FieldTable::default());
        declared.await.map_err(broken)?;
        let end = Arc::new(End(channel.clone()));
        Ok(Self { channel, exchange, _end: end })
    }

    /// Closes the channel. With the broker's answer, everything that was not acknowledged on it is back in its queue.
    pub(super) async fn close(&self) {
        close(&self.channel).await;
    }

    pub(super) fn is_open(&self) -> bool {
        self.channel.status().connected()
    }

    /// Publishes. The order of several is that in which their futures are polled for the first time.
    pub(super) fn post(&self, post: Post) -> Posting {
        // All of it, so that the channel stays open for it.
        let line = self.clone();
        let Post { to, body, properties, must_arrive } = post;
        Box::pin(async move {
            let options = BasicPublishOptions { mandatory: must_arrive, ..BasicPublishOptions::default() };
            let exchange = line.exchange.clone();
            let confirm = line.channel.basic_publish(exchange, to.clone(), options, &body, properties).await;
            match confirm.map_err(broken)?.await.map_err(broken)? {
                Confirmation::Ack(None) | Confirmation::NotRequested => Ok(()),
                Confirmation::Ack(Some(_)) => {
                    let what = format!("the queue {to} does not exist");
                    Err(io::Error::new(io::ErrorKind::NotFound, what))
                }
                Confirmation::Nack(_) => {
                    Err(io::Error::other("the broker could not store a message, see its log"))
                }
            }
        })
    }

    /// A queue that ends with its consumer, under a name of the broker's choice. One that never gets a consumer ends soon, too.
    pub(super) async fn own_queue(&self) -> io::Result<ShortString> {
        let own =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        self.queue("".into(), own, unread_for(OPENING)).await
    }

    /// A queue that is there until somebody deletes it.
    pub(super) async fn durable_queue(&self, name: ShortString) -> io::Result<ShortString> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.queue(name, durable, FieldTable::default()).await
    }

    /// A queue that is there until nobody has read it for so long.
    pub(super) async fn queue_for_a_time(
        &self,
        name: ShortString,
        time: Duration,
    ) -> io::Result<ShortString> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.queue(name, durable, unread_for(time)).await
    }

    async fn queue(
        &self,
        name: ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> io::Result<ShortString> {
        let queue = self.channel.queue_declare(name, options, arguments).await.map_err(broken)?;
        let name = queue.name().clone();
        self.bind(name.clone(), name.clone()).await?;
        Ok(name)
    }

    /// How many read a queue that is there.
    pub(super) async fn readers(&self, queue: ShortString) -> io::Result<u32> {
        Ok(self.look_at(queue).await?.consumer_count())
    }

    /// How many messages of a queue that is there wait for whoever reads it.
    pub(super) async fn waiting(&self, queue: ShortString) -> io::Result<u32> {
        Ok(self.look_at(queue).await?.message_count())
    }

    async fn look_at(&self, queue: ShortString) -> io::Result<Queue> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue, passive, FieldTable::default()).await.map_err(broken)
    }

    pub(super) async fn bind(&self, queue: ShortString, key: ShortString) -> io::Result<()> {
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let bound = self.channel.queue_bind(queue, self.exchange.clone(), key, options, table);
        bound.await.map_err(broken)
    }

    /// How many messages each consumer from now on gets before it waits for acknowledgements.
    pub(super) async fn prefetch(&self, messages: u16) -> io::Result<()> {
        self.channel.basic_qos(messages, BasicQosOptions::default()).await.map_err(broken)
    }

    /// What comes to a queue of this side alone, a little at a time: whoever may publish there must not fill this process, which
    /// may be reading nothing. Sets the [`prefetch`](Self::prefetch).
    pub(super) async fn consume_own(&self, queue: &ShortString) -> io::Result<Consumer> {
        self.prefetch(OWN_AHEAD).await?;
        self.consume(queue, true).await
    }

    /// What comes to a queue. `acknowledged`: each message wants to be.
    pub(super) async fn consume(&self, queue: &ShortString, acknowledged: bool) -> io::Result<Consumer> {
        let options = BasicConsumeOptions { no_ack: !acknowledged, ..BasicConsumeOptions::default() };
        let consumed = self.channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default());
        consumed.await.map_err(broken)
    }
}

/// Ends a queue that nobody has read for so long.
fn unread_for(time: Duration) -> FieldTable {
    let mut arguments = FieldTable::default();
    let expires = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-expires".into(), AMQPValue::LongLongInt(expires));
    arguments
}

/// The next message of a queue.
pub(super) async fn next(consumer: &mut Consumer) -> io::Result<Delivery> {
    match poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await {
        Some(delivery) => delivery.map_err(broken),
        None => Err(cancelled()),
    }
}

pub(super) fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the broker stopped delivering: the queue was deleted")
}

pub(super) fn is(delivery: &Delivery, kind: &str) -> bool {
    delivery.properties.kind().as_ref().is_some_and(|found| found.as_str() == kind)
}
