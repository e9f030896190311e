//! Messages that nobody of ours would send, and far too many of them; those who use the queues notice nothing.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::raw::{Raw, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, connect, desk, eventually, fresh, queue, serve, shared, unsettled, within,
};

/// In every queue there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_of_ours_is_logged_and_dropped() {
    within(60, async {
        let connector = fresh("strange").await;
        // So that silence ends no link, however busy the machine is.
        let mut server = Builder::server(&connector, "server").with("listening", 20_000).start().await;
        let mut client = Builder::client(&connector, "w1").with("listening", 20_000).start().await;
        let mut raw = Raw::connect(&shared().await.url()).await;
        let queues = ["toServer.w1", "toClient.w1", "connect.server"].map(|name| queue(&connector, name));
        let throw = json!({"id": "", "type": 2, "route": "note"});
        for queue in &queues {
            for (kind, text) in [
                ("pigeon", body(&throw, &json!(1))),
                ("message", b"no separator".to_vec()),
                ("message", b"no json\x001".to_vec()),
                ("message", b"[1]\x001".to_vec()),
                ("message", b"{}\x001".to_vec()),
                ("message", Vec::new()),
                ("close", b"of another link".to_vec()),
                ("communica_client_connect", b"\xff\xfe".to_vec()),
                ("communica_client_connect", vec![b'"'; 100_000]),
                ("communica_handshake_done", b"x".to_vec()),
                ("communica_mine", b"x".to_vec()),
            ] {
                raw.publish(queue, typed(kind), &text).await;
            }
            // Of no type at all.
            raw.publish(queue, Default::default(), b"x").await;
        }
        for number in 0..3 {
            client.command(&format!("request - times_ten {number}")).await;
            server.command(&format!("request w1 times_ten {number}")).await;
        }
        let mut answers = client.take("answer", 3).await;
        answers.extend(server.take("answer", 3).await);
        answers.sort_unstable();
        assert_eq!(answers, [0, 0, 1, 1, 2, 2]);
        for queue in &queues {
            eventually("nothing is left", async || raw.waiting(queue).await == Some(0)).await;
        }
        for (side, queue) in [(&server, &queues[0]), (&client, &queues[1])] {
            let log = side.log();
            for what in ["its type is unknown", "no zero byte ends its metadata"] {
                assert!(log.contains(what), "{what:?} is not in:\n{log}");
            }
            assert!(log.contains(queue.as_str()), "the queue is not in:\n{log}");
        }
        for what in ["does not say where to answer", "with an id of 100000 bytes"] {
            eventually("it is told of what came to the door", async || server.log().contains(what)).await;
        }
        // They are still who they were.
        assert!(!client.log().contains("lost the connection"), "{}", client.log());
        let _newcomer = connect(&connector, "w2").await;
    })
    .await;
}

/// While the first is being handled, and after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_message_is_acknowledged_and_not_handled() {
    within(60, async {
        let (connector, gate) = (fresh("copies").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let _client = connect(&connector, "w1").await;
        let (raw, queue) = (Raw::connect(&shared().await.url()).await, queue(&connector, "toServer.w1"));
        let publish = async || {
            let throw = json!({"id": "", "type": 2, "route": "hold"});
            let properties = typed("message").with_message_id("the-same".into());
            raw.publish(&queue, properties, &body(&throw, &json!(1))).await;
        };
        publish().await;
        assert_eq!(notes.take(1).await, [1]);
        publish().await;
        eventually("it was delivered", async || unsettled(&queue).await == Some(2)).await;
        gate.open();
        eventually("both are acknowledged", async || unsettled(&queue).await == Some(0)).await;
        publish().await;
        eventually("a late one, too", async || unsettled(&queue).await == Some(0)).await;
        assert!(notes.is_empty(), "a copy was handled");
    })
    .await;
}

/// From somebody who publishes without ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_that_wait_are_all_handled_in_order() {
    const MESSAGES: i64 = 10_000;
    within(90, async {
        let (connector, gate) = (fresh("crowd").await, Gate::shut());
        drop(serve(&connector, desk(&gate).0).await);
        let raw = Raw::connect(&shared().await.url()).await;
        let queue = queue(&connector, "toServer.w1");
        raw.declare(&queue, true).await;
        let throw = json!({"id": "", "type": 2, "route": "note"});
        for number in 0..MESSAGES {
            raw.publish_unconfirmed(&queue, typed("message"), &body(&throw, &json!(number))).await;
        }
        raw.channel.wait_for_confirms().await.unwrap();
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let since = Instant::now();
        let client = connect(&connector, "w1").await;
        let connected = since.elapsed();
        let call = Calls::start(&client, "times_ten", 0..1);
        assert_eq!(notes.take(MESSAGES as usize).await, (0..MESSAGES).collect::<Vec<_>>());
        call.are_answered().await;
        eprintln!("10,000 throws that waited: in after {connected:?}, done after {:?}", since.elapsed());
        assert!(connected < Duration::from_secs(20), "the client was in after {connected:?}");
    })
    .await;
}

/// Of clients that are gone, as the Python library leaves them: they never expire. Each costs the server one message, and
/// nobody is kept out by them for longer than he waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_stale_knocks_do_not_keep_a_client_out() {
    const KNOCKS: usize = 10_000;
    within(120, async {
        let (connector, gate) = (fresh("knocks").await, Gate::shut());
        let raw = Raw::connect(&shared().await.url()).await;
        let queue = queue(&connector, "connect.server");
        raw.declare(&queue, true).await;
        for number in 0..KNOCKS {
            let knock = typed("communica_client_connect").with_reply_to(format!("gone.{number}").into());
            raw.publish_unconfirmed(&queue, knock, format!("\"w{number}\"").as_bytes()).await;
        }
        raw.channel.wait_for_confirms().await.unwrap();
        let since = Instant::now();
        let _server = serve(&connector, desk(&gate).0).await;
        let client = crate::over_rabbitmq::support::client(&connector, "fresh")
            .connect_timeout(Duration::from_secs(100));
        let client = client.connect().await.unwrap();
        eprintln!("10,000 stale knocks: in after {:?}", since.elapsed());
        Calls::start(&client, "times_ten", 0..5).are_answered().await;
    })
    .await;
}
