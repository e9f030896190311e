//! A plain AMQP client: what stands in a queue, what is published to one, and messages by hand.

use communica_tests::broker;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::over_rabbitmq::support::{eventually, shared};

/// The type of a message that holds several.
pub(crate) const BUNDLE: &str = "communica_bundle";

/// A plain AMQP client.
pub(crate) struct Raw {
    connection: Connection,
    pub(crate) channel: Channel,
}

impl Raw {
    pub(crate) async fn connect(url: &str) -> Self {
        let connection =
            Connection::connect(url, ConnectionProperties::default()).await.expect("the broker accepts");
        let channel = connection.create_channel().await.expect("a channel is opened");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it confirms");
        Self { connection, channel }
    }

    /// Publishes to a queue, and waits until the broker has it.
    pub(crate) async fn publish(&self, queue: &str, properties: BasicProperties, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let confirm = self.channel.basic_publish("".into(), queue.into(), options, body, properties).await;
        confirm.expect("it can be published").await.expect("it is confirmed");
    }

    /// Publishes to all queues that are bound to this name.
    pub(crate) async fn announce(&self, name: &str, properties: BasicProperties, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let (exchange, name) = ("communica".into(), name.into());
        let confirm = self.channel.basic_publish(exchange, name, options, body, properties).await;
        confirm.expect("it can be published").await.expect("it is confirmed");
    }

    /// Publishes to a queue; `wait_for_confirms` of the channel waits for all of them.
    pub(crate) async fn publish_unconfirmed(&self, queue: &str, properties: BasicProperties, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let confirm = self.channel.basic_publish("".into(), queue.into(), options, body, properties).await;
        drop(confirm.expect("it can be published"));
    }

    /// Messages that wait in a queue for a consumer; none when there is no such queue.
    pub(crate) async fn waiting(&mut self, queue: &str) -> Option<u32> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        let Ok(queue) = declared else {
            self.channel = self.connection.create_channel().await.expect("a channel is opened");
            return None;
        };
        Some(queue.message_count())
    }

    /// Takes the next message of a queue.
    pub(crate) async fn get(&self, queue: &str) -> Option<BasicGetMessage> {
        let options = BasicGetOptions { no_ack: true };
        self.channel.basic_get(queue.into(), options).await.expect("it is there")
    }

    /// Messages to this route that wait in a queue that nobody consumes, each for itself or in a bundle. They stay there.
    pub(crate) async fn messages(&self, queue: &str, route: &str) -> usize {
        // No payload of the tests is anything like it.
        self.matches(queue, &format!("\"{route}\"")).await
    }

    /// How often this text stands in what waits in such a queue.
    pub(crate) async fn matches(&self, queue: &str, text: &str) -> usize {
        let looking = self.connection.create_channel().await.expect("a channel is opened");
        let mut count = 0;
        let options = BasicGetOptions::default();
        while let Some(message) = looking.basic_get(queue.into(), options).await.expect("it is there") {
            count += String::from_utf8_lossy(&message.data).matches(text).count();
        }
        looking.close(200, "".into()).await.expect("it can be closed");
        count
    }

    /// How many consume a queue that is there.
    pub(crate) async fn consumers(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        declared.expect("it is there").consumer_count()
    }

    /// Waits until nobody consumes this queue.
    pub(crate) async fn has_no_consumer(&self, queue: &str) {
        eventually("nobody listens any more", async || self.consumers(queue).await == 0).await;
    }

    pub(crate) async fn declare(&self, queue: &str, durable: bool) {
        let options = QueueDeclareOptions { durable, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        declared.expect("it can be declared");
    }

    pub(crate) async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), Default::default()).await.expect("it can be deleted");
    }
}

/// Copies of what is published to a queue.
pub(crate) struct Tap {
    raw: Raw,
    queue: String,
}

impl Tap {
    pub(crate) async fn on(queue: &str) -> Self {
        let raw = Raw::connect(&shared().await.url()).await;
        let copies = broker::unique("tap");
        raw.declare(&copies, false).await;
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let (from, to) = ("communica".into(), copies.as_str().into());
        raw.channel.queue_bind(to, from, queue.into(), options, table).await.expect("it can be bound");
        Self { raw, queue: copies }
    }

    /// The types of what was published since the last time.
    pub(crate) async fn types(&self) -> Vec<String> {
        let mut types = Vec::new();
        while let Some(message) = self.raw.get(&self.queue).await {
            types.push(message.properties.kind().as_ref().map(ToString::to_string).unwrap_or_default());
        }
        types
    }
}

/// A message as the wire has it.
pub(crate) fn body(metadata: &serde_json::Value, payload: &serde_json::Value) -> Vec<u8> {
    format!("{metadata}\0{payload}").into_bytes()
}

/// Properties of a message of this type.
pub(crate) fn typed(kind: &str) -> BasicProperties {
    BasicProperties::default().with_type(kind.into()).with_delivery_mode(2)
}
