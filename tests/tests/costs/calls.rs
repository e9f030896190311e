//! What calls cost in system calls, both sides together on one thread: reads and writes, see [`counted`](super::counted).

use std::time::Duration;

use communica::{Bytes, Limits, RouteClient, RouteServer};
use communica_tests::in_time;
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::counted::{CountedConnector, Counts};
use super::{CALLS, Clerk, Desk, DeskClient, MIB};

/// Reads and writes of what was done for the second time.
fn count(work: impl AsyncFn(&DeskClient)) -> Counts {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connector = CountedConnector::new();
        // Signs of life would be writes, too, and come when the clock says so.
        let limits = Limits::new().silence_time(Duration::from_secs(24 * 60 * 60));
        let server = RouteServer::new(connector.clone(), Clerk.into_routes()).limits(limits.clone());
        let server = server.start().await.unwrap();
        let client = RouteClient::builder(connector.clone()).limits(limits).connect().await.unwrap();
        let desk = DeskClient::new(client);
        in_time(work(&desk)).await;
        connector.calls().take();
        in_time(work(&desk)).await;
        let calls = connector.calls().take();
        drop(server);
        calls
    })
}

/// Each side reads once and writes once.
#[test]
fn a_request() {
    let Counts { reads, writes, .. } = count(async |desk| {
        for number in 0..CALLS {
            desk.next(number).await.unwrap();
        }
    });
    assert_eq!((reads, writes), (2 * CALLS, 2 * CALLS));
}

/// What is asked together goes together, and so do the answers, but that the first need not wait for long for the last. Where the thread
/// loses its processor, they wait longer: the best of some runs counts.
#[test]
fn requests_of_many_callers() {
    let mut counted = Vec::new();
    while counted.len() < 10 {
        let counts = count(ask_together);
        let servers_writes = counts.writes - counts.clients_writes;
        if counts.reads < 2 * CALLS + 20 && counts.clients_writes < CALLS + 20 && servers_writes < 12 * CALLS
        {
            return;
        }
        counted.push(counts);
    }
    panic!("reads and writes in {CALLS} rounds: {counted:?}");
}

async fn ask_together(desk: &DeskClient) {
    const CALLERS: u64 = 64;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        let desk = desk.clone();
        callers.spawn(async move {
            for _ in 0..CALLS {
                desk.next(number).await.unwrap();
            }
        });
    }
    callers.join_all().await;
}

#[test]
fn throws() {
    let Counts { reads, writes, .. } = count(async |desk| {
        for number in 0..CALLS {
            desk.throw_note(number).await.unwrap();
        }
        desk.next(0).await.unwrap();
    });
    // Three and two, unless a thread loses its processor.
    assert!(reads <= 10 && writes <= 10, "{reads} reads, {writes} writes for {CALLS} throws");
}

/// A socket holds 208 KiB where nobody set it otherwise: then it takes six reads and five writes.
#[test]
fn a_mib_each_way() {
    let payload = Bytes::from(vec![7; MIB as usize]);
    let Counts { reads, writes, .. } = count(async |desk| {
        for _ in 0..20 {
            assert_eq!(desk.carry(payload.clone()).await.unwrap(), payload);
        }
    });
    assert!(reads < 40 * 7 && writes < 40 * 6, "{reads} reads, {writes} writes for 40 MiB");
}

/// After a message, once it is known how they come, for as long as was set; not at all where nothing was.
#[test]
fn a_link_is_looked_at_again_and_again_only_where_that_was_asked_for() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(looks(Duration::ZERO).await <= 2);
        // Once the thread loses its processor meanwhile, there are no more for now.
        let mut most = 0;
        for _ in 0..40 {
            most = most.max(looks(Duration::from_millis(100)).await);
            if most > 100 {
                return;
            }
        }
        panic!("{most} looks in 100 ms");
    });
}

/// How often the system is asked for a message that does not come, in a moment after the last one and in `time`.
async fn looks(time: Duration) -> u64 {
    let connector = CountedConnector::new();
    let limits = Limits::new().silence_time(Duration::from_secs(24 * 60 * 60)).busy_poll_time(time);
    let server = RouteServer::new(connector.clone(), Clerk.into_routes()).limits(limits.clone());
    let _server = server.start().await.unwrap();
    let client = RouteClient::builder(connector.clone()).limits(limits).connect().await.unwrap();
    let desk = DeskClient::new(client);
    // With the last of them it knows.
    for number in 0..34 {
        sleep(Duration::from_millis(1)).await;
        in_time(desk.next(number)).await.unwrap();
    }
    connector.calls().take_looks();
    sleep(2 * time + Duration::from_millis(100)).await;
    let looks = connector.calls().take_looks();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(connector.calls().take_looks(), 0, "nothing comes, and it goes on");
    looks
}
