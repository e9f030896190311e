//! A process is killed, and another one takes its place, or none: calls end at once, or go to the new one.

use std::time::Duration;

use communica::{
    AnyConnector, CallError, Error, IntoCaller, Limits, Peer, Reason, RouteClient, RouteServer, RouteTable,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::runner::{Runner, over_both_roads};
use crate::support::{echo, eventually, quick, request_in, within};

/// What the process does, as its callers see it.
#[communica::service]
trait Holding {
    async fn hold(&self, number: i64) -> i64;
}

/// The same, where it does no harm to do it twice.
#[communica::service]
trait HoldingAgain {
    #[route(name = "hold", idempotent)]
    async fn hold_again(&self, number: i64) -> i64;
}

/// Far less than `Limits::resume_time`, which is 30 s.
const AT_ONCE: Duration = Duration::from_secs(10);

const SERVER_GONE: &str = "the server is gone";
const CLIENT_GONE: &str = "the client's process ended";
const NO_OTHER: &str = "no new connection within 500ms";

/// One that may not be repeated and one that may.
fn calls(target: impl IntoCaller<Caller = Peer>) -> [JoinHandle<Result<i64, CallError>>; 2] {
    let peer = target.into_caller();
    let (plain, again) = (HoldingClient::new(&peer), HoldingAgainClient::new(&peer));
    [tokio::spawn(async move { plain.hold(1).await }), tokio::spawn(async move { again.hold_again(2).await })]
}

fn is_local(road: &AnyConnector) -> bool {
    road.dump_state().contains("LocalConnector")
}

/// A server is told whose sockets its clients have, and whether they still run.
fn tells_of_clients(road: &AnyConnector) -> bool {
    is_local(road) && cfg!(target_os = "linux")
}

/// What is said of the link to a peer of which nobody knows whether it ran the call.
fn lost(ended: Result<i64, CallError>) -> String {
    match ended {
        Err(CallError::Failed(Error::MayHaveRun(Reason::Disconnected(why)))) => why,
        other => panic!("{other:?}"),
    }
}

/// Nobody can be asked any more what became of the call: another process says so, or, where it can be known, that there
/// is none.
fn assert_lost(ended: Result<i64, CallError>, known: bool, gone: &str) {
    if !matches!(&ended, Err(CallError::Failed(Error::MayHaveRun(Reason::Restarted)))) {
        let why = lost(ended);
        assert!(known && why.contains(gone), "{why}");
    }
}

over_both_roads!(
    a_restarted_server_gets_what_may_run_twice_and_the_rest_ends_at_once,
    a_restarted_client_gets_what_may_run_twice_and_the_rest_ends_at_once,
    calls_to_a_server_that_is_killed_and_never_back_end,
    calls_to_a_client_that_is_killed_and_never_back_end,
);

async fn both_noted(process: &mut Runner) {
    let mut noted = [process.noted().await, process.noted().await];
    noted.sort_unstable();
    assert_eq!(noted, [1, 2]);
}

async fn a_restarted_server_gets_what_may_run_twice_and_the_rest_ends_at_once(road: AnyConnector) {
    let mut server = Runner::server(&road);
    let client = quick(RouteClient::builder(road.clone())).connect().await.unwrap();
    let [plain, again] = calls(&client);
    both_noted(&mut server).await;
    server.kill().await;
    eventually("the link is gone", || !client.is_connected()).await;
    let unsent = tokio::spawn({
        let client = client.clone();
        async move { client.request::<_, i64>("echo", &3).await }
    });
    client.throw("note", &4).await.unwrap();
    let since = Instant::now();
    let mut server = Runner::server(&road);
    assert_lost(within(AT_ONCE.as_secs(), plain).await.unwrap(), is_local(&road), SERVER_GONE);
    assert!(since.elapsed() < AT_ONCE);
    assert_eq!(unsent.await.unwrap().unwrap(), 3);
    let mut noted = [server.noted().await, server.noted().await];
    noted.sort_unstable();
    assert_eq!(noted, [2, 4], "the new one gets what was not sent, and what may run twice");
    assert!(!again.is_finished());
    server.open().await;
    assert_eq!(again.await.unwrap().unwrap(), 20);
}

async fn a_restarted_client_gets_what_may_run_twice_and_the_rest_ends_at_once(road: AnyConnector) {
    let server = RouteServer::new(road.clone(), RouteTable::new()).start().await.unwrap();
    let mut client = Runner::client(&road, "w1");
    let [plain, again] = calls(server.peer("w1").await);
    both_noted(&mut client).await;
    client.kill().await;
    eventually("the link is gone", || server.peers().is_empty()).await;
    let mut client = Runner::client(&road, "w1");
    let ended = within(AT_ONCE.as_secs(), plain).await.unwrap();
    assert_lost(ended, tells_of_clients(&road), CLIENT_GONE);
    assert_eq!(client.noted().await, 2);
    client.open().await;
    assert_eq!(within(30, again).await.unwrap().unwrap(), 20);
}

async fn calls_to_a_server_that_is_killed_and_never_back_end(road: AnyConnector) {
    let mut server = Runner::server(&road);
    let limits = Limits::new().resume_time(Duration::from_millis(500));
    let why = if is_local(&road) { SERVER_GONE } else { NO_OTHER };
    let client = quick(RouteClient::builder(road)).limits(limits).grace(Duration::from_millis(100));
    let client = client.connect().await.unwrap();
    let [plain, again] = calls(&client);
    both_noted(&mut server).await;
    server.kill().await;
    let told = lost(within(10, plain).await.unwrap());
    assert!(told.contains(why), "{told}");
    assert!(!again.is_finished(), "this one waits for the next server");
    let timed = request_in(Duration::from_millis(50), &client, "echo", 1).await;
    assert!(matches!(timed, Err(Error::NotSent(Reason::TimedOut { .. }))), "{timed:?}");
    let waits = client.inflight();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_eq!((waits[0].route.as_deref(), waits[0].is_sent), (Some("hold"), true));
    within(10, client.close()).await;
    let ended = within(5, again).await.unwrap();
    assert!(matches!(ended, Err(CallError::Failed(Error::MayHaveRun(Reason::Closed)))), "{ended:?}");
}

async fn calls_to_a_client_that_is_killed_and_never_back_end(road: AnyConnector) {
    let (limits, why) = match tells_of_clients(&road) {
        true => (Limits::new(), CLIENT_GONE),
        false => (Limits::new().resume_time(Duration::from_millis(500)), NO_OTHER),
    };
    let server = RouteServer::new(road.clone(), echo()).limits(limits).start().await.unwrap();
    let mut client = Runner::client(&road, "w1");
    let peer = server.peer("w1").await;
    let [plain, again] = calls(&peer);
    both_noted(&mut client).await;
    client.kill().await;
    let told = lost(within(AT_ONCE.as_secs(), plain).await.unwrap());
    assert!(told.contains(why), "{told}");
    let waits = server.inflight();
    assert_eq!(waits.len(), 1, "the other one waits for the next client: {waits:?}");
    assert!(!again.is_finished());
}
