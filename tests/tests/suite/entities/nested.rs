//! Handlers that call their caller back, with hardly any room.

use std::time::Duration;

use communica::{Context, Error, IntoCaller, Limits, MemoryConnector, RouteClient, RouteServer, RouteTable};

use crate::support::{Gate, eventually, quick, within};

/// What a handler waits for has no room beside it, and nobody could know when it came, because another handler ran that did
/// not wait for the peer. `calls`: that one does it later; else it ends.
async fn held_up_until_another_handler(calls: bool) {
    let (gate, never) = (Gate::shut(), Gate::shut());
    let held = gate.clone();
    let routes = RouteTable::new()
        .route("outer", |cx: Context, _: String| async move { cx.peer().request::<_, ()>("back", &()).await })
        .route("another", move |cx: Context, _: String| {
            let gate = held.clone();
            async move {
                gate.pass().await;
                if calls { cx.peer().request::<_, ()>("hang", &()).await } else { Ok(()) }
            }
        })
        .route("nested", |_: String| ());
    let (asked, hung) = (Gate::shut(), never.clone());
    let asks = asked.clone();
    let at_client = RouteTable::new()
        .route("back", move |cx: Context, (): ()| {
            let asks = asks.clone();
            async move {
                asks.pass().await;
                cx.peer().request::<_, ()>("nested", &"z".repeat(2_100)).await
            }
        })
        .route("hang", move |(): ()| {
            let never = hung.clone();
            async move { never.pass().await }
        });
    let connector = MemoryConnector::unique();
    let limits = Limits::new().waiting(1000, 2_000);
    let _server = RouteServer::new(connector.clone(), routes).limits(limits).start().await.unwrap();
    let client = RouteClient::builder(connector).routes(at_client).connect().await.unwrap();
    let ask = |route: &'static str, bytes: usize| {
        let (client, text) = (client.clone(), "x".repeat(bytes));
        tokio::spawn(async move { client.request::<_, ()>(route, &text).await })
    };
    let outer = ask("outer", 30_000);
    eventually("the first calls back", || asked.is_awaited()).await;
    let another = ask("another", 1_500);
    eventually("the other runs beside it", || gate.is_awaited()).await;
    asked.open();
    let is_there = |call: &communica::Inflight| call.route.as_deref() == Some("nested") && call.is_sent;
    eventually("what it waits for is under way", || client.inflight().iter().any(is_there)).await;
    gate.open();
    let ended = outer.await.unwrap();
    assert!(matches!(&ended, Err(Error::Unknown(_) | Error::Resp(_))), "{ended:?}");
    never.open();
    another.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_handler_waits_for_is_refused_when_the_one_beside_it_is_done() {
    within(20, held_up_until_another_handler(false)).await;
}

#[tokio::test]
async fn what_a_handler_waits_for_is_refused_when_the_one_beside_it_waits_too() {
    within(20, held_up_until_another_handler(true)).await;
}

/// Calls the caller back until nothing is left, with payloads of all sizes. Links end over it, too.
fn down() -> RouteTable {
    RouteTable::new().route("down", |cx: Context, (left, text): (u32, String)| async move {
        if left == 0 {
            return Ok::<(), Error>(());
        }
        let bytes = (text.len() * 7919 + left as usize * 104_729) % 2_000;
        if bytes % 3 == 0 {
            tokio::task::yield_now().await;
        }
        // A future that holds itself needs a box.
        let below: std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> = Box::pin({
            let peer = cx.peer().clone();
            async move { peer.request("down", &(left - 1, "x".repeat(bytes))).await }
        });
        below.await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_with_hardly_any_room_for_nested_calls_end() {
    within(60, async {
        let connector = MemoryConnector::unique();
        let limits = Limits::new().waiting(1000, 500).running(2);
        let server =
            RouteServer::new(connector.clone(), down()).limits(limits.clone()).start().await.unwrap();
        let client = quick(RouteClient::builder(connector)).routes(down()).limits(limits).client_id("w1");
        let client = client.connect().await.unwrap();
        let peer = server.peer("w1").await;
        for round in 0..10 {
            let calls: Vec<_> = (0..30_usize)
                .flat_map(|number| [(number, client.clone().into_caller()), (number, peer.clone())])
                .map(|(number, caller)| {
                    let text = "x".repeat((number * 331 + round * 17) % 2_000);
                    tokio::spawn(async move { caller.request::<_, ()>("down", &(6_u32, text)).await })
                })
                .collect();
            for call in calls {
                // An error is an end too, silence is not.
                let _ = call.await.unwrap();
            }
        }
        // Handlers whose callers gave up with an earlier link may still be at it.
        while client.request::<_, ()>("down", &(0_u32, "")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
