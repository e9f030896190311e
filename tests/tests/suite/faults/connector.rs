//! The connector with faults does what it says, no more and no less.

use std::time::Duration;

use communica::{
    Connector, Error, FaultConnector, Faults, MemoryConnector, RouteClient, RouteServer, RouteServerHandle,
    RouteTable, TcpConnector,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::{echo, eventually, memory_server, noting, quick, request_in, take, within};

/// A server on TCP, and the way to it with faults.
async fn over_tcp(routes: RouteTable, faults: Faults) -> (RouteServerHandle, FaultConnector) {
    let server = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes).start().await.unwrap();
    let road = TcpConnector::load_state(&server.dump_state()).unwrap();
    (server, FaultConnector::new(road, faults))
}

async fn client(road: &FaultConnector) -> RouteClient {
    quick(RouteClient::builder(road.clone())).connect().await.unwrap()
}

#[tokio::test]
async fn without_settings_nothing_goes_wrong() {
    within(20, async {
        let (_server, road) = over_tcp(echo(), Faults::seeded(1)).await;
        let client = client(&road).await;
        for number in 0..200 {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        assert_eq!((road.cuts(), road.links()), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn it_goes_by_the_name_and_the_state_of_what_is_inside() {
    let inner = TcpConnector::new("example.org", 5);
    let road = FaultConnector::new(inner.clone(), Faults::seeded(77));
    assert_eq!((road.address(), Connector::dump_state(&road)), (inner.address(), inner.dump_state()));
    let shown = format!("{road:?}");
    assert!(shown.contains("seed: 77") && shown.contains("example.org"), "{shown}");
}

/// A request's frame has more bytes than that, so each of these cuts falls into it.
#[tokio::test]
async fn a_frame_cut_anywhere_goes_whole_over_the_next_link() {
    within(60, async {
        for bytes in 1..=60 {
            let (routes, mut noted) = noting(RouteTable::new(), "note");
            let (_server, road) =
                over_tcp(routes, Faults::seeded(1).cut_after(bytes..=bytes).at_most(1)).await;
            let client = client(&road).await;
            let answer = client.request::<_, Value>("note", &7).await;
            assert!(answer.is_ok(), "cut after {bytes} bytes: {answer:?}");
            assert_eq!((road.cuts(), road.links()), (1, 2), "cut after {bytes} bytes");
            assert_eq!(take(&mut noted, 1).await, [7]);
            assert!(noted.try_recv().is_err(), "it was handled twice after a cut at {bytes} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn links_are_cut_on_command_and_come_back() {
    within(20, async {
        let (server, road) = over_tcp(echo(), Faults::seeded(1)).await;
        let (one, other) = (client(&road).await, client(&road).await);
        eventually("both are there", || server.peers().len() == 2).await;
        for round in 1..=5 {
            road.cut_now();
            assert_eq!(road.cuts(), 2 * round);
            for client in [&one, &other] {
                let answer = client.request::<_, i64>("echo", &5).await;
                assert_eq!(answer.unwrap(), 5);
            }
        }
        assert_eq!(road.links(), 12);
    })
    .await;
}

#[tokio::test]
async fn an_unplugged_road_is_closed_until_it_is_plugged_in() {
    within(20, async {
        let (_server, road) = over_tcp(echo(), Faults::seeded(1)).await;
        let client = client(&road).await;
        road.unplug();
        let call = request_in(Duration::from_millis(100), &client, "echo", 1).await;
        assert!(matches!(call, Err(Error::NotSent(_))), "{call:?}");
        let refused = RouteClient::builder(road.clone())
            .connect_timeout(Some(Duration::from_millis(100)))
            .connect()
            .await;
        assert!(refused.unwrap_err().to_string().contains("on purpose (link "));
        road.plug_in();
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_unplugged_server_hangs_up_on_everybody() {
    within(20, async {
        let inner = MemoryConnector::unique();
        let road = FaultConnector::new(inner.clone(), Faults::seeded(1));
        let _server = RouteServer::new(road.clone(), echo()).start().await.unwrap();
        let client = quick(RouteClient::builder(inner)).connect().await.unwrap();
        road.unplug();
        eventually("it is gone", || !client.is_connected()).await;
        let call = request_in(Duration::from_millis(100), &client, "echo", 1).await;
        assert!(matches!(call, Err(Error::NotSent(_))), "{call:?}");
        road.plug_in();
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn cuts_by_chance_end_when_there_were_enough() {
    within(20, async {
        let (_server, inner) = memory_server(echo()).await;
        let road = FaultConnector::new(inner, Faults::seeded(3).cut_after(1..=300).at_most(4));
        let client = client(&road).await;
        for number in 0..100 {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        assert_eq!((road.cuts(), road.links()), (4, 5));
    })
    .await;
}

#[tokio::test]
async fn some_attempts_to_connect_fail() {
    within(20, async {
        let (_server, road) = over_tcp(echo(), Faults::seeded(9).fail_connects(0.7)).await;
        let client = client(&road).await;
        for number in 0..10 {
            road.cut_now();
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        assert_eq!(road.cuts(), 10);
        assert!((20..200).contains(&road.links()), "{road:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_delayed_comes_late_and_in_order() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let (_server, inner) = memory_server(routes).await;
        let time = Duration::from_millis(50);
        let road = FaultConnector::new(inner, Faults::seeded(1).delay(time..=time));
        let client = client(&road).await;
        let since = Instant::now();
        let calls = (client.request::<_, Value>("note", &1), client.request::<_, Value>("note", &2));
        let (one, other) = tokio::join!(calls.0, calls.1);
        assert!(one.is_ok() && other.is_ok(), "{one:?}, {other:?}");
        // There and back.
        assert!(since.elapsed() >= 2 * time, "{:?}", since.elapsed());
        assert_eq!(take(&mut noted, 2).await, [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn a_stalled_link_goes_on_after_its_time() {
    within(20, async {
        let (_server, inner) = memory_server(echo()).await;
        let time = Duration::from_millis(100);
        // A call takes some hundred bytes, there and back.
        let road = FaultConnector::new(inner, Faults::seeded(1).stall(500..=500, time));
        let client = client(&road).await;
        let (since, calls) = (Instant::now(), 40);
        for number in 0..calls {
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
        }
        assert!(since.elapsed() >= 4 * time, "{:?}", since.elapsed());
        assert_eq!((road.cuts(), road.links()), (0, 1));
    })
    .await;
}

/// Such links have a store behind them, which the faults do not touch.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_through_a_broker_go_on_over_cuts() {
    within(60, async {
        let (routes, mut noted) = noting(echo(), "note");
        let broker = communica_tests::broker::shared();
        let inner = communica::RmqConnector::new(broker.url(), crate::support::unique("faults"))
            .listening_period(Duration::from_secs(1))
            .check_period(Duration::from_millis(200));
        let _server = RouteServer::new(inner.clone(), routes).start().await.unwrap();
        let road = FaultConnector::new(inner, Faults::seeded(1).cut_after(1000..=4000).at_most(6));
        let client = quick(RouteClient::builder(road.clone()).client_id("till")).connect().await.unwrap();
        let mut number = 0;
        // A link that ended for another reason brings no cut.
        while number < 100 || road.cuts() < 6 {
            client.throw("note", &number).await.unwrap();
            assert_eq!(client.request::<_, i64>("echo", &number).await.unwrap(), number);
            number += 1;
        }
        assert_eq!(take(&mut noted, number as usize).await, (0..number).collect::<Vec<i64>>());
        assert!(noted.try_recv().is_err(), "a throw was handled twice");
    })
    .await;
}
