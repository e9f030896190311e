//! How clients end: what the server learns of it, what their program learns, and what they leave behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use communica::{
    Error, Limits, MemoryConnector, Reason, RouteClient, RouteServer, RouteTable, SimpleClient, SimpleServer,
};
use tokio::time::sleep;

use crate::support::{echo, eventually, hanging, memory_server, noting, take, within};

#[tokio::test]
async fn close_says_goodbye_also_when_a_handler_does_not_end() {
    within(20, async {
        let (server, connector) = memory_server(echo()).await;
        let (routes, mut entered) = hanging(echo(), "hang");
        let client = RouteClient::builder(connector).client_id("w1").routes(routes);
        let client = client.grace(Duration::from_millis(200)).connect().await.unwrap();
        let peer = server.peer("w1").await;
        let call = tokio::spawn(async move { peer.request::<_, i64>("hang", &1).await });
        take(&mut entered, 1).await;
        client.close().await;
        // A link that was only cut would be waited for.
        let ended =
            tokio::time::timeout(Duration::from_secs(5), call).await.expect("the server knows").unwrap();
        assert!(matches!(&ended, Err(Error::MayHaveRun(_))), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn run_tells_why_a_client_was_turned_down() {
    within(20, async {
        let connector = MemoryConnector::unique();
        let server =
            RouteServer::new(connector.clone(), echo()).authorize(|_| Err("not on the list".to_owned()));
        let _server = server.start().await.unwrap();
        let client = RouteClient::builder(connector).start().unwrap();
        let ended = client.run().await;
        let Err(Error::Refused { reason, .. }) = &ended else { panic!("{ended:?}") };
        assert_eq!(reason, "not on the list");
    })
    .await;
}

#[tokio::test]
async fn run_of_a_client_whose_place_another_took_says_so() {
    within(20, async {
        let (_server, connector) = memory_server(echo()).await;
        let builder = || RouteClient::builder(connector.clone()).client_id("w1");
        let older = builder().connect().await.unwrap();
        let _newer = builder().connect().await.unwrap();
        let ended = older.run().await;
        let Err(Error::Refused { reason, .. }) = &ended else { panic!("{ended:?}") };
        assert_eq!(*reason, Reason::Replaced.to_string());

        let connector = MemoryConnector::unique();
        let _server = SimpleServer::new(connector.clone(), |text: String| text).start().await.unwrap();
        let builder = || SimpleClient::builder(connector.clone()).client_id("w1");
        let older = builder().connect().await.unwrap();
        let _newer = builder().connect().await.unwrap();
        let ended = older.run().await;
        assert!(matches!(&ended, Err(Error::Refused { .. })), "{ended:?}");
    })
    .await;
}

/// The one before it has the turn to start until it waits, which is when the link is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux says for how long a thread ran")]
async fn a_throw_that_came_is_handled_though_its_link_ends_while_it_waits_for_its_turn() {
    within(30, async {
        let (routes, mut notes) = noting(RouteTable::new(), "note");
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, told) = std::sync::mpsc::channel();
        let told = Mutex::new(told);
        let routes = routes.route("busy", move |first: bool| {
            begun.send(0).unwrap();
            if first {
                let begun = std::time::Instant::now();
                while begun.elapsed() < Duration::from_millis(20) {}
            } else {
                // Not known to have begun: it might be on its way to a lock.
                told.lock().unwrap().recv_timeout(Duration::from_secs(20)).expect("it is told to go on");
            }
            async move {
                if !first {
                    std::future::pending::<()>().await;
                }
            }
        });
        let (server, connector) = memory_server(routes).await;
        let client = RouteClient::connect(connector).await.unwrap();
        client.request::<_, ()>("busy", &true).await.unwrap();
        client.throw("busy", &false).await.unwrap();
        client.throw("note", &7).await.unwrap();
        take(&mut begins, 2).await;
        client.close().await;
        eventually("the client is gone", || server.peers().is_empty()).await;
        go_on.send(()).unwrap();
        assert_eq!(take(&mut notes, 1).await, [7]);
    })
    .await;
}

/// Whoever gave it more time than most would wants what it said to be read.
#[tokio::test(start_paused = true)]
async fn close_waits_for_a_server_that_reads_slowly() {
    within(1000, async {
        let handled = Arc::new(AtomicUsize::new(0));
        let count = handled.clone();
        let routes = RouteTable::new().route("slow", move |(): ()| {
            let count = count.clone();
            async move {
                sleep(Duration::from_secs(1)).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let connector = MemoryConnector::unique();
        let limits = Limits::new().running(1).waiting(1, usize::MAX);
        let server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
        let client = RouteClient::builder(connector).grace(Duration::from_secs(600)).connect().await.unwrap();
        for _ in 0..100 {
            client.throw("slow", &()).await.unwrap();
        }
        client.close().await;
        // What came is in the server's hands.
        let left = 100 - handled.load(Ordering::Relaxed);
        assert!(left <= 50, "{left} of 100 were not handled when the client had closed");
        server.stop().await;
    })
    .await;
}
