//! Names of queues go in; copies of what is published to them come out.

use communica_tests::Stage;
use lapin::message::{Delivery, DeliveryResult};
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A queue of its own that is bound to the names of others.
pub(crate) struct Spy {
    _connection: Connection,
    copies: UnboundedReceiver<Delivery>,
}

impl Spy {
    /// On queues of this stage's address, such as `connect.server`.
    pub(crate) async fn on(stage: &Stage, queues: &[&str]) -> Self {
        let state: Value = serde_json::from_str(&stage.connector()).expect("a state is JSON");
        let text = |key: &str| state[key].as_str().expect("the state says it").to_owned();
        let (url, address, exchange) = (text("url"), text("address"), text("exchange_name"));
        let connection =
            Connection::connect(&url, ConnectionProperties::default()).await.expect("it connects");
        let channel = connection.create_channel().await.expect("a channel is opened");

        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let direct = ExchangeKind::Direct;
        let declared =
            channel.exchange_declare(exchange.as_str().into(), direct, durable, FieldTable::default());
        declared.await.expect("the exchange is as ours");
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let own = channel.queue_declare("".into(), own, FieldTable::default()).await.expect("it is declared");
        for queue in queues {
            let (key, options) = (format!("communica.{address}.{queue}"), QueueBindOptions::default());
            let (from, key) = (exchange.as_str().into(), key.into());
            let bound = channel.queue_bind(own.name().clone(), from, key, options, FieldTable::default());
            bound.await.expect("it is bound");
        }

        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumed = channel.basic_consume(own.name().clone(), "".into(), options, FieldTable::default());
        let (sender, copies) = unbounded_channel();
        consumed.await.expect("it is consumed").set_delegate(move |delivery: DeliveryResult| {
            let sender = sender.clone();
            async move {
                if let Ok(Some(delivery)) = delivery {
                    // The test may be over.
                    let _ = sender.send(delivery);
                }
            }
        });
        Self { _connection: connection, copies }
    }

    /// The type of the next message.
    pub(crate) async fn next_type(&mut self) -> String {
        let copy = self.copies.recv().await.expect("the broker delivers");
        copy.properties.kind().as_ref().map(ToString::to_string).unwrap_or_default()
    }
}
