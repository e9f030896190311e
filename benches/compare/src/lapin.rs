//! Request and reply over lapin by hand: one queue for requests, one for replies, a correlation id. `lapin` is the least
//! that it can do: nothing is persistent, confirmed or acknowledged. `lapin-safe` promises what the library promises
//! of a message: persistent, confirmed, acknowledged after it was answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, message::Delivery};
use tokio::sync::oneshot;

use crate::call::{Call, by_tasks};
use crate::contenders::unable;
use crate::pair::{broker, ready};
use crate::record::Record;
use crate::window::{Outcome, Plan};
use crate::work::Work;

async fn open(safe: bool) -> (Connection, Channel) {
    let connection = Connection::connect(&broker(), ConnectionProperties::default()).await;
    let connection = connection.expect("a broker listens");
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

async fn publish(channel: &Channel, to: ShortString, body: &[u8], properties: BasicProperties, safe: bool) {
    let properties = if safe { properties.with_delivery_mode(2) } else { properties };
    let confirm =
        channel.basic_publish("".into(), to, BasicPublishOptions::default(), body, properties).await;
    let confirm = confirm.expect("it is published");
    if safe {
        confirm.await.expect("it is confirmed");
    }
}

pub async fn serve(safe: bool) {
    let (_connection, channel) = open(safe).await;
    let name = format!("requests.{}", std::process::id());
    let mut requests = queue(&channel, &name, safe).await;
    ready(&name);
    while let Some(request) = requests.next().await {
        tokio::spawn(answer(channel.clone(), request.expect("a delivery"), safe));
    }
}

async fn answer(channel: Channel, request: Delivery, safe: bool) {
    let record: Record = serde_json::from_slice(&request.data).expect("a record");
    let body = serde_json::to_vec(&record).expect("JSON");
    let id = request.properties.correlation_id().clone().expect("an id");
    let to = request.properties.reply_to().clone().expect("a queue");
    publish(&channel, to, &body, BasicProperties::default().with_correlation_id(id), safe).await;
    if safe {
        request.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
    }
}

pub async fn measure(safe: bool, requests: &str, work: Work, plan: Plan) -> Outcome {
    match work {
        Work::Echo(load) => by_tasks(async || connect(safe, requests).await, load, plan).await,
        _ => unable(work),
    }
}

async fn connect(safe: bool, requests: &str) -> Caller {
    let (connection, channel) = open(safe).await;
    let name = format!("replies.{}", std::process::id());
    let replies = queue(&channel, &name, safe).await;
    let waiting = Waiting::default();
    tokio::spawn(receive(replies, waiting.clone(), safe));
    let [requests, replies] = [requests.into(), name.as_str().into()];
    Caller {
        safe,
        _connection: connection.into(),
        channel,
        waiting,
        requests,
        replies,
        record: Record::sample(),
    }
}

async fn receive(mut replies: Consumer, waiting: Waiting, safe: bool) {
    while let Some(reply) = replies.next().await {
        let reply = reply.expect("a delivery");
        if safe {
            reply.acker.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
        }
        let id = reply.properties.correlation_id().clone().expect("an id").to_string();
        let caller = waiting.lock().expect("no panic").remove(&id);
        caller.expect("somebody waits for it").send(reply.data).expect("callers wait");
    }
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Vec<u8>>>>>;

#[derive(Clone)]
struct Caller {
    safe: bool,
    _connection: Arc<Connection>,
    channel: Channel,
    waiting: Waiting,
    requests: ShortString,
    replies: ShortString,
    record: Record,
}

impl Call for Caller {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let id = number.to_string();
        let (caller, answer) = oneshot::channel();
        self.waiting.lock().expect("no panic").insert(id.clone(), caller);
        let body = serde_json::to_vec(&self.record).expect("JSON");
        let properties =
            BasicProperties::default().with_correlation_id(id.into()).with_reply_to(self.replies.clone());
        publish(&self.channel, self.requests.clone(), &body, properties, self.safe).await;
        let answer = answer.await.expect("an answer");
        assert_eq!(serde_json::from_slice::<Record>(&answer).expect("a record"), self.record);
    }
}
