//! What calls cost in allocations and bytes allocated, both sides together on one thread: exact numbers, so that a change
//! shows. `ARCHITECTURE.md` says what each is for. In `calls`: in system calls.

#[cfg(unix)]
mod calls;
#[cfg(unix)]
mod counted;

use std::ops::RangeInclusive;

use allocation_counter::{AllocationInfo, measure};
use communica::{Bytes, BytesSerializer, LocalConnector, RouteClient, RouteServer, RouteServerHandle};
use communica_tests::{in_time, scratch::unique};
use tokio::runtime::{Builder, Runtime};

const CALLS: u64 = 1000;
const MIB: u64 = 1 << 20;

#[communica::service]
trait Desk {
    async fn next(&self, number: u64) -> u64;
    async fn soon(&self, number: u64) -> u64;
    async fn note(&self, number: u64);
    #[route(serializer = BytesSerializer)]
    async fn carry(&self, payload: Bytes) -> Bytes;
}

struct Clerk;

impl Desk for Clerk {
    async fn next(&self, number: u64) -> u64 {
        number + 1
    }

    async fn soon(&self, number: u64) -> u64 {
        tokio::task::yield_now().await;
        number + 1
    }

    async fn note(&self, _number: u64) {}

    async fn carry(&self, payload: Bytes) -> Bytes {
        payload
    }
}

/// So many allocations for each of the calls, and those that many calls share: buffers that are read into, lists. On Linux
/// these are the same every time but for throws, of which now more and now fewer come together.
fn assert_each(cost: &AllocationInfo, each: u64, shared: RangeInclusive<u64>) {
    let shared = if cfg!(target_os = "linux") { shared } else { 0..=CALLS - 1 };
    let beyond = cost.count_total.checked_sub(each * CALLS);
    assert!(beyond.is_some_and(|beyond| shared.contains(&beyond)), "{beyond:?} of {shared:?}: {cost:?}");
}

/// Both sides, on this thread.
struct Pair {
    desk: DeskClient,
    _server: RouteServerHandle,
    runtime: Runtime,
}

impl Pair {
    fn new() -> Self {
        let (name, runtime) = (unique("costs"), Builder::new_current_thread().enable_all().build().unwrap());
        let (desk, _server) = runtime.block_on(async {
            let server = RouteServer::new(LocalConnector::new(&name), Clerk.into_routes());
            let server = server.start().await.unwrap();
            (DeskClient::new(RouteClient::connect(LocalConnector::new(&name)).await.unwrap()), server)
        });
        Self { desk, _server, runtime }
    }

    /// What it allocates when it is done for the second time: buffers have their size then.
    fn measure(&self, work: impl AsyncFn(&DeskClient)) -> AllocationInfo {
        let once = || self.runtime.block_on(in_time(work(&self.desk)));
        once();
        measure(once)
    }
}

#[test]
fn a_request_whose_handler_is_ready() {
    let cost = Pair::new().measure(async |desk| {
        for number in 0..CALLS {
            assert_eq!(desk.next(number).await.unwrap(), number + 1);
        }
    });
    assert_each(&cost, 4, 380..=450);
}

#[test]
fn a_request_whose_handler_waits() {
    let cost = Pair::new().measure(async |desk| {
        for number in 0..CALLS {
            assert_eq!(desk.soon(number).await.unwrap(), number + 1);
        }
    });
    assert_each(&cost, 9, 630..=700);
}

#[test]
fn a_throw() {
    let cost = Pair::new().measure(async |desk| {
        for number in 0..CALLS {
            desk.throw_note(number).await.unwrap();
        }
        // The handlers are done when this is answered.
        desk.next(0).await.unwrap();
    });
    assert_each(&cost, 1, 8..=40);
}

/// What is read has to stand somewhere, and its memory goes to whoever gets it: as many bytes as came, and the buffer that
/// saw the beginning of it. Nothing is allocated to send.
#[test]
fn a_mib_in_one_piece() {
    let payload = Bytes::from(vec![7; MIB as usize]);
    let cost = Pair::new().measure(async |desk| {
        for _ in 0..20 {
            assert_eq!(desk.carry(payload.clone()).await.unwrap(), payload);
        }
    });
    let each_way = cost.bytes_total / 40;
    assert!(each_way < MIB * 14 / 10, "{each_way} bytes: {cost:?}");
    // What comes in other pieces takes more reads.
    let most = if cfg!(target_os = "linux") { 40 * 15 } else { 40 * 20 };
    assert!(cost.count_total < most, "{cost:?}");
}

/// Here each piece is copied to where the whole is put together, which is where the one before stood: only heads of pieces,
/// and what they are read into, are allocated.
#[test]
fn many_mib_in_pieces() {
    let payload = Bytes::from(vec![7; 16 * MIB as usize]);
    let pair = Pair::new();
    let measure = || {
        pair.measure(async |desk| {
            for _ in 0..4 {
                assert_eq!(desk.carry(payload.clone()).await.unwrap(), payload);
            }
        })
    };
    let each_way_and_mib = |cost: &AllocationInfo| cost.bytes_total / (2 * 4 * 16);
    let mut cost = measure();
    // That place is kept for a second, which a busy machine may let pass.
    for _ in 0..4 {
        if each_way_and_mib(&cost) >= MIB / 20 {
            cost = measure();
        }
    }
    assert!(each_way_and_mib(&cost) < MIB / 20, "{cost:?}");
    assert_eq!(cost.count_total / (2 * 4 * 16), 33, "{cost:?}");
}
