//! A server is gone and calls wait: that is not silent.

use std::time::Duration;

use communica::{Limits, RouteClient, RouteServer};
use tokio::time::sleep;

use super::log::Log;
use crate::support::{echo, eventually, memory_server, quick, within};

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
