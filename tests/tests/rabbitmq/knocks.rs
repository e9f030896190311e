//! Handshakes by hand: what a visitor may say, and what others notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use communica::{Limits, RmqConnector, RouteServer};
use communica_tests::broker::unique;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicConsumeOptions, QueueBindOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};

use crate::over_rabbitmq::raw::{Raw, Tap, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, blocking, client, desk, eventually, fresh, queue, shared, unsettled, within,
};

const CONNECT: &str = "communica_client_connect";
const CONNECT_OK: &str = "communica_client_connect_ok";
const NEXT: &str = "communica_handshake_next";
const DONE: &str = "communica_handshake_done";
const FAIL: &str = "communica_handshake_fail";

/// More than a hello may have.
const TOO_LONG: usize = 65 * 1024;

/// Somebody who plays a side of a handshake.
struct Visitor {
    raw: Raw,
    /// The queue where it is answered.
    own: String,
}

impl Visitor {
    async fn new() -> Self {
        let raw = Raw::connect(&shared().await.url()).await;
        let own = unique("visitor");
        raw.declare(&own, false).await;
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let (to, from) = (own.as_str().into(), "communica".into());
        raw.channel.queue_bind(to, from, own.as_str().into(), options, table).await.expect("it can be bound");
        Self { raw, own }
    }

    /// Knocks as this client. Returns where the hello is expected.
    async fn knock(&self, connector: &RmqConnector, client: &str) -> String {
        let knock = typed(CONNECT).with_reply_to(self.own.as_str().into());
        self.raw
            .publish(&queue(connector, "connect.server"), knock, json!(client).to_string().as_bytes())
            .await;
        let opened = self.next().await;
        assert_eq!(kind(&opened), CONNECT_OK);
        opened.properties.reply_to().as_ref().expect("it says where to answer").to_string()
    }

    async fn say_hello(&self, to: &str, hello: &Value) {
        self.raw.publish(to, typed(NEXT), hello.to_string().as_bytes()).await;
    }

    /// The next thing that it is told.
    async fn next(&self) -> BasicGetMessage {
        let mut told = None;
        eventually("the visitor is answered", async || {
            told = self.raw.get(&self.own).await;
            told.is_some()
        })
        .await;
        told.expect("it was there")
    }

    /// Why it is not let in.
    async fn is_refused(&self) -> String {
        let told = self.next().await;
        assert_eq!(kind(&told), FAIL);
        String::from_utf8_lossy(&told.data).into_owned()
    }
}

fn kind(message: &BasicGetMessage) -> &str {
    message.properties.kind().as_ref().expect("it has a type").as_str()
}

