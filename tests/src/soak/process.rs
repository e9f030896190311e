//! What each process of a soak does: the server answers, calls back and tells how many it has; a house of clients sends
//! its guests in and out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use communica::{
    AnyConnector, Context, FaultConnector, Faults, Limits, LocalConnector, RouteServer, RouteTable,
};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::guest::{self, Book};
use crate::itself::told_to_end;
use crate::scratch::unique;

/// A client that is gone for so long is forgotten: what the server knows of those who never come back is bounded by it.
const FORGET: Duration = Duration::from_secs(5);

fn limits() -> Limits {
    Limits::new().chunk_size(64 * 1024).forget_time(FORGET)
}

/// Echoes, calls back, and takes throws, until it is told to end. `allocated`: bytes of this process.
///
/// # Panics
/// It does not start, or somebody was given a wrong answer.
pub async fn server(seed: u64, allocated: fn() -> usize) {
    let thrown = Arc::new(AtomicU64::new(0));
    let count = thrown.clone();
    let routes = RouteTable::new()
        .route("echo", |text: String| text)
        .route("throw", move |_: String| _ = count.fetch_add(1, Ordering::Relaxed))
        .route("call_back", |cx: Context, text: String| async move {
            cx.peer().throw("throw", &text).await?;
            cx.peer().request::<_, String>("echo", &text).await
        });
    let faults = Faults::seeded(seed)
        .cut_after(1..=20_000_000)
        .short_writes(1..=200_000)
        .stall(1..=30_000_000, Duration::from_millis(50));
    let road = FaultConnector::new(LocalConnector::new(unique("soak")), faults);
    let server =
        RouteServer::new(road.clone(), routes).limits(limits()).start().await.expect("the server starts");
    println!("ready {}", server.dump_state());
    let tell = async {
        let mut ticks = interval(Duration::from_millis(10));
        loop {
            // What is there whatever is under way: the least of a hundred looks.
            let mut least = usize::MAX;
            for _ in 0..100 {
                ticks.tick().await;
                least = least.min(allocated());
            }
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            let (clients, thrown) = (server.peers().len(), thrown.load(Ordering::Relaxed));
            println!("has {tasks} {clients} {} {thrown} {least}", road.cuts());
        }
    };
    tokio::select! {
        () = tell => {}
        () = told_to_end() => {}
    }
    server.stop().await;
}

/// Clients of one process come and go until it is told to end, or is killed.
///
/// # Panics
/// It was not started with a server's state, or a guest came to an end, which none does.
pub async fn house(state: &str, seed: u64, guests: u32) {
    let road = AnyConnector::load_state(state).expect("it is a server's state");
    let book = Arc::new(Book::default());
    let mut all = JoinSet::new();
    for number in 0..guests {
        let faults = Faults::seeded(seed.wrapping_add(number.into()))
            .cut_after(1..=30_000_000)
            .fail_connects(0.02)
            .delay(Duration::ZERO..=Duration::from_millis(3));
        let road = FaultConnector::new(road.clone(), faults);
        all.spawn(guest::come_and_go(road, limits(), seed.wrapping_add(number.into()), book.clone()));
    }
    let tell = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            println!("book {}", book.line());
        }
    };
    tokio::select! {
        () = tell => {}
        () = told_to_end() => {}
        ended = all.join_next() => panic!("a guest came to an end: {ended:?}"),
    }
    println!("book {}", book.line());
}
