//! A process ends in the middle of its work (SIGKILL); another comes, and everything that was accepted is handled.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::raw::Raw;
use crate::over_rabbitmq::support::{
    Calls, Gate, connect, desk, eventually, fresh, queue, serve, shared, unsettled, within,
};

/// Without the client's doing anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_a_killed_server_did_not_answer_are_answered_by_the_next() {
    within(60, async {
        let connector = fresh("next").await;
        let mut first = Builder::server(&connector, "first").start().await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..5).are_answered().await;
        let held = Calls::start(&client, "hold", 0..20);
        let mut taken = first.take("note", 20).await;
        taken.sort_unstable();
        assert_eq!(taken, (0..20).collect::<Vec<_>>());
        first.kill().await;
        // Made while there is no server.
        let later = Calls::start(&client, "hold", 20..40);
        let mut second = Builder::server(&connector, "second").start().await;
        let since = Instant::now();
        second.command("open").await;
        held.are_answered().await;
        later.are_answered().await;
        eprintln!("a server that was started again had answered 40 requests after {:?}", since.elapsed());
        let mut handled = second.take("note", 40).await;
        handled.sort_unstable();
        assert_eq!(handled, (0..40).collect::<Vec<_>>());
        assert!(second.rest(Duration::from_millis(500)).await.is_empty(), "something was handled twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throws_that_a_killed_server_was_handling_are_handled_by_the_next() {
    within(60, async {
        let connector = fresh("thrown").await;
        let mut first = Builder::server(&connector, "first").start().await;
        let client = connect(&connector, "w1").await;
        for number in 0..20 {
            client.throw("hold", &number).await.unwrap();
        }
        assert_eq!(first.take("note", 20).await, (0..20).collect::<Vec<_>>());
        first.kill().await;
        let mut second = Builder::server(&connector, "second").start().await;
        second.command("open").await;
        assert_eq!(second.take("note", 20).await, (0..20).collect::<Vec<_>>());
        let mut raw = Raw::connect(&shared().await.url()).await;
        eventually("nothing is left", async || {
            raw.waiting(&queue(&connector, "toServer.w1")).await == Some(0)
        })
        .await;
    })
    .await;
}

/// Answers to the old process are not taken by the new one; what waited for that client is handled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_started_again_under_its_id_gets_what_is_its_own() {
    within(60, async {
        let (connector, gate) = (fresh("again").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let server = serve(&connector, routes).await;
        let mut old = Builder::client(&connector, "w1").start().await;
        for number in 0..5 {
            old.command(&format!("request - hold {number}")).await;
        }
        let mut taken = notes.take(5).await;
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        let peer = server.peer("w1").await;
        let unanswered = Calls::start(peer.clone(), "hold", 100..105);
        old.take("note", 5).await;
        old.kill().await;
        for number in 200..220 {
            peer.throw("note", &number).await.unwrap();
        }
        let waiting = Calls::start(peer, "hold", 105..110);
        // Answers to nobody.
        gate.open();

        let mut new = Builder::client(&connector, "w1").start().await;
        new.command("open").await;
        for number in 0..5 {
            new.command(&format!("request - times_ten {number}")).await;
        }
        unanswered.are_answered().await;
        waiting.are_answered().await;
        let mut said = Vec::new();
        while said.len() < 35 {
            said.push(new.next().await);
        }
        said.extend(new.rest(Duration::from_millis(500)).await);
        let of = |kind: &str| {
            let mut numbers: Vec<i64> = said.iter().filter_map(|line| line.get(kind)?.as_i64()).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(of("note"), (100..110).chain(200..220).collect::<Vec<_>>());
        assert_eq!(of("answer"), [0, 1, 2, 3, 4]);
        for line in said.iter().filter(|line| line.get("answer").is_some()) {
            assert_eq!(line["value"], line["answer"].as_i64().unwrap() * 10, "{line}");
        }
        assert!(notes.is_empty(), "a request of the old process was handled again");
    })
    .await;
}

/// What had come to it is lost with it, and the caller's time limit ends the call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_on_arrival_is_lost_with_its_server() {
    within(60, async {
        let connector = fresh("arrival").await;
        let mut first = Builder::server(&connector, "first").with("ack_on_arrival", true).start().await;
        let client = connect(&connector, "w1").await;
        for number in 0..3 {
            client.throw("hold", &number).await.unwrap();
        }
        first.take("note", 3).await;
        let queue = queue(&connector, "toServer.w1");
        eventually("all are acknowledged", async || unsettled(&queue).await == Some(0)).await;
        first.kill().await;
        client.throw("note", &3).await.unwrap();
        let mut second = Builder::server(&connector, "second").with("ack_on_arrival", true).start().await;
        assert_eq!(second.take("note", 1).await, [3]);
        assert!(second.rest(Duration::from_millis(500)).await.is_empty(), "it was not acknowledged");
    })
    .await;
}

/// It says goodbye right behind its throws: they are handled, and do not come again with its next connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_threw_before_its_goodbye_is_handled_and_acknowledged() {
    within(60, async {
        let (connector, gate) = (fresh("goodbye").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        for number in 0..100 {
            client.throw("hold", &number).await.unwrap();
        }
        drop(client);
        assert_eq!(notes.take(100).await, (0..100).collect::<Vec<_>>());
        gate.open();
        let queue = queue(&connector, "toServer.w1");
        eventually("all are acknowledged", async || unsettled(&queue).await == Some(0)).await;
    })
    .await;
}

/// Its handler takes longer than it takes the server to see that nobody reads what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_threw_before_its_goodbye_is_handled_once_however_long_that_takes() {
    within(60, async {
        let (connector, gate) = (fresh("long-goodbye").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let first = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        for number in 0..3 {
            client.throw("hold", &number).await.unwrap();
        }
        assert_eq!(notes.take(3).await, [0, 1, 2]);
        client.close().await;
        let raw = Raw::connect(&shared().await.url()).await;
        let (to_server, to_client) = (queue(&connector, "toServer.w1"), queue(&connector, "toClient.w1"));
        raw.has_no_consumer(&to_client).await;
        // Four looks.
        sleep(Duration::from_secs(2)).await;
        gate.open();
        eventually("all are acknowledged", async || unsettled(&to_server).await == Some(0)).await;
        first.stop().await;
        let (routes, mut at_second) = desk(&gate);
        let _second = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
        assert!(at_second.is_empty() && notes.is_empty(), "something was handled twice");
    })
    .await;
}