/// Before anything of it is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_hello_is_too_long_is_refused() {
    within(60, async {
        let (connector, asked) = (fresh("long").await, Arc::new(AtomicBool::new(false)));
        let hook = asked.clone();
        let server = RouteServer::new(connector.clone(), desk(&Gate::shut()).0).authorize(move |_| {
            hook.store(true, Ordering::Relaxed);
            Ok(())
        });
        let _server = server.start().await.unwrap();
        let visitor = Visitor::new().await;
        let to = visitor.knock(&connector, "w1").await;
        visitor.say_hello(&to, &json!({"client_id": "w1", "more": "x".repeat(TOO_LONG)})).await;
        let why = visitor.is_refused().await;
        assert!(why.contains("65536"), "{why}");
        assert!(!asked.load(Ordering::Relaxed), "it was read");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_hello_is_too_long_is_left() {
    within(60, async {
        let connector = fresh("long").await;
        let server = Visitor::new().await;
        let door = queue(&connector, "connect.server");
        server.raw.declare(&door, true).await;
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let (to, from) = (door.as_str().into(), "communica".into());
        server.raw.channel.queue_bind(to, from, door.as_str().into(), options, table).await.unwrap();
        let builder = client(&connector, "w1").connect_timeout(Duration::from_secs(4));
        let connecting = tokio::spawn(async move { builder.connect().await });
        let hello = json!({"hello": "x".repeat(TOO_LONG)});
        while !connecting.is_finished() {
            let Some(knock) = server.raw.get(&door).await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let to = knock.properties.reply_to().as_ref().expect("it says where").to_string();
            let opened = typed(CONNECT_OK).with_reply_to(server.own.as_str().into());
            server.raw.announce(&to, opened.with_app_id("communica-rust".into()), b"").await;
            if let Ok(said) = tokio::time::timeout(Duration::from_secs(2), server.next()).await {
                assert_eq!(kind(&said), NEXT);
                server.raw.announce(&to, typed(NEXT), hello.to_string().as_bytes()).await;
                server.raw.announce(&to, typed(DONE), b"link").await;
            }
        }
        let ended = connecting.await.unwrap().expect_err("it is not let in").to_string();
        assert!(ended.contains("65536"), "{ended}");
    })
    .await;
}

/// The hook that lets clients in sees the hello; the queues are those of the knock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_knocks_as_somebody_else_takes_nobodys_place() {
    within(60, async {
        let connector = fresh("posing").await;
        let server = RouteServer::new(connector.clone(), desk(&Gate::shut()).0);
        let server = server.authorize(|who| match who.has_token("open sesame") {
            true => Ok(()),
            false => Err("a token is needed".to_owned()),
        });
        let _server = server.start().await.unwrap();
        let victim = client(&connector, "victim").token("open sesame").connect().await.unwrap();
        let knocks = Tap::on(&queue(&connector, "connect.server")).await;
        let visitor = Visitor::new().await;
        let to = visitor.knock(&connector, "victim").await;
        let about = json!({"instance": "0123456789abcdef", "features": [], "token": "open sesame"});
        visitor.say_hello(&to, &json!({"client_id": "somebody", "communica": about})).await;
        let why = visitor.is_refused().await;
        assert!(why.contains("another"), "{why}");
        Calls::start(&victim, "times_ten", 0..5).are_answered().await;
        assert!(knocks.types().await.is_empty(), "the victim had to knock again");
    })
    .await;
}

/// To the queue of one link, while its server reads nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_reads_of_a_links_own_queue_stays_at_the_broker() {
    const MESSAGES: u32 = 100;
    within(60, async {
        let (connector, gate) = (fresh("own").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let server = RouteServer::new(connector.clone(), routes);
        let _server = server.limits(Limits::new().running(1).waiting(1, 1 << 20)).start().await.unwrap();
        let visitor = Visitor::new().await;
        let own = visitor.knock(&connector, "w1").await;
        // As Python's library does, whose hello has an id of the process.
        visitor.say_hello(&own, &json!({"client_id": "a process"})).await;
        assert_eq!(kind(&visitor.next().await), NEXT);
        assert_eq!(kind(&visitor.next().await), DONE);
        // Or the server would find out that nobody listens.
        let to_client = queue(&connector, "toClient.w1");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumed =
            visitor.raw.channel.basic_consume(to_client.into(), "".into(), options, FieldTable::default());
        let _listens = consumed.await.unwrap();
        let to_server = queue(&connector, "toServer.w1");
        let throw = async |route: &str, number: i64| {
            let metadata = json!({"id": "", "type": 2, "route": route});
            visitor.raw.publish(&to_server, typed("message"), &body(&metadata, &json!(number))).await;
        };
        throw("hold", 0).await;
        assert_eq!(notes.take(1).await, [0]);
        throw("note", 1).await;
        eventually("it waits", async || unsettled(&to_server).await == Some(2)).await;
        // What came before it was read then.
        throw("note", 2).await;
        for _ in 0..MESSAGES {
            visitor.raw.publish(&own, typed("pigeon"), &[b'x'; 1000]).await;
        }
        let waiting = ready(&own).await;
        assert!(waiting.is_some_and(|waiting| waiting + 16 >= MESSAGES), "{waiting:?} are at the broker");
        gate.open();
        assert_eq!(notes.take(2).await, [1, 2]);
        eventually("all are read and acknowledged", async || unsettled(&own).await == Some(0)).await;
        throw("note", 3).await;
        assert_eq!(notes.take(1).await, [3]);
    })
    .await;
}

/// Messages of a queue of the shared broker that wait for a consumer.
async fn ready(queue: &str) -> Option<u32> {
    let list =
        blocking(|| communica_tests::broker::shared().ctl(&["list_queues", "name", "messages_ready"])).await;
    let line = list.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'));
    line.map(|count| count.trim().parse().expect("it is a number"))
}
