//! What was under way when a link was cut goes on over the next one, whatever else happens meanwhile.

use std::time::Duration;

use communica::{FaultConnector, Faults, Limits, RouteClient, RouteTable};
use tokio::time::Instant;

use crate::support::{echo, memory_server, noting, quick, take, within};

/// A part of many messages counts as what is left of it, not as the whole.
#[tokio::test]
async fn a_full_window_opens_as_soon_as_the_peer_has_what_filled_it() {
    within(40, async {
        let (routes, mut noted) = noting(echo(), "note");
        let (_server, road) = memory_server(routes).await;
        let limits = Limits::new().unacknowledged(20, 1 << 20);
        // They arrive one by one, so that the peer says several times what came.
        let road = FaultConnector::new(road, Faults::seeded(1).short_writes(1..=1));
        let client = RouteClient::builder(road).limits(limits).connect().await.unwrap();
        // No other task has its turn between these, so they are handed over together.
        for number in 0..23 {
            client.throw("note", &number).await.unwrap();
        }
        assert_eq!(take(&mut noted, 23).await, (0..23).collect::<Vec<i64>>());
        let since = Instant::now();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        assert!(since.elapsed() < Duration::from_secs(2), "it took {:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_delivers_what_was_accepted_over_links_that_are_cut() {
    within(60, async {
        for seed in 0..100 {
            let (routes, mut noted) = noting(RouteTable::new(), "note");
            let (_server, inner) = memory_server(routes).await;
            let road =
                FaultConnector::new(inner, Faults::seeded(seed).cut_after(1..=3000).fail_connects(0.1));
            let client = quick(RouteClient::builder(road)).connect().await.unwrap();
            for number in 0..50 {
                client.throw("note", &number).await.unwrap();
            }
            client.close().await;
            assert_eq!(take(&mut noted, 50).await, (0..50).collect::<Vec<i64>>(), "seed {seed}");
        }
    })
    .await;
}

/// The same id again, while the client that had it says goodbye over links that are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_dropped_does_not_push_out_the_next_one() {
    within(60, async {
        let (_server, inner) = memory_server(echo()).await;
        for seed in 0..200 {
            let road = FaultConnector::new(inner.clone(), Faults::seeded(seed).cut_after(1..=2000));
            let older = quick(RouteClient::builder(road.clone())).client_id("w1").connect().await.unwrap();
            for number in 0..20 {
                older.throw("echo", &number).await.unwrap();
            }
            drop(older);
            let newer = quick(RouteClient::builder(inner.clone())).client_id("w1").connect().await.unwrap();
            for number in 0..20 {
                let ended = newer.request::<_, i64>("echo", &number).await;
                assert!(matches!(ended, Ok(answer) if answer == number), "seed {seed}: {ended:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            newer.close().await;
        }
    })
    .await;
}
