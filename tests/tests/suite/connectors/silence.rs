//! Links on which nothing is said for long: those of sides that live stay, however busy the sides are.

use std::time::Duration;

use communica::{
    FaultConnector, Faults, Feature, Limits, RouteClient, RouteServer, RouteServerHandle, RouteTable,
};
use communica_tests::patiently;
use tokio::time::sleep;

use super::roads::{Road, over_every_direct_road};
use crate::support::{Dice, Gate, echo, eventually, holding, quick};

over_every_direct_road! {
    a_link_without_calls_stays,
    a_link_stays_while_a_handler_blocks_for_less_than_the_time,
    a_link_stays_while_nothing_is_read_because_too_much_waits,
}

/// Signs of life come four times in it.
fn silence() -> Duration {
    patiently(3)
}

/// Routes whose handlers hold their thread.
const BLOCKS: [&str; 4] = ["block one", "block two", "block three", "block four"];

/// A server and a client that bear little silence, and a cable that counts the links between them.
async fn pair(
    road: Road,
    routes: RouteTable,
    limits: Limits,
) -> (RouteServerHandle, RouteClient, FaultConnector) {
    let limits = limits.silence_time(silence());
    let server = RouteServer::new(road.fresh(), routes).limits(limits.clone()).start().await.unwrap();
    let cable = FaultConnector::new(road.to(&server), Faults::seeded(1));
    let client = quick(RouteClient::builder(cable.clone())).limits(limits).connect().await.unwrap();
    assert!(client.supports(Feature::Heartbeat));
    eventually("the server knows it too", || server.peers().len() == 1).await;
    (server, client, cable)
}

async fn a_link_without_calls_stays(road: Road) {
    let (server, client, cable) = pair(road, echo(), Limits::new()).await;
    sleep(3 * silence()).await;
    assert!(client.is_connected() && server.peers().len() == 1);
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
    assert_eq!(cable.links(), 1, "a good link was cut");
}

async fn a_link_stays_while_a_handler_blocks_for_less_than_the_time(road: Road) {
    // The last sign of life may be one beat older, and after three in silence a link may end.
    // Each is met once: a second time it would start aside, and not hold up its link.
    let routes = BLOCKS
        .into_iter()
        .fold(echo(), |routes, block| routes.route(block, |(): ()| std::thread::sleep(silence() * 3 / 8)));
    let (_server, client, cable) = pair(road, routes, Limits::new()).await;
    let (mut dice, beat) = (Dice(5), silence().as_millis() as u64 / 4);
    for block in BLOCKS {
        // At any moment between two signs of life.
        sleep(Duration::from_millis(dice.below(beat))).await;
        client.request::<_, ()>(block, &()).await.unwrap();
    }
    assert_eq!(cable.links(), 1, "a good link was cut");
}

async fn a_link_stays_while_nothing_is_read_because_too_much_waits(road: Road) {
    const THROWS: usize = 2000;
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    let (_server, client, cable) = pair(road, routes, Limits::new().running(1).waiting(4, 1 << 20)).await;
    for _ in 0..THROWS {
        client.throw("hold", &1).await.unwrap();
    }
    eventually("a handler runs", || held.inside() == 1).await;
    sleep(2 * silence()).await;
    assert_eq!(cable.links(), 1, "a good link was cut");
    gate.open();
    eventually("all were handled", || held.finished() == THROWS).await;
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
}
