//! Large messages, those that the broker takes and one that it does not: what they cost others.

use std::time::Instant;

use communica::{RmqConnector, RouteTable};
use communica_tests::broker::Broker;

use crate::over_rabbitmq::support::{
    Calls, Gate, Notes, blocking, client, connect, desk, fresh, quick, serve, within,
};

const MIB: usize = 1 << 20;

/// Numbers with a text of any length.
fn weighed() -> (RouteTable, Notes) {
    let (noted, notes) = Notes::new();
    let routes = RouteTable::new()
        .route("weigh", move |(number, _): (i64, String)| noted.send(number).unwrap_or_default())
        .route("size", |text: String| i64::try_from(text.len()).unwrap_or_default());
    (routes, notes)
}

/// In the midst of others, on a connection that others use, too. Only that one is given up, and only its link breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_the_broker_does_not_take_costs_no_other() {
    const SMALL: i64 = 300;
    within(120, async {
        let limit = MIB.to_string();
        let broker = blocking(move || Broker::builder().setting("max_message_size", &limit).start()).await;
        let at_server = quick(format!("{}?heartbeat=18", broker.url()), "large");
        let (routes, mut notes) = weighed();
        let _server = serve(&at_server, routes).await;
        let _other_server =
            serve(&quick(format!("{}?heartbeat=18", broker.url()), "other"), desk(&Gate::shut()).0).await;
        let client = connect(&quick(broker.url(), "large"), "w1").await;
        let other = connect(&quick(broker.url(), "other"), "w2").await;
        let connections = async || {
            let mut pids: Vec<String> =
                broker.ctl(&["list_connections", "pid"]).lines().map(str::to_owned).collect();
            pids.sort();
            pids
        };
        let before = connections().await;
        let mut throwing = tokio::task::JoinSet::new();
        let sizes = (0..SMALL).map(|number| (number, 60_000));
        let sizes = sizes.chain([(-1, 2 * MIB)]).chain((SMALL..2 * SMALL).map(|number| (number, 60_000)));
        for (number, size) in sizes {
            let client = client.clone();
            throwing.spawn(async move { client.throw("weigh", &(number, "x".repeat(size))).await });
        }
        while let Some(thrown) = throwing.join_next().await {
            thrown.unwrap().expect("it is accepted");
        }
        let mut came = notes.take(2 * SMALL as usize).await;
        came.sort_unstable();
        assert_eq!(came, (0..2 * SMALL).collect::<Vec<_>>());
        Calls::start(&other, "times_ten", 0..5).are_answered().await;
        assert!(notes.is_empty(), "something came twice, or what the broker does not take");
        assert_eq!(connections().await, before, "a connection was closed");
    })
    .await;
}

/// Each waits for the broker's confirm of the one before; small ones stand between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_come_one_after_the_other_and_in_order() {
    const MESSAGES: i64 = 64;
    within(120, async {
        let connector: RmqConnector = fresh("large").await;
        let (routes, mut notes) = weighed();
        let server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let since = Instant::now();
        let (text, small) = ("x".repeat(MIB), "x".to_owned());
        for number in 0..MESSAGES {
            client.throw("weigh", &(number, if number % 8 == 7 { &small } else { &text })).await.unwrap();
        }
        assert_eq!(notes.take(MESSAGES as usize).await, (0..MESSAGES).collect::<Vec<_>>());
        eprintln!("{MESSAGES} throws, most of them with a MiB: {:?}", since.elapsed());
        let since = Instant::now();
        for _ in 0..16 {
            let size: i64 = client.request("size", &text).await.unwrap();
            assert_eq!(usize::try_from(size), Ok(MIB));
        }
        eprintln!("16 requests with a MiB, one after the other: {:?}", since.elapsed());
        let since = Instant::now();
        let calling: Vec<_> = (0..16)
            .map(|_| {
                let (client, text) = (client.clone(), text.clone());
                tokio::spawn(async move { client.request::<_, i64>("size", &text).await })
            })
            .collect();
        for call in calling {
            assert_eq!(usize::try_from(call.await.unwrap().unwrap()), Ok(MIB));
        }
        eprintln!("16 requests with a MiB at once: {:?}", since.elapsed());
        client.close().await;
        server.stop().await;
    })
    .await;
}

/// The goodbye stands behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_before_a_goodbye_come_both_ways() {
    const MESSAGES: i64 = 6;
    within(60, async {
        let connector = fresh("goodbye").await;
        let ((routes, mut at_server), (other_routes, mut at_client)) = (weighed(), weighed());
        let server = serve(&connector, routes).await;
        let client = client(&connector, "w1").routes(other_routes).connect().await.unwrap();
        let (peer, text) = (server.peer("w1").await, "x".repeat(2 * MIB));
        for number in 0..MESSAGES {
            peer.throw("weigh", &(number, &text)).await.unwrap();
            client.throw("weigh", &(number, &text)).await.unwrap();
        }
        assert_eq!(at_client.take(MESSAGES as usize).await, (0..MESSAGES).collect::<Vec<_>>());
        for number in MESSAGES..2 * MESSAGES {
            client.throw("weigh", &(number, &text)).await.unwrap();
        }
        client.close().await;
        assert_eq!(at_server.take(2 * MESSAGES as usize).await, (0..2 * MESSAGES).collect::<Vec<_>>());
        server.stop().await;
        assert!(at_server.is_empty() && at_client.is_empty(), "something came twice");
    })
    .await;
}
