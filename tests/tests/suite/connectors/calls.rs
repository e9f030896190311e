//! Calls go over every road, in both directions, small and large, few and many.

use communica::{Context, Error, Limits, RouteClient, RouteServer, RouteTable};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::roads::{Road, over_every_road, over_every_stream};
use crate::support::{echo, eventually, noting, take};

over_every_road! {
    a_request_is_answered,
    a_throw_arrives,
    a_server_calls_its_client,
    a_handler_calls_its_caller_back,
    a_thousand_throws_arrive_in_order,
    eight_mebibytes_pass_both_ways,
    sixty_four_clients_are_served_at_once,
}
over_every_stream! {
    a_small_message_passes_a_large_one_under_way,
}

async fn a_request_is_answered(road: Road) {
    let server = road.serve(echo()).await;
    let client = road.connect(&server).await;
    let value = json!({"text": "żółw 🐢", "numbers": [i64::MIN, u64::MAX, 0.5, null]});
    assert_eq!(client.request::<_, Value>("echo", &value).await.unwrap(), value);
}

async fn a_throw_arrives(road: Road) {
    let (routes, mut noted) = noting(echo(), "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    client.throw("note", &7).await.unwrap();
    assert_eq!(take(&mut noted, 1).await, [7]);
}

async fn a_server_calls_its_client(road: Road) {
    let server = road.serve(RouteTable::new()).await;
    let (routes, mut noted) = noting(echo(), "note");
    let builder = RouteClient::builder(road.to(&server)).routes(routes).client_id("w1");
    let _client = builder.connect().await.unwrap();
    let peer = server.peer("w1").await;
    assert_eq!(peer.request::<_, Value>("echo", &json!([1, "two"])).await.unwrap(), json!([1, "two"]));
    peer.throw("note", &8).await.unwrap();
    assert_eq!(take(&mut noted, 1).await, [8]);
}

async fn a_handler_calls_its_caller_back(road: Road) {
    let routes = RouteTable::new().route("twice", |cx: Context, number: i64| async move {
        let once: i64 = cx.peer().request("once", &number).await?;
        Ok::<_, Error>(once * 2)
    });
    let server = road.serve(routes).await;
    let builder = RouteClient::builder(road.to(&server));
    let client =
        builder.routes(RouteTable::new().route("once", |number: i64| number + 1)).connect().await.unwrap();
    assert_eq!(client.request::<_, i64>("twice", &20).await.unwrap(), 42);
}

async fn a_thousand_throws_arrive_in_order(road: Road) {
    let (routes, mut noted) = noting(RouteTable::new(), "note");
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    for number in 0..1000 {
        client.throw("note", &number).await.unwrap();
    }
    assert_eq!(take(&mut noted, 1000).await, (0..1000).collect::<Vec<i64>>());
}

async fn eight_mebibytes_pass_both_ways(road: Road) {
    let server = road.serve(echo()).await;
    let client =
        RouteClient::builder(road.to(&server)).routes(echo()).client_id("w1").connect().await.unwrap();
    // Not the same everywhere, so that pieces in a wrong order are seen.
    let text: String = (0..(8 << 20) / 8).map(|number| format!("{number:08}")).collect();
    assert!(client.request::<_, String>("echo", &text).await.unwrap() == text);
    let peer = server.peer("w1").await;
    assert!(peer.request::<_, String>("echo", &text).await.unwrap() == text);
}

async fn sixty_four_clients_are_served_at_once(road: Road) {
    let server = road.serve(echo()).await;
    let connecting: Vec<_> = (0..64)
        .map(|_| {
            let connector = road.to(&server);
            tokio::spawn(async move { RouteClient::connect(connector).await.unwrap() })
        })
        .collect();
    let mut clients = Vec::new();
    for client in connecting {
        clients.push(client.await.unwrap());
    }
    eventually("all are connected", || server.peers().len() == 64).await;
    let calling: Vec<_> = clients
        .into_iter()
        .map(|client| {
            tokio::spawn(async move {
                for number in 0..20 {
                    let sent = json!([client.client_id(), number]);
                    assert_eq!(client.request::<_, Value>("echo", &sent).await.unwrap(), sent);
                }
            })
        })
        .collect();
    for calls in calling {
        calls.await.unwrap();
    }
}

async fn a_small_message_passes_a_large_one_under_way(road: Road) {
    let (handled, mut order) = mpsc::unbounded_channel();
    let note = move |what: String| handled.send(what.len()).unwrap_or_default();
    let server = RouteServer::new(road.fresh(), RouteTable::new().route("note", note)).start().await.unwrap();
    let limits = Limits::new().chunk_size(64 * 1024);
    let client = RouteClient::builder(road.to(&server)).limits(limits).connect().await.unwrap();
    let text = "x".repeat(32 << 20);
    // In this order, so the large one is queued first.
    let (large, small) =
        tokio::join!(client.request::<_, ()>("note", &text), client.request::<_, ()>("note", "small"));
    large.unwrap();
    small.unwrap();
    assert_eq!(order.recv().await, Some("small".len()), "the small message had to wait for the large one");
}
