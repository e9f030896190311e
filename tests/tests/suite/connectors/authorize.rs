//! Clients knock with this token, that, or none: the server's hook lets them in, or they are told why not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use communica::{
    AnyConnector, Applicant, Error, FaultConnector, Faults, Reason, RouteClient, RouteClientBuilder,
    RouteServer, RouteServerHandle, RouteTable,
};
use tokio::time::timeout;

use super::roads::{Road, over_every_direct_road, over_every_road};
use crate::support::{Gate, echo, eventually, holding, quick, request_in, unique, within};

over_every_road! {
    only_the_right_token_opens_the_door,
    a_hook_that_panics_refuses_and_goes_on,
    a_client_that_does_not_wait_to_connect_ends_when_it_is_refused,
}
over_every_direct_road! {
    a_stranger_does_not_disturb_the_link_it_wants_to_take_over,
    a_client_that_is_turned_down_when_it_comes_back_tries_on,
}

const WORD: &str = "open sesame";
const WHY: &str = "say the word, żal mi \"bardzo\"";

fn knows_the_word(client: &Applicant<'_>) -> Result<(), String> {
    if client.has_token(WORD) { Ok(()) } else { Err(WHY.to_owned()) }
}

async fn guarded(road: Road, routes: RouteTable) -> RouteServerHandle {
    RouteServer::new(road.fresh(), routes).authorize(knows_the_word).start().await.unwrap()
}

fn builder(road: Road, server: &RouteServerHandle, token: Option<&str>) -> RouteClientBuilder {
    let builder = quick(RouteClient::builder(road.to(server)));
    token.into_iter().fold(builder, RouteClientBuilder::token)
}

fn assert_refused(ended: Result<RouteClient, Error>, address: &str, why: &str) {
    match ended {
        Err(Error::Refused { address: told, reason, .. }) => assert_eq!((&*told, &*reason), (address, why)),
        other => panic!("{other:?}"),
    }
}

async fn only_the_right_token_opens_the_door(road: Road) {
    let server = guarded(road, echo()).await;
    let address = communica::Connector::address(&road.to(&server));
    for wrong in [None, Some(""), Some("open sesam"), Some("open sesame "), Some("OPEN SESAME"), Some("\0")] {
        let stranger = builder(road, &server, wrong).client_id("stranger").connect();
        assert_refused(within(20, stranger).await, &address, WHY);
    }
    assert!(server.peers().is_empty());
    let known = timeout(Duration::from_millis(100), server.peer("stranger")).await;
    assert!(known.is_err(), "one that was refused has a place");
    let client = builder(road, &server, Some(WORD)).connect().await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
}

async fn a_hook_that_panics_refuses_and_goes_on(road: Road) {
    let bad = unique("bad");
    let name = bad.clone();
    let server = RouteServer::new(road.fresh(), echo()).authorize(move |client| {
        assert_ne!(client.client_id(), name, "this hook has a bug");
        Ok(())
    });
    let server = server.start().await.unwrap();
    let address = communica::Connector::address(&road.to(&server));
    for round in 0..3 {
        let refused = builder(road, &server, None).client_id(&bad).connect();
        assert_refused(within(20, refused).await, &address, "the server could not check who this is");
        let client = builder(road, &server, None).client_id(unique("good")).connect().await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &round).await.unwrap(), round);
    }
}

async fn a_client_that_does_not_wait_to_connect_ends_when_it_is_refused(road: Road) {
    let server = guarded(road, echo()).await;
    let client = builder(road, &server, None).start().unwrap();
    let called = within(20, client.request::<_, i64>("echo", &1)).await;
    assert!(
        matches!(&called, Err(Error::NotSent(Reason::Refused(why))) if why == WHY),
        "the call ended so: {called:?}"
    );
    within(5, client.closed()).await;
    let thrown = client.throw("echo", &1).await;
    assert!(matches!(&thrown, Err(Error::NotSent(Reason::Refused(why))) if why == WHY), "{thrown:?}");
}

async fn a_stranger_does_not_disturb_the_link_it_wants_to_take_over(road: Road) {
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    let server = guarded(road, routes).await;
    let address = communica::Connector::address(&road.to(&server));
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = quick(RouteClient::builder(cable.clone())).client_id("w1").token(WORD);
    let client = client.routes(echo()).connect().await.unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &7).await }
    });
    eventually("the handler runs", || held.inside() == 1).await;
    for (number, token) in [None, Some("sesame")].into_iter().cycle().take(20).enumerate() {
        let stranger = builder(road, &server, token).client_id("w1").connect();
        assert_refused(within(20, stranger).await, &address, WHY);
        if number == 0 {
            // It comes back to a place that is still its own.
            cable.cut_now();
        }
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        assert_eq!(server.peer("w1").await.request::<_, i64>("echo", &2).await.unwrap(), 2);
    }
    assert_eq!((cable.links(), held.inside()), (2, 1), "the first client suffered");
    gate.open();
    assert_eq!(call.await.unwrap().unwrap(), 7);
    let newer = builder(road, &server, Some(WORD)).client_id("w1").connect().await.unwrap();
    within(10, client.closed()).await;
    assert_eq!(newer.request::<_, i64>("echo", &3).await.unwrap(), 3);
}

async fn a_client_that_is_turned_down_when_it_comes_back_tries_on(road: Road) {
    let (open, knocks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (open_in, knocks_in) = (open.clone(), knocks.clone());
    let server = RouteServer::new(road.fresh(), echo()).authorize(move |_| {
        knocks_in.fetch_add(1, Ordering::SeqCst);
        if open_in.load(Ordering::SeqCst) { Ok(()) } else { Err("not now".to_owned()) }
    });
    let server = server.start().await.unwrap();
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = quick(RouteClient::builder(AnyConnector::new(cable.clone()))).connect().await.unwrap();
    open.store(false, Ordering::SeqCst);
    cable.cut_now();
    eventually("it is turned down", || knocks.load(Ordering::SeqCst) >= 3).await;
    let ended = request_in(Duration::from_millis(50), &client, "echo", 1).await;
    assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { .. }))), "{ended:?}");
    open.store(true, Ordering::SeqCst);
    assert_eq!(within(20, client.request::<_, i64>("echo", &2)).await.unwrap(), 2);
}
