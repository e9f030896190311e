//! Two that read one client's queue at the same time: what the other took is not lost, and nobody goes on like that.

use std::time::Duration;

use lapin::options::{BasicCancelOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::over_rabbitmq::raw::Raw;
use crate::over_rabbitmq::support::{
    Calls, Gate, blocking, connect, desk, eventually, fresh, queue, serve, shared, within,
};

/// Another server that hung when the client's next one began to read. It goes on, takes some of what comes, and only then
/// hears that the client is not its own any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_reader_took_before_it_left_is_asked_again() {
    within(90, async {
        let (connector, gate) = (fresh("beside").await, Gate::shut());
        let _server = serve(&connector, desk(&gate).0).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let to_server = queue(&connector, "toServer.w1");
        raw.declare(&to_server, true).await;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let (name, table) = (to_server.as_str().into(), FieldTable::default());
        let other = raw.channel.basic_consume(name, "".into(), options, table).await.unwrap();
        let (takes, mut taken) = mpsc::unbounded_channel();
        other.set_delegate(move |_| {
            takes.send(()).unwrap_or_default();
            async {}
        });
        let client = connect(&connector, "w1").await;
        // One after the other, so that the broker has something for both.
        let (mut calls, mut lost) = (Vec::new(), 0);
        for number in 0.. {
            calls.push(Calls::start(&client, "times_ten", number..number + 1));
            lost += usize::from(timeout(Duration::from_millis(200), taken.recv()).await.is_ok());
            if lost == 3 {
                break;
            }
        }
        raw.channel.basic_cancel(other.tag(), BasicCancelOptions::default()).await.unwrap();
        for calls in calls {
            calls.are_answered().await;
        }
    })
    .await;
}

/// It did not hear of clients that went to others meanwhile. They come back, if they are still its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_hear_of_others_for_a_while_lets_its_clients_go() {
    within(60, async {
        let (connector, gate) = (fresh("deaf").await, Gate::shut());
        let _server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        let to_server = queue(&connector, "toServer.w1");
        let before = readers(&to_server).await;
        assert_eq!(before.len(), 1);
        let raw = Raw::connect(&shared().await.url()).await;
        raw.delete(&queue(&connector, "connect.server")).await;
        eventually("another link reads", async || {
            let readers = readers(&to_server).await;
            readers.len() == 1 && readers != before
        })
        .await;
        Calls::start(&client, "times_ten", 0..5).are_answered().await;
    })
    .await;
}

/// What a client left behind is worked off on a link that says nothing any more, but reads: it leaves the queue, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_hear_of_others_leaves_the_queues_of_clients_that_said_goodbye() {
    within(60, async {
        // Neither side is to think that the other is gone because a thread got no processor for a moment.
        let unhurried = Duration::from_secs(20);
        let connector = fresh("gone").await.listening_period(unhurried).check_period(unhurried);
        let gate = Gate::shut();
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        client.throw("hold", &1).await.unwrap();
        notes.take(1).await;
        client.close().await;
        let to_server = queue(&connector, "toServer.w1");
        assert_eq!(readers(&to_server).await.len(), 1, "the throw is still handled");
        let raw = Raw::connect(&shared().await.url()).await;
        raw.delete(&queue(&connector, "connect.server")).await;
        eventually("nobody reads", async || readers(&to_server).await.is_empty()).await;
        gate.open();
    })
    .await;
}

/// What the broker knows of those who read this queue.
async fn readers(queue: &str) -> Vec<String> {
    let list = ["list_consumers", "queue_name", "consumer_tag", "channel_pid"];
    let list = blocking(move || communica_tests::broker::shared().ctl(&list)).await;
    list.lines().filter(|line| line.starts_with(&format!("{queue}\t"))).map(str::to_owned).collect()
}
