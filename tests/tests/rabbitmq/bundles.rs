//! Small messages share one of the broker's, and each is handled, answered and forgotten as if it had its own.

use std::time::Duration;

use communica::{Backoff, FaultConnector, Faults, RouteClient, RouteTable};
use serde_json::json;

use crate::over_rabbitmq::cable::Cable;
use crate::over_rabbitmq::desk::Builder;
use crate::over_rabbitmq::raw::{BUNDLE, Raw, Tap, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, address, connect, desk, eventually, fresh, queue, quick, request_in, serve, shared,
    unsettled, within,
};

/// Messages as a bundle has them, with stamps that begin with this.
fn bundle(stamp: &str, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut bundle = Vec::new();
    for (number, body) in bodies.iter().enumerate() {
        let stamp = format!("{stamp}.{number}");
        bundle.push(stamp.len() as u8);
        bundle.extend(stamp.bytes());
        bundle.extend((body.len() as u32).to_be_bytes());
        bundle.extend(body);
    }
    bundle
}

fn throws(route: &str, numbers: std::ops::Range<i64>) -> Vec<Vec<u8>> {
    let throw = json!({"id": "", "type": 2, "route": route});
    numbers.map(|number| body(&throw, &json!(number))).collect()
}

#[tokio::test]
async fn many_small_ones_are_few_for_the_broker() {
    within(60, async {
        let (connector, gate) = (fresh("bundles").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let there = Tap::on(&queue(&connector, "toServer.w1")).await;
        let back = Tap::on(&queue(&connector, "toClient.w1")).await;
        Calls::start(&client, "times_ten", 0..1).are_answered().await;
        assert_eq!(there.types().await, ["message"], "a lone one is as it was");
        Calls::start(&client, "times_ten", 0..640).are_answered().await;
        for (way, tap) in [("requests", &there), ("answers", &back)] {
            let types = tap.types().await;
            assert!(types.len() < 100, "640 {way} were {} of the broker's: {types:?}", types.len());
            assert!(types.iter().any(|kind| kind == BUNDLE), "{way}: {types:?}");
        }
        for number in 0..640 {
            client.throw("note", &number).await.unwrap();
        }
        assert_eq!(notes.take(640).await, (0..640).collect::<Vec<_>>());
        // Nobody but the broker could bring them to the next server.
        let types = there.types().await;
        assert!(types.iter().all(|kind| kind == "message"), "{types:?}");
    })
    .await;
}

#[tokio::test]
async fn small_and_large_ones_and_throws_come_in_order() {
    within(60, async {
        let connector = fresh("mixed").await;
        let (noted, mut notes) = tokio::sync::mpsc::unbounded_channel();
        let routes = RouteTable::new().route("note", move |(number, rest): (i64, String)| {
            noted.send((number, rest.len())).unwrap_or_default();
        });
        let _server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let tap = Tap::on(&queue(&connector, "toServer.w1")).await;
        let size = |number: i64| [3, 10, 100, 100_000, 5_000, 16_300, 17, 20_000][number as usize % 8];
        let mut calls = Vec::new();
        for number in 0..400 {
            let (client, data) = (client.clone(), (number, "x".repeat(size(number))));
            calls.push(tokio::spawn(async move {
                match number % 50 {
                    7 => client.throw("note", &data).await.unwrap(),
                    _ => client.request::<_, ()>("note", &data).await.unwrap(),
                }
            }));
        }
        for number in 0..400 {
            assert_eq!(notes.recv().await, Some((number, size(number))));
        }
        for call in calls {
            call.await.unwrap();
        }
        assert!(tap.types().await.iter().any(|kind| kind == BUNDLE));
    })
    .await;
}

/// The broker has forgotten them; who asked has not.
#[tokio::test]
async fn what_a_killed_server_did_not_answer_is_asked_of_the_next_and_nothing_else() {
    within(60, async {
        let connector = fresh("handed").await;
        let mut first = Builder::server(&connector, "first").start().await;
        let client = connect(&connector, "w1").await;
        let tap = Tap::on(&queue(&connector, "toServer.w1")).await;
        let (held, done) =
            (Calls::start(&client, "hold", 0..50), Calls::start(&client, "times_ten", 100..150));
        done.are_answered().await;
        first.take("note", 50).await;
        assert!(tap.types().await.iter().any(|kind| kind == BUNDLE));
        let to_server = queue(&connector, "toServer.w1");
        // Those that were not the only one of their write.
        eventually("bundles are forgotten", async || {
            unsettled(&to_server).await.is_some_and(|left| left < 10)
        })
        .await;
        first.kill().await;
        let mut second = Builder::server(&connector, "second").start().await;
        second.command("open").await;
        held.are_answered().await;
        let mut handled = second.take("note", 50).await;
        handled.sort_unstable();
        assert_eq!(handled, (0..50).collect::<Vec<_>>());
        assert!(second.rest(Duration::from_millis(300)).await.is_empty(), "something was asked again");
        Calls::start(&client, "times_ten", 0..50).are_answered().await;
    })
    .await;
}

/// What a server asked of a client, too.
#[tokio::test]
async fn what_a_killed_client_did_not_answer_is_asked_of_the_next() {
    within(60, async {
        let (connector, gate) = (fresh("asked").await, Gate::shut());
        let server = serve(&connector, desk(&gate).0).await;
        let mut first = Builder::client(&connector, "w1").start().await;
        let held = Calls::start(server.peer("w1").await, "hold", 0..50);
        first.take("note", 50).await;
        let to_client = queue(&connector, "toClient.w1");
        eventually("bundles are forgotten", async || {
            unsettled(&to_client).await.is_some_and(|left| left < 10)
        })
        .await;
        first.kill().await;
        let mut second = Builder::client(&connector, "w1").start().await;
        second.command("open").await;
        held.are_answered().await;
        let mut handled = second.take("note", 50).await;
        handled.sort_unstable();
        assert_eq!(handled, (0..50).collect::<Vec<_>>());
    })
    .await;
}

/// It stops what it was asked, for another server has the client, which dies before that is of any use.
#[tokio::test]
async fn a_server_is_asked_again_though_it_is_the_same() {
    within(60, async {
        let (connector, gate) = (fresh("moved").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let server = serve(&connector, routes).await;
        let cable = Cable::to(shared().await).await;
        let client = connect(&quick(cable.url(), address(&connector)), "w1").await;
        let held = Calls::start(&client, "hold", 0..50);
        notes.take(50).await;
        cable.cut();
        eventually("the client notices", async || !client.is_connected()).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let mine = json!({"server": "another", "client": "w1", "connect_id": [1, 2, 3]});
        let news = queue(&connector, "servers");
        raw.announce(&news, typed("communica_mine"), mine.to_string().as_bytes()).await;
        eventually("the server notices", async || server.peers().is_empty()).await;
        cable.mend();
        let mut again = notes.take(50).await;
        again.sort_unstable();
        assert_eq!(again, (0..50).collect::<Vec<_>>());
        gate.open();
        held.are_answered().await;
    })
    .await;
}

/// What is on its way to a client whose link is cut on purpose is not lost with it.
#[tokio::test]
async fn answers_in_bundles_outlive_cuts_at_any_place() {
    within(90, async {
        let (connector, gate) = (fresh("cuts").await, Gate::shut());
        let _server = serve(&connector, desk(&gate).0).await;
        let faults =
            Faults::seeded(5).cut_after(200..=9_000).delay(Duration::ZERO..=Duration::from_millis(5));
        let road = FaultConnector::new(connector.clone().client_id("w1"), faults);
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
        let client = RouteClient::builder(road.clone()).backoff(backoff).connect().await.unwrap();
        let tap = Tap::on(&queue(&connector, "toClient.w1")).await;
        let mut number = 0;
        while road.cuts() < 10 {
            Calls::start(&client, "times_ten", number..number + 200).are_answered().await;
            number += 200;
        }
        let types = tap.types().await;
        assert!(types.iter().any(|kind| kind == BUNDLE), "{types:?}");
    })
    .await;
}

/// Its answers wait when its client comes to the next one.
#[tokio::test]
async fn what_a_server_answered_before_it_died_is_not_asked_again() {
    within(60, async {
        let connector = fresh("answered").await;
        let mut first = Builder::server(&connector, "first").start().await;
        let road = FaultConnector::new(connector.clone().client_id("w1"), Faults::seeded(1));
        let client = RouteClient::connect(road.clone()).await.unwrap();
        let held = Calls::start(&client, "hold", 0..50);
        first.take("note", 50).await;
        road.unplug();
        first.command("open").await;
        let to_client = queue(&connector, "toClient.w1");
        let raw = Raw::connect(&shared().await.url()).await;
        raw.has_no_consumer(&to_client).await;
        // An answer names no route.
        eventually("all are answered", async || raw.matches(&to_client, "\"type\":").await == 50).await;
        first.kill().await;
        let mut second = Builder::server(&connector, "second").start().await;
        road.plug_in();
        held.are_answered().await;
        assert!(second.rest(Duration::from_millis(300)).await.is_empty(), "something was asked again");
    })
    .await;
}

/// All of them end, and none is left for the next server.
#[tokio::test]
async fn requests_of_a_bundle_have_their_time_limit_at_the_broker() {
    within(60, async {
        let (connector, gate) = (fresh("times").await.check_period(Duration::from_secs(60)), Gate::shut());
        let server = serve(&connector, desk(&gate).0).await;
        let client = connect(&connector, "w1").await;
        drop(server);
        let mut raw = Raw::connect(&shared().await.url()).await;
        let to_server = queue(&connector, "toServer.w1");
        raw.has_no_consumer(&to_server).await;
        let calls: Vec<_> = (0..40)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    // Two time limits.
                    let time = Duration::from_millis(if number < 20 { 10_000 } else { 11_000 });
                    request_in(time, &client, "hold", number).await
                })
            })
            .collect();
        eventually("all are at the broker", async || raw.messages(&to_server, "hold").await == 40).await;
        let waiting = raw.waiting(&to_server).await.expect("it is there");
        assert!(waiting < 40, "each of them is one of the broker's");
        for call in calls {
            assert!(call.await.unwrap().is_err());
        }
        eventually("no request waits", async || raw.messages(&to_server, "hold").await == 0).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_bundle_harms_nobody() {
    within(60, async {
        let (connector, gate) = (fresh("broken").await, Gate::shut());
        let (routes, mut notes) = desk(&gate);
        let server = serve(&connector, routes).await;
        let client = connect(&connector, "w1").await;
        let raw = Raw::connect(&shared().await.url()).await;
        let to_server = queue(&connector, "toServer.w1");
        let whole = bundle("a", &throws("note", 0..2));
        let publish = async |bytes: &[u8]| raw.publish(&to_server, typed(BUNDLE), bytes).await;
        for end in (0..whole.len()).step_by(7) {
            publish(&whole[..end]).await;
        }
        publish(&[255; 300]).await;
        publish(&bundle("b", &throws("note", 0..65))).await;
        // One of these is none; the others are.
        publish(&bundle(
            "c",
            &[&throws("note", 1..2)[..], &[b"no zero".to_vec()], &throws("note", 2..3)].concat(),
        ))
        .await;
        assert_eq!(notes.take(2).await, [1, 2]);
        eventually("nothing is left", async || unsettled(&to_server).await == Some(0)).await;
        Calls::start(&client, "times_ten", 0..3).are_answered().await;
        Calls::start(server.peer("w1").await, "nothing_there", 0..1).ends().await;
        assert!(notes.is_empty());
    })
    .await;
}
