//! A client whose link is cut comes back to the server it had: what waits at the broker is handled in order and once, and
//! nobody reads for a link that is gone.

use std::ops::Range;
use std::time::Duration;

use communica::{
    Backoff, FaultConnector, Faults, RmqConnector, RouteClient, RouteServer, RouteServerHandle, RouteTable,
};
use serde_json::json;
use tokio::time::Instant;

use crate::over_rabbitmq::raw::{Raw, body, typed};
use crate::over_rabbitmq::support::{
    Calls, Gate, Notes, client, desk, eventually, fresh, queue, serve, shared, unsettled, within,
};

const MESSAGES: i64 = 600;
const CUTS: u64 = 12;

/// A client of that id whose link can be cut, and the means to do it.
async fn on_a_thread(connector: &RmqConnector, routes: RouteTable) -> (RouteClient, FaultConnector) {
    let road = FaultConnector::new(connector.clone().client_id("w1"), Faults::seeded(1));
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
    let client = RouteClient::builder(road.clone()).backoff(backoff).routes(routes);
    (client.connect().await.expect("it connects"), road)
}

/// Cuts the link as soon as it is there again.
async fn cut(road: &FaultConnector, client: &RouteClient) {
    for _ in 0..CUTS {
        let links = road.links();
        road.cut_now();
        eventually("it is there again", async || road.links() > links && client.is_connected()).await;
    }
}

/// Messages without ids, as neither library sends them.
async fn publish(raw: &Raw, queue: &str, route: &str, numbers: Range<i64>) {
    let throw = json!({"id": "", "type": 2, "route": route});
    for number in numbers {
        raw.publish(queue, typed("message"), &body(&throw, &json!(number))).await;
    }
}

/// Says where it is not so.
async fn all_in_order(side: &str, notes: &mut Notes) {
    let taken = notes.take(MESSAGES as usize).await;
    if let Some(at) = (0..).zip(&taken).position(|(number, taken)| number != *taken) {
        let around = &taken[at.saturating_sub(5)..taken.len().min(at + 15)];
        panic!("the {side} handled these in this order: {around:?}");
    }
}

/// Both ways, behind everything that was sent before.
async fn calls_still_pass(client: &RouteClient, server: &RouteServerHandle) {
    Calls::start(client, "times_ten", 0..3).are_answered().await;
    Calls::start(server.peer("w1").await, "times_ten", 0..3).are_answered().await;
}

fn nothing_came_twice(at_server: &mut Notes, at_client: &mut Notes) {
    assert!(at_server.is_empty(), "the server handled something twice");
    assert!(at_client.is_empty(), "the client handled something twice");
}

#[tokio::test]
async fn throws_come_in_order_and_once_over_cuts() {
    within(90, async {
        let (connector, gate) = (fresh("order").await, Gate::shut());
        let ((at_server, mut server_notes), (at_client, mut client_notes)) = (desk(&gate), desk(&gate));
        let server = serve(&connector, at_server).await;
        let (client, road) = on_a_thread(&connector, at_client).await;
        let peer = server.peer("w1").await;
        tokio::join!(cut(&road, &client), async {
            for number in 0..MESSAGES {
                client.throw("note", &number).await.expect("it is accepted");
                peer.throw("note", &number).await.expect("it is accepted");
                tokio::task::yield_now().await;
            }
        });
        all_in_order("server", &mut server_notes).await;
        all_in_order("client", &mut client_notes).await;
        calls_still_pass(&client, &server).await;
        nothing_came_twice(&mut server_notes, &mut client_notes);
    })
    .await;
}

#[tokio::test]
async fn throws_without_ids_come_in_order_and_once_over_cuts() {
    within(90, async {
        let (connector, gate) = (fresh("unnamed").await, Gate::shut());
        let ((at_server, mut server_notes), (at_client, mut client_notes)) = (desk(&gate), desk(&gate));
        let server = serve(&connector, at_server).await;
        let (client, road) = on_a_thread(&connector, at_client).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let (to_server, to_client) = (queue(&connector, "toServer.w1"), queue(&connector, "toClient.w1"));
        tokio::join!(
            cut(&road, &client),
            publish(&raw, &to_server, "note", 0..MESSAGES),
            publish(&raw, &to_client, "note", 0..MESSAGES),
        );
        all_in_order("server", &mut server_notes).await;
        all_in_order("client", &mut client_notes).await;
        calls_still_pass(&client, &server).await;
        for queue in [&to_server, &to_client] {
            eventually("nothing is left", async || unsettled(queue).await == Some(0)).await;
        }
        nothing_came_twice(&mut server_notes, &mut client_notes);
    })
    .await;
}

/// Some are being handled when the link is cut, and some wait for their turn.
#[tokio::test]
async fn throws_without_ids_that_outlast_their_link_are_handled_once() {
    within(60, async {
        let (connector, gate) = (fresh("outlast").await, Gate::shut());
        let ((at_server, mut server_notes), (at_client, mut client_notes)) = (desk(&gate), desk(&gate));
        let limits = communica::Limits::new().running(3);
        let server = RouteServer::new(connector.clone(), at_server).limits(limits).start().await.unwrap();
        let (client, road) = on_a_thread(&connector, at_client).await;
        let raw = Raw::connect(&shared().await.url()).await;
        let (to_server, to_client) = (queue(&connector, "toServer.w1"), queue(&connector, "toClient.w1"));
        publish(&raw, &to_server, "hold", 0..5).await;
        publish(&raw, &to_client, "hold", 0..5).await;
        assert_eq!(server_notes.take(3).await, [0, 1, 2]);
        assert_eq!(client_notes.take(5).await, [0, 1, 2, 3, 4]);
        cut(&road, &client).await;
        gate.open();
        assert_eq!(server_notes.take(2).await, [3, 4]);
        calls_still_pass(&client, &server).await;
        for queue in [&to_server, &to_client] {
            eventually("nothing is left", async || unsettled(queue).await == Some(0)).await;
        }
        nothing_came_twice(&mut server_notes, &mut client_notes);
    })
    .await;
}

/// The broker must not go on delivering to a link that ended while it came to be, at whatever moment that was.
#[tokio::test]
async fn nobody_reads_for_a_link_that_did_not_come_to_be() {
    const MOMENTS: u32 = 40;
    within(90, async {
        let (connector, gate) = (fresh("moments").await, Gate::shut());
        let raw = Raw::connect(&shared().await.url()).await;
        let queues = ["toServer.w1", "toClient.w1"].map(|name| queue(&connector, name));
        for queue in &queues {
            raw.declare(queue, true).await;
        }
        let server = serve(&connector, desk(&gate).0).await;
        let since = Instant::now();
        drop(client(&connector, "w0").connect().await.unwrap());
        let (handshake, mut server) = (since.elapsed(), Some(server));
        for moment in 0..MOMENTS {
            let ends = match server.take() {
                Some(server) => server,
                None => serve(&connector, desk(&gate).0).await,
            };
            let client = client(&connector, "w1").start().unwrap();
            tokio::time::sleep(handshake * moment / MOMENTS * 2).await;
            // Either side may be the one that is gone.
            if moment % 2 == 0 {
                drop(ends);
                drop(client);
            } else {
                drop(client);
                server = Some(ends);
            }
            for queue in &queues {
                raw.has_no_consumer(queue).await;
            }
        }
    })
    .await;
}
