//! Two connections come with one client id: the newer one counts, the older one is told.

use std::time::{Duration, Instant};

use communica::{Error, Reason, RouteClient};

use super::roads::{Road, over_every_road};
use crate::support::{echo, hanging, take, within};

over_every_road! {
    a_newer_client_takes_over_and_the_older_one_is_told,
    calls_under_way_end_when_a_newer_client_takes_over,
    of_many_clients_with_one_id_one_remains_and_works,
}

async fn a_newer_client_takes_over_and_the_older_one_is_told(road: Road) {
    let server = road.serve(echo()).await;
    let builder = || RouteClient::builder(road.to(&server)).routes(echo()).client_id("w1");
    let older = builder().connect().await.unwrap();
    let newer = builder().connect().await.unwrap();
    within(10, older.closed()).await;
    let ended = older.request::<_, i64>("echo", &1).await;
    assert!(matches!(ended, Err(Error::NotSent(Reason::Replaced))), "{ended:?}");
    assert_eq!(newer.request::<_, i64>("echo", &2).await.unwrap(), 2);
    assert_eq!(server.peer("w1").await.request::<_, i64>("echo", &3).await.unwrap(), 3);
    assert_eq!(server.peers().len(), 1);
}

async fn calls_under_way_end_when_a_newer_client_takes_over(road: Road) {
    let (routes, mut entries) = hanging(echo(), "hang");
    let server = road.serve(routes).await;
    let builder = || RouteClient::builder(road.to(&server)).client_id("w1");
    let older = builder().connect().await.unwrap();
    let call = tokio::spawn({
        let older = older.clone();
        async move { older.request::<_, ()>("hang", &1).await }
    });
    take(&mut entries, 1).await;
    let _newer = builder().connect().await.unwrap();
    let ended = within(10, call).await.unwrap();
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Replaced))), "{ended:?}");
}

async fn of_many_clients_with_one_id_one_remains_and_works(road: Road) {
    const CLIENTS: usize = 4;
    // Handshakes over a broker take long: it gets fewer rounds.
    const ENOUGH: Duration = Duration::from_secs(15);
    let server = road.serve(echo()).await;
    let since = Instant::now();
    for round in (0..50).take_while(|round| *round < 5 || since.elapsed() < ENOUGH) {
        let id = format!("w{round}");
        let connecting: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let builder = RouteClient::builder(road.to(&server)).client_id(id.clone());
                tokio::spawn(async move {
                    // Those that lose may be pushed out before they know that they were connected.
                    let client = builder.connect().await.ok()?;
                    let answered = tokio::time::timeout(Duration::from_secs(5), async {
                        client.request::<_, i64>("echo", &1).await
                    });
                    match answered.await.expect("a client got neither an answer nor an end") {
                        Ok(_) => Some(client),
                        Err(_) => None,
                    }
                })
            })
            .collect();
        let mut working = Vec::new();
        for client in connecting {
            working.extend(client.await.unwrap());
        }
        let mut left = 0;
        for client in &working {
            // Those that answered first and were pushed out then.
            let call = within(10, client.request::<_, i64>("echo", &2)).await;
            left += usize::from(call.is_ok());
        }
        assert_eq!(left, 1, "round {round}: of {CLIENTS} clients with one id so many go on");
    }
}
