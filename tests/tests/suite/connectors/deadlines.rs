//! Calls with a time limit go in: what works for them stops when it is over, here, there and further on.

use std::time::{Duration, Instant};

use communica::{Context, Error, Limits, Reason, RouteClient, RouteServer, RouteTable};
use tokio::sync::mpsc;

use super::roads::{Road, over_every_road};
use crate::support::{Gate, echo, eventually, hanging, holding, request_in, soon, take};

over_every_road! {
    the_deadline_travels_and_nested_calls_may_keep_it,
    a_call_whose_time_passes_in_the_queue_never_runs,
    a_handler_that_is_done_in_time_is_not_disturbed,
}

const LIMIT: Duration = Duration::from_secs(1);

async fn the_deadline_travels_and_nested_calls_may_keep_it(road: Road) {
    let routes = RouteTable::new().route("outer", |cx: Context, number: i64| async move {
        let deadline = cx.deadline().expect("the call has a time limit");
        let left = deadline.saturating_duration_since(Instant::now());
        request_in(left, cx.peer(), "inner", number).await
    });
    let server = road.serve(routes).await;
    let (tell_left, mut told_left) = mpsc::unbounded_channel();
    let (routes, held) = holding(echo(), "hold", &Gate::shut());
    let held_in = held.clone();
    let routes = routes.route("inner", move |cx: Context, _: i64| {
        let (tell_left, held) = (tell_left.clone(), held_in.clone());
        async move {
            let _inside = held.enter();
            let left = cx.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            tell_left.send(left).unwrap();
            std::future::pending::<()>().await;
        }
    });
    let client = RouteClient::builder(road.to(&server)).routes(routes).connect().await.unwrap();
    let since = Instant::now();
    let ended = request_in(LIMIT, &client, "outer", 1).await;
    // The outer handler's call ends a moment before, and it may get to tell of it.
    let told = matches!(&ended, Err(Error::Resp(error)) if error.message().contains("the time limit of"));
    assert!(told || matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{ended:?}");
    assert!(since.elapsed() < 5 * LIMIT, "{:?}", since.elapsed());
    let left = told_left.recv().await.unwrap().expect("the inner call has a time limit");
    assert!(left <= LIMIT, "the inner call was given {left:?}, more than there was");
    eventually("no handler is left", || held.inside() == 0).await;
    eventually("nobody waits", || server.inflight().is_empty()).await;
}

async fn a_call_whose_time_passes_in_the_queue_never_runs(road: Road) {
    let (routes, held) = holding(RouteTable::new(), "hold", &Gate::shut());
    let (routes, mut entries) = hanging(routes, "hang");
    let server = RouteServer::new(road.fresh(), routes).limits(Limits::new().running(1)).start();
    let server = server.await.unwrap();
    let client = road.connect(&server).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("hold", &1).await }
    });
    eventually("the first one runs", || held.inside() == 1).await;
    let ended = request_in(soon(), &client, "hang", 2).await;
    assert!(matches!(ended, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{ended:?}");
    // The word of this comes behind the word that nobody waits for the other.
    first.abort();
    client.throw("hang", &3).await.unwrap();
    assert_eq!(take(&mut entries, 1).await, [3], "a call ran that nobody waits for");
}

async fn a_handler_that_is_done_in_time_is_not_disturbed(road: Road) {
    let gate = Gate::shut();
    let (routes, held) = holding(echo(), "hold", &gate);
    let server = road.serve(routes).await;
    let client = road.connect(&server).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { request_in(Duration::from_secs(50), &client, "hold", 4).await }
    });
    eventually("the handler runs", || held.inside() == 1).await;
    gate.open();
    assert_eq!(call.await.unwrap().unwrap(), serde_json::json!(4));
}
