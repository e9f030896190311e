//! Links of the connector without anybody behind them: what they bring, and in which order, when one follows another.

use std::future::poll_fn;

use communica::{Connector, Incoming, Limits, Link, LinkError, Listener, Message, Received, RmqConnector};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::over_rabbitmq::raw::{Raw, body, typed};
use crate::over_rabbitmq::support::{eventually, fresh, queue, shared, unsettled, within};

/// A client that has knocked and said hello, and everything is ready for its link but that link.
async fn comes(
    connector: &RmqConnector,
    listener: &mut Box<dyn Listener>,
) -> (JoinHandle<Result<Link, LinkError>>, Box<dyn Incoming>) {
    let connector = connector.clone().client_id("w1");
    let connecting =
        tokio::spawn(async move { connector.connect(br#"{"client_id": "w1"}"#, &Limits::new()).await });
    let mut incoming = listener.accept().await.expect("it knocks");
    incoming.hello().await.expect("it says hello");
    incoming.prepare(HELLO).await.expect("it is still there");
    (connecting, incoming)
}

const HELLO: &[u8] = br#"{"hello": "hello"}"#;

/// The next so many messages.
async fn brought(link: &mut Link, count: usize) -> Vec<(i64, Message)> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let received = poll_fn(|cx| link.rx.poll_recv(cx, &mut messages)).await;
        assert_eq!(received.expect("the link works"), Received::Messages);
    }
    let numbered = |message: Message| (serde_json::from_slice(&message.payload).expect("a number"), message);
    messages.into_iter().map(numbered).collect()
}

fn numbers(brought: &[(i64, Message)]) -> Vec<i64> {
    brought.iter().map(|(number, _)| *number).collect()
}

/// A queue, and somebody who publishes to it.
struct Publisher {
    raw: Raw,
    queue: String,
}

impl Publisher {
    /// Throws, with ids or without. When this is done, none waits at the broker: all were delivered to the link that reads.
    async fn throw(&mut self, numbers: std::ops::Range<i64>, with_ids: bool) {
        let throw = json!({"id": "", "type": 2, "route": "note"});
        for number in numbers {
            let properties = match with_ids {
                true => typed("message").with_message_id(format!("message {number}").into()),
                false => typed("message"),
            };
            self.raw.publish(&self.queue, properties, &body(&throw, &json!(number))).await;
        }
        let Self { raw, queue } = self;
        eventually("all are delivered", async || raw.waiting(queue).await == Some(0)).await;
    }
}

/// A client comes back while its server has its earlier link; that one was brought a lot, and took some of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_link_did_not_take_comes_first_and_what_it_has_does_not_come_again() {
    within(60, async {
        let connector = fresh("hand").await;
        let mut listener = connector.listen(&Limits::new()).await.unwrap();
        let (connecting, incoming) = comes(&connector, &mut listener).await;
        let mut first = incoming.accept(HELLO).await.unwrap();
        let client = connecting.await.unwrap().unwrap();
        let raw = Raw::connect(&shared().await.url()).await;
        let mut publisher = Publisher { raw, queue: queue(&connector, "toServer.w1") };
        publisher.throw(0..5, false).await;
        publisher.throw(5..10, true).await;
        let taken = brought(&mut first, 10).await;
        assert_eq!(numbers(&taken), (0..10).collect::<Vec<_>>());
        publisher.throw(10..15, false).await;
        publisher.throw(15..20, true).await;

        drop(client);
        let (connecting, incoming) = comes(&connector, &mut listener).await;
        publisher.throw(20..25, false).await;
        publisher.throw(25..30, true).await;
        drop(first);
        let mut second = incoming.accept(HELLO).await.unwrap();
        let _client = connecting.await.unwrap().unwrap();
        publisher.throw(30..35, false).await;
        // Of what was taken, those with ids come again, and would be recognised.
        let rest = brought(&mut second, 30).await;
        assert_eq!(numbers(&rest), (5..35).collect::<Vec<_>>());
        assert_eq!(unsettled(&publisher.queue).await, Some(35));
        // Nobody is done with what the first one took.
        drop(taken);
        let again = brought(&mut second, 5).await;
        assert_eq!(numbers(&again), (0..5).collect::<Vec<_>>());
    })
    .await;
}

/// It may ask the broker at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_of_its_link_when_its_queue_is_read() {
    within(60, async {
        let connector = fresh("hand").await;
        let mut listener = connector.listen(&Limits::new()).await.unwrap();
        for _ in 0..10 {
            let (connecting, incoming) = comes(&connector, &mut listener).await;
            let accepting = tokio::spawn(incoming.accept(HELLO));
            let _client = connecting.await.unwrap().unwrap();
            let raw = Raw::connect(&shared().await.url()).await;
            let readers = raw.consumers(&queue(&connector, "toServer.w1")).await;
            assert_eq!(readers, 1, "the client was told of its link, and so many read what it sends");
            drop(accepting.await.unwrap().unwrap());
        }
    })
    .await;
}

/// One whose request was too large is told so, whatever becomes of the link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_goes_out_before_what_it_refuses_is_forgotten() {
    within(60, async {
        let connector = fresh("hand").await;
        let mut listener = connector.listen(&Limits::new().message_size(100)).await.unwrap();
        let (connecting, incoming) = comes(&connector, &mut listener).await;
        let mut link = incoming.accept(HELLO).await.unwrap();
        let client = connecting.await.unwrap().unwrap();
        let raw = Raw::connect(&shared().await.url()).await;
        let mut publisher = Publisher { raw, queue: queue(&connector, "toServer.w1") };
        let request = body(&json!({"id": "a", "type": 1, "route": "r"}), &json!("more than that".repeat(10)));
        publisher.raw.publish(&publisher.queue, typed("message").with_message_id("a".into()), &request).await;
        publisher.throw(0..1, true).await;
        // What stands before it was taken as well.
        let _throw = brought(&mut link, 1).await;
        drop(link);
        drop(client);
        eventually("it is forgotten", async || unsettled(&publisher.queue).await == Some(1)).await;
        let to_client = queue(&connector, "toClient.w1");
        eventually("it was answered", async || unsettled(&to_client).await == Some(1)).await;
    })
    .await;
}
