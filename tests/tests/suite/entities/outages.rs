//! A server is gone and calls wait, or a client does not come: that is not silent. And who waits may give up.

use std::time::{Duration, Instant};

use communica::{
    Backoff, Error, Limits, LocalConnector, MemoryConnector, Reason, RouteClient, RouteServer, SimpleClient,
    SimpleServer,
};
use tokio::time::sleep;

use super::log::Log;
use crate::support::{echo, eventually, hanging, memory_server, quick, take, unique, within};

const TOLD: &str = "calls wait for a connection";

/// On one thread, so that all of it is heard.
#[tokio::test]
async fn calls_that_wait_for_a_connection_are_told_of_once_for_each_outage() {
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let (mut server, road) = memory_server(echo()).await;
        let limits = Limits::new().resume_time(Duration::from_millis(100));
        let client = quick(RouteClient::builder(road.clone())).limits(limits).connect().await.unwrap();
        for outage in 1..=2 {
            server.stop().await;
            // Nobody waits, so there is nothing to tell.
            sleep(Duration::from_millis(300)).await;
            assert_eq!(log.text().matches(TOLD).count(), outage - 1);
            let call = tokio::spawn({
                let client = client.clone();
                async move { client.request::<_, i64>("echo", &7).await }
            });
            eventually("it is told", || log.text().matches(TOLD).count() == outage).await;
            sleep(Duration::from_millis(300)).await;
            assert_eq!(log.text().matches(TOLD).count(), outage, "it is told again and again");
            server = RouteServer::new(road.clone(), echo()).start().await.unwrap();
            assert_eq!(call.await.unwrap().unwrap(), 7);
        }
        client.close().await;
        server.stop().await;
    })
    .await;
}

