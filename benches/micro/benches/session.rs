//! Calls between two sides in one process, on one thread and without sockets → how long they take: session, dispatch and
//! tasks, and serializers of next to nothing.

use communica::{MemoryConnector, RouteClient, RouteServer, RouteServerHandle};
use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

#[communica::service]
trait Desk {
    async fn next(&self, number: u64) -> u64;
}

struct Clerk;

impl Desk for Clerk {
    async fn next(&self, number: u64) -> u64 {
        number + 1
    }
}

#[divan::bench(args = [1, 64])]
fn requests(bencher: Bencher<'_, '_>, together: u64) {
    let pair = Pair::new("requests");
    bencher.counter(ItemsCount::new(together)).bench_local(|| {
        pair.runtime.block_on(async {
            let calls = (0..together).map(|number| {
                let desk = pair.desk.clone();
                tokio::spawn(async move { desk.next(number).await.expect("an answer") })
            });
            for (number, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
                assert_eq!(call.await.expect("no panic"), number as u64 + 1);
            }
        });
    });
}

#[divan::bench(args = [64])]
fn throws(bencher: Bencher<'_, '_>, together: u64) {
    let pair = Pair::new("throws");
    bencher.counter(ItemsCount::new(together)).bench_local(|| {
        pair.runtime.block_on(async {
            for number in 0..together {
                pair.desk.throw_next(number).await.expect("accepted");
            }
            pair.desk.next(0).await.expect("an answer, behind all of them")
        })
    });
}

struct Pair {
    desk: DeskClient,
    _server: RouteServerHandle,
    runtime: Runtime,
}

impl Pair {
    fn new(name: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (desk, _server) = runtime.block_on(async {
            let road = MemoryConnector::new(name);
            let server =
                RouteServer::new(road.clone(), Clerk.into_routes()).start().await.expect("it is free");
            let client = RouteClient::connect(road).await.expect("the server listens");
            (DeskClient::new(client), server)
        });
        Self { desk, _server, runtime }
    }
}
