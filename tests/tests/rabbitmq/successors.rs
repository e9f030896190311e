//! A process of a client ends and another comes: under an id of its own, as those of the Python library have it.

use communica::{Connector, Limits, Link, RmqConnector};
use serde_json::json;

use crate::over_rabbitmq::raw::{Raw, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, connect, desk, eventually, fresh, queue, serve, shared, unsettled, within,
};

/// A link of the client `w1` whose process has this id.
async fn process(connector: &RmqConnector, id: &str) -> Link {
    let hello = json!({"client_id": id}).to_string();
    let connector = connector.clone().client_id("w1");
    connector.connect(hello.as_bytes(), &Limits::new()).await.expect("it connects")
}

async fn throw(raw: &Raw, queue: &str, route: &str, number: i64) {
    let throw = json!({"id": "", "type": 2, "route": route});
    let properties = typed("message").with_message_id(format!("message {number}").into());
    raw.publish(queue, properties, &body(&throw, &json!(number))).await;
}

/// How the process before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server does not know of it yet.
    Unnoticed,
    /// The server saw that nobody reads what it says.
    Noticed,
    /// With a goodbye.
    Said,
}

async fn what_it_threw_is_handled_once(end: End) {
    within(60, async {
        let (connector, gate) = (fresh("successor").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let to_server = queue(&connector, "toServer.w1");
        let mut first = if end == End::Said { None } else { Some(process(&connector, "first").await) };
        let said = if end == End::Said { Some(connect(&connector, "w1").await) } else { None };
        throw(&raw, &to_server, "hold", 1).await;
        assert_eq!(notes.take(1).await, [1]);
        match end {
            End::Unnoticed => {}
            End::Noticed => {
                drop(first.take());
                raw.has_no_consumer(&to_server).await;
            }
            End::Said => said.expect("it is there").close().await,
        }
        let second = process(&connector, "second").await;
        // It stands behind what would come again.
        throw(&raw, &to_server, "note", 2).await;
        assert_eq!(notes.take(1).await, [2]);
        assert_eq!(unsettled(&to_server).await, Some(1), "it is still being handled");
        gate.open();
        eventually("all are acknowledged", async || unsettled(&to_server).await == Some(0)).await;
        drop((first, second));
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
        assert!(notes.is_empty(), "it was handled twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_threw_is_handled_once_when_another_takes_over() {
    what_it_threw_is_handled_once(End::Unnoticed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_threw_that_was_gone_for_a_while_is_handled_once() {
    what_it_threw_is_handled_once(End::Noticed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_threw_that_said_goodbye_is_handled_once() {
    what_it_threw_is_handled_once(End::Said).await;
}