/// On one thread, so that all of it is heard.
#[tokio::test]
async fn who_waits_for_a_client_that_does_not_come_is_told_who_is_there() {
    const TOLD: &str = "nobody with this client id is known here";
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let road = MemoryConnector::unique();
        let limits = Limits::new().resume_time(Duration::from_millis(100));
        let server = RouteServer::new(road.clone(), echo()).limits(limits).start().await.unwrap();
        let other = RouteClient::builder(road.clone()).client_id("w2").connect().await.unwrap();
        let call = || {
            let server = server.clone();
            tokio::spawn(async move { server.peer("w1").await.request::<_, i64>("echo", &1).await })
        };
        let waiting = [call(), call()];
        eventually("it is told", || log.text().contains(TOLD)).await;
        let text = log.text();
        for part in [r#"("client_id", "\"w1\"")"#, r#"[\"w2\"]"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        sleep(Duration::from_millis(300)).await;
        assert_eq!(log.text().matches(TOLD).count(), 1, "it is told again and again");
        // It waits on.
        let client = RouteClient::builder(road).client_id("w1").routes(echo()).connect().await.unwrap();
        for call in waiting {
            assert_eq!(call.await.unwrap().unwrap(), 1);
        }
        client.close().await;
        other.close().await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn calls_to_any_that_wait_for_a_client_are_told_of_once() {
    const TOLD: &str = "no client is connected";
    within(30, async {
        let log = Log::default();
        let _heard = log.hears();
        let road = MemoryConnector::unique();
        let limits = Limits::new().resume_time(Duration::from_millis(100));
        let server = RouteServer::new(road.clone(), echo()).limits(limits).start().await.unwrap();
        for outage in 1..=2 {
            let call = || {
                let any = server.any_peer();
                tokio::spawn(async move { any.request::<_, i64>("echo", &7).await })
            };
            let calls = [call(), call()];
            eventually("it is told", || log.text().matches(TOLD).count() == outage).await;
            sleep(Duration::from_millis(300)).await;
            assert_eq!(log.text().matches(TOLD).count(), outage, "it is told again and again");
            let client = RouteClient::builder(road.clone()).routes(echo()).connect().await.unwrap();
            for call in calls {
                assert_eq!(call.await.unwrap().unwrap(), 7);
            }
            client.close().await;
            eventually("it is gone", || server.peers().is_empty()).await;
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_gives_up_when_there_was_no_connection_for_so_long() {
    within(30, async {
        let (routes, mut entries) = hanging(echo(), "hang");
        let road = LocalConnector::new(unique("outages"));
        let server = RouteServer::new(road.clone(), routes).start().await.unwrap();
        let builder = RouteClient::builder(road.clone()).give_up_after(Duration::from_millis(300));
        let client = builder.connect().await.unwrap();
        let call = |route: &'static str| {
            let client = client.clone();
            tokio::spawn(async move { client.request::<_, ()>(route, &1).await })
        };
        let sent = call("hang");
        take(&mut entries, 1).await;
        drop(server);
        let since = Instant::now();
        let unsent = call("echo");
        let ended = client.run().await;
        let Err(Error::Connect { reason, .. }) = &ended else { panic!("{ended:?}") };
        for part in ["give_up_after", "the last attempt said: "] {
            assert!(reason.contains(part), "{reason}");
        }
        assert!(since.elapsed() >= Duration::from_millis(250), "it gave up after {:?}", since.elapsed());
        let (sent, unsent) = (sent.await.unwrap(), unsent.await.unwrap());
        assert!(matches!(sent, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{sent:?}");
        assert!(matches!(unsent, Err(Error::NotSent(Reason::Disconnected(_)))), "{unsent:?}");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_finds_a_connection_in_time_does_not_give_up() {
    within(30, async {
        let road = MemoryConnector::unique();
        let serve = || SimpleServer::new(road.clone(), |number: i64| number).start();
        let mut server = serve().await.unwrap();
        let client = SimpleClient::builder(road.clone()).give_up_after(Duration::from_secs(5));
        let client = client.connect().await.unwrap();
        for _ in 0..2 {
            server.stop().await;
            server = serve().await.unwrap();
            assert_eq!(client.request::<_, i64>(&7).await.unwrap(), 7);
        }
        client.close().await;
        client.run().await.expect("it was closed");
    })
    .await;
}

/// Its pauses between attempts may be longer than the time it has.
#[tokio::test]
async fn a_server_that_is_back_within_the_last_pause_is_found() {
    within(30, async {
        let road = LocalConnector::new(unique("outages"));
        let serve = || SimpleServer::new(road.clone(), |number: i64| number).start();
        let server = serve().await.unwrap();
        let hour = Duration::from_secs(3600);
        let client = SimpleClient::builder(road.clone()).backoff(Backoff::new(hour, hour));
        let client = client.give_up_after(Duration::from_secs(1)).connect().await.unwrap();
        server.stop().await;
        eventually("the client sees it go", || !client.is_connected()).await;
        // It is in the pause, or about to be.
        let _server = serve().await.unwrap();
        assert_eq!(client.request::<_, i64>(&7).await.unwrap(), 7);
    })
    .await;
}

/// A server that accepts and then says nothing, for longer than the client is to wait.
#[cfg(unix)]
#[tokio::test]
async fn an_attempt_that_hangs_does_not_keep_a_client_from_giving_up() {
    within(30, async {
        let name = unique("outages");
        let road = LocalConnector::new(&name);
        let server = RouteServer::new(road.clone(), echo()).start().await.unwrap();
        let builder = quick(RouteClient::builder(road)).give_up_after(Duration::from_millis(500));
        let client = builder.connect().await.unwrap();
        server.stop().await;
        let path = std::env::temp_dir().join(format!("communica/{name}.sock"));
        let _silent = std::os::unix::net::UnixListener::bind(path).unwrap();
        let since = Instant::now();
        let ended = client.run().await;
        let Err(Error::Connect { reason, .. }) = &ended else { panic!("{ended:?}") };
        assert!(reason.contains("no handshake within"), "{reason}");
        assert!(since.elapsed() < Duration::from_secs(5), "it gave up after {:?}", since.elapsed());
    })
    .await;
}
