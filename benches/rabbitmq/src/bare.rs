//! Request and reply over lapin by hand: one queue for requests, one for replies, a correlation id.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_core::Stream;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, message::Delivery};
use tokio::sync::oneshot;

use crate::{Record, timed};

async fn channel(url: &str, safe: bool) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("a broker");
    let channel = connection.create_channel().await.expect("a channel");
    if safe {
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    }
    (connection, channel)
}

async fn queue(channel: &Channel, name: &str, safe: bool) -> Consumer {
    let options = QueueDeclareOptions { durable: safe, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, FieldTable::default()).await.expect("a queue");
    let options = BasicConsumeOptions { no_ack: !safe, ..BasicConsumeOptions::default() };
    channel.basic_consume(name.into(), "".into(), options, FieldTable::default()).await.expect("a consumer")
}

async fn next(consumer: &mut Consumer) -> Option<Delivery> {
    std::future::poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await.map(|it| it.expect("a delivery"))
}

async fn publish(channel: &Channel, to: ShortString, body: &[u8], properties: BasicProperties, safe: bool) {
    let properties = if safe { properties.with_delivery_mode(2) } else { properties };
    let confirm = channel.basic_publish("".into(), to, BasicPublishOptions::default(), body, properties).await;
    let confirm = confirm.expect("it is published");
    if safe {
        confirm.await.expect("it is confirmed");
    }
}

pub async fn serve(url: &str, safe: bool) {
    let (_connection, channel) = channel(url, safe).await;
    let mut requests = queue(&channel, &format!("bare.{safe}.requests"), safe).await;
    println!("ready");
    while let Some(request) = next(&mut requests).await {
        let channel = channel.clone();
        let answer = async move {
            let record: Record = serde_json::from_slice(&request.data).expect("a record");
            let body = serde_json::to_vec(&record).expect("JSON");
            let id = request.properties.correlation_id().clone().expect("an id");
            let to = request.properties.reply_to().clone().expect("a queue");
            publish(&channel, to, &body, BasicProperties::default().with_correlation_id(id), safe).await;
            if safe {
                request.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
            }
        };
        tokio::spawn(answer);
    }
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Vec<u8>>>>>;

pub async fn call(url: &str, safe: bool, at_once: usize, calls: usize) -> f64 {
    let (connection, channel) = channel(url, safe).await;
    let name = format!("bare.{safe}.replies");
    let mut replies = queue(&channel, &name, safe).await;
    let waiting = Waiting::default();
    let answered = waiting.clone();
    let reading = tokio::spawn(async move {
        while let Some(reply) = next(&mut replies).await {
            let id = reply.properties.correlation_id().clone().expect("an id").to_string();
            if safe {
                reply.acker.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
            }
            if let Some(caller) = answered.lock().expect("no panic").remove(&id) {
                let _ = caller.send(reply.data);
            }
        }
    });
    let count = Arc::new(AtomicU64::new(0));
    let record = Record::sample();
    let took = timed(
        move || {
            let (channel, waiting, name) = (channel.clone(), waiting.clone(), name.clone());
            let (count, record) = (count.clone(), record.clone());
            async move {
                let id = count.fetch_add(1, Ordering::Relaxed).to_string();
                let (caller, answer) = oneshot::channel();
                waiting.lock().expect("no panic").insert(id.clone(), caller);
                let body = serde_json::to_vec(&record).expect("JSON");
                let properties =
                    BasicProperties::default().with_correlation_id(id.into()).with_reply_to(name.into());
                let to = format!("bare.{safe}.requests").into();
                publish(&channel, to, &body, properties, safe).await;
                let answer = answer.await.expect("an answer");
                assert_eq!(serde_json::from_slice::<Record>(&answer).expect("a record"), record);
            }
        },
        at_once,
        calls,
    );
    let took = took.await;
    reading.abort();
    let _ = connection.close(200, "done".into()).await;
    took
}
