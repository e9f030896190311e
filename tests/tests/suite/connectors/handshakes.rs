//! Attempts to listen and to connect go in; those that must fail do so in time, and say why.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use communica::{Connector, Error, Limits, RouteClient, RouteServer, RouteTable};

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{echo, unique};

over_every_road! {
    a_refused_client_is_told_the_reason,
    a_client_connects_to_a_server_that_starts_later,
}
over_every_direct_road! {
    an_address_in_use_is_named,
    connecting_to_nobody_fails_in_time_with_the_last_cause,
}

async fn an_address_in_use_is_named(road: Road) {
    let server = road.serve(echo()).await;
    let connector = road.to(&server);
    let named = connector.address();
    let second = RouteServer::new(connector.clone(), RouteTable::new()).start().await;
    let error = second.expect_err("two servers listen at one address");
    assert!(error.to_string().contains(&named), "{error} does not name {named}");
    match &error {
        Error::Listen { address, source, .. } => {
            assert_eq!((address, source.kind()), (&named, ErrorKind::AddrInUse));
        }
        other => panic!("{other:?}"),
    }
    let client = RouteClient::connect(connector).await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1, "the first server suffered");
}

async fn connecting_to_nobody_fails_in_time_with_the_last_cause(road: Road) {
    let server = road.serve(echo()).await;
    let connector = road.to(&server);
    server.stop().await;
    drop(server);
    let start = Instant::now();
    let builder = RouteClient::builder(connector.clone()).connect_timeout(Duration::from_millis(500));
    let error = builder.connect().await.expect_err("somebody is there");
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    match error {
        Error::Connect { address, reason, .. } => {
            assert_eq!(address, connector.address());
            let cause = reason.split("the last attempt said: ").nth(1);
            assert!(cause.is_some_and(|cause| !cause.is_empty()), "no cause in {reason:?}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_refused_client_is_told_the_reason(road: Road) {
    let limits = Limits::new().peers(1);
    let server = RouteServer::new(road.fresh(), echo()).limits(limits).start().await.unwrap();
    let first = road.connect(&server).await;
    let connector = road.to(&server);
    match RouteClient::connect(connector.clone()).await.expect_err("a second client was let in") {
        Error::Refused { address, reason, .. } => {
            assert_eq!(address, connector.address());
            assert!(reason.contains("Limits::peers"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first.request::<_, i64>("echo", &1).await.unwrap(), 1);
}

async fn a_client_connects_to_a_server_that_starts_later(road: Road) {
    let server = road.serve(echo()).await;
    let state = server.dump_state();
    server.stop().await;
    drop(server);
    let client = crate::support::quick(RouteClient::builder(road.load(&state))).start().unwrap();
    let id = unique("call");
    let call = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move { client.request::<_, String>("echo", &id).await }
    });
    let _server = road.serve_again(&state, echo()).await;
    assert_eq!(call.await.unwrap().unwrap(), id);
}
