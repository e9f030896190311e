//! Throws were accepted, and their entity ends: when nobody knows whether they came, the log says how many.

use std::time::Duration;

use communica::{Limits, LocalConnector, RouteClient, RouteServer};

use super::log::Log;
use crate::support::{echo, eventually, hanging, memory_server, noting, take, unique, within};

const TOLD: &str = "throws were accepted, and it is not known";

/// On one thread, so that all of it is heard.
#[tokio::test]
async fn throws_of_a_client_that_nobody_hears_are_told_of() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let road = LocalConnector::new(unique("nobody"));
        let client = RouteClient::builder(road).grace(Duration::from_millis(100)).start().unwrap();
        for number in 0..3 {
            client.throw("note", &number).await.unwrap();
        }
        // Whoever calls is told.
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("echo", &1).await }
        });
        eventually("it waits", || client.inflight().len() == 1).await;
        client.close().await;
        call.await.unwrap().expect_err("nobody is there");
        let text = log.text();
        assert_eq!(text.matches(TOLD).count(), 1, "{text}");
        assert!(text.contains(r#"("throws", "3")"#), "{text}");
    })
    .await;
}

#[tokio::test]
async fn throws_of_a_client_that_is_dropped_are_told_of() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let road = LocalConnector::new(unique("nobody"));
        let client = RouteClient::builder(road).grace(Duration::from_millis(100)).start().unwrap();
        client.throw("note", &1).await.unwrap();
        client.throw("note", &"x".repeat(1 << 20)).await.unwrap();
        drop(client);
        eventually("it is told", || log.text().contains(TOLD)).await;
        assert!(log.text().contains(r#"("throws", "2")"#), "{}", log.text());
    })
    .await;
}

#[tokio::test]
async fn throws_to_a_client_that_is_away_are_told_of_when_their_server_stops() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let (server, road) = memory_server(echo()).await;
        let client = RouteClient::builder(road).client_id("w1").connect().await.unwrap();
        let peer = server.peer("w1").await;
        client.close().await;
        eventually("it is gone", || !peer.is_connected()).await;
        peer.throw("note", &1).await.unwrap();
        server.stop().await;
        let text = log.text();
        assert_eq!(text.matches(TOLD).count(), 1, "{text}");
        for part in [r#"("throws", "1")"#, r#"("client_id", "\"w1\"")"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn throws_that_came_are_no_reason_for_a_warning() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        for dropped in [false, true] {
            let (at_server, mut there) = noting(echo(), "note");
            let (at_client, mut here) = noting(echo(), "note");
            let road = LocalConnector::new(unique("throws"));
            let server = RouteServer::new(road.clone(), at_server).start().await.unwrap();
            let client =
                RouteClient::builder(road).client_id("w1").routes(at_client).connect().await.unwrap();
            let peer = server.peer("w1").await;
            for number in 0..100 {
                client.throw("note", &number).await.unwrap();
                peer.throw("note", &number).await.unwrap();
            }
            take(&mut here, 100).await;
            if dropped {
                drop(client);
            } else {
                client.close().await;
            }
            take(&mut there, 100).await;
            eventually("the server sees it go", || !peer.is_connected()).await;
            server.stop().await;
        }
        assert!(!log.text().contains(TOLD), "{}", log.text());
    })
    .await;
}

#[tokio::test]
async fn throws_to_a_client_that_is_there_when_its_server_stops_are_no_reason_for_a_warning() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let (server, road) = memory_server(echo()).await;
        let (routes, mut noted) = noting(echo(), "note");
        let client = RouteClient::builder(road).client_id("w1").routes(routes).connect().await.unwrap();
        let peer = server.peer("w1").await;
        for number in 0..100 {
            peer.throw("note", &number).await.unwrap();
        }
        server.stop().await;
        take(&mut noted, 100).await;
        client.close().await;
        assert!(!log.text().contains(TOLD), "{}", log.text());
    })
    .await;
}

/// Also without `stop`, and so without time for more than a word.
#[tokio::test]
async fn throws_that_a_server_handled_before_it_ended_are_no_reason_for_a_warning() {
    for stops in [true, false] {
        within(30, async {
            let log = Log::default();
            let _heard = log.hears();
            let (routes, mut noted) = noting(echo(), "note");
            let road = LocalConnector::new(unique("throws"));
            let server = RouteServer::new(road.clone(), routes).start().await.unwrap();
            let client =
                RouteClient::builder(road).grace(Duration::from_millis(100)).connect().await.unwrap();
            for number in 0..10 {
                client.throw("note", &number).await.unwrap();
            }
            take(&mut noted, 10).await;
            if stops {
                server.stop().await;
            } else {
                drop(server);
            }
            eventually("the client sees it go", || !client.is_connected()).await;
            client.close().await;
            assert!(!log.text().contains(TOLD), "{}", log.text());
        })
        .await;
    }
}

/// Those that came and whose handlers did not end are its receiver's to tell of.
#[tokio::test]
async fn throws_that_a_stop_cuts_off_are_told_of() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let (routes, mut entries) = hanging(echo(), "hang");
        let road = LocalConnector::new(unique("throws"));
        let server = RouteServer::new(road.clone(), routes).limits(Limits::new().running(2));
        let server = server.grace(Duration::from_millis(100)).start().await.unwrap();
        let client = RouteClient::builder(road).client_id("w1").connect().await.unwrap();
        for number in 0..5 {
            client.throw("hang", &number).await.unwrap();
        }
        take(&mut entries, 2).await;
        server.stop().await;
        let text = log.text();
        assert!(text.contains("throws came and were not handled"), "{text}");
        assert!(text.contains(r#"("throws", "3")"#), "{text}");
        eventually("the others are told of", || {
            log.text().matches("it was stopped before its end").count() == 2
        })
        .await;
        eventually("the client sees it go", || !client.is_connected()).await;
        client.close().await;
        assert!(!log.text().contains(TOLD), "{}", log.text());
    })
    .await;
}
