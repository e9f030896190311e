//! Links that look for what comes, again and again, and wake nobody meanwhile.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use communica::{
    Limits, LocalConnector, RouteClient, RouteServer, RouteServerHandle, RouteTable, TcpConnector,
};
use communica_tests::scratch::unique;
use tokio::runtime::{Builder, Runtime};

use crate::support::{eventually, within};

/// Far longer than anything here takes: a link that is sure to look. And nobody's sign of life helps.
fn limits() -> Limits {
    Limits::new().busy_poll_time(Duration::from_millis(100)).silence_time(Duration::from_secs(24 * 60 * 60))
}

/// Answers after a moment, so that to sleep until then does not look cheap.
fn routes() -> RouteTable {
    RouteTable::new()
        .route("slow", async |number: i64| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            number
        })
        .route("size", |payload: Vec<u8>| payload.len())
}

/// So many calls, one after the other, that the link looks and is sure to.
async fn look(client: &RouteClient) {
    for number in 0..60 {
        assert_eq!(client.request::<_, i64>("slow", &number).await.unwrap(), number);
    }
}

async fn all_goes_on(server: RouteServerHandle, client: RouteClient) {
    for _ in 0..2 {
        look(&client).await;
        // Longer than it looks.
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(client.request::<_, i64>("slow", &1).await.unwrap(), 1);
    }
    look(&client).await;
    // More than the system holds.
    let large = vec![1_u8; 2_000_000];
    for _ in 0..3 {
        assert_eq!(client.request::<_, usize>("size", &large).await.unwrap(), large.len());
    }
    look(&client).await;
    server.stop().await;
    eventually("the end of the server is seen", || !client.is_connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_goes_on_over_links_that_look() {
    within(60, async {
        let local = LocalConnector::new(unique("looking"));
        let server = RouteServer::new(local.clone(), routes()).limits(limits()).start().await.unwrap();
        let client = RouteClient::builder(local).limits(limits()).connect().await.unwrap();
        all_goes_on(server, client).await;
        let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes()).limits(limits());
        let server = server.start().await.unwrap();
        let tcp = TcpConnector::load_state(&server.dump_state()).unwrap();
        let client = RouteClient::builder(tcp).limits(limits()).connect().await.unwrap();
        all_goes_on(server, client).await;
    })
    .await;
}

fn threads(number: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(number).enable_all().build().unwrap()
}

/// A caller that looked by its link, and then keeps its thread until somebody else has an answer over the same link.
#[test]
fn a_caller_that_keeps_the_thread_of_a_link_that_looks_holds_up_nobody() {
    let (servers, clients) = (threads(1), threads(2));
    let road = LocalConnector::new(unique("kept"));
    let _server =
        servers.block_on(RouteServer::new(road.clone(), routes()).limits(limits()).start()).unwrap();
    let client = clients.block_on(RouteClient::builder(road).limits(limits()).connect()).unwrap();
    for _ in 0..5 {
        let (begin, begun) = mpsc::channel();
        let (answer, answered) = mpsc::channel();
        let (done, all_done) = mpsc::channel();
        let caller = client.clone();
        clients.spawn(async move {
            look(&caller).await;
            begin.send(()).unwrap();
            // As nobody should, and somebody will.
            let answer = answered.recv_timeout(Duration::from_secs(20));
            done.send(answer).unwrap();
        });
        // From elsewhere, so that another thread has it.
        let (caller, runtime) = (client.clone(), clients.handle().clone());
        thread::spawn(move || {
            begun.recv().unwrap();
            runtime.spawn(async move { answer.send(caller.request::<_, i64>("slow", &7).await.unwrap()) });
        });
        let answer = all_done.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(answer.expect("another thread goes on with the link"), 7);
    }
}
