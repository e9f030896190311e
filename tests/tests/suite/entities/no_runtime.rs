//! Calls are made on a thread that knows of no runtime: they do what they do elsewhere, and in time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use communica::{
    Error, FaultConnector, Faults, IntoCaller, Limits, MemoryConnector, Reason, RouteClient, RouteServer,
};
use communica_tests::patiently;

use crate::support::{echo, eventually, hanging, memory_server, request_in, soon, throw_in, within};

/// What drives a future where there is no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut cx, mut future) = (Context::from_waker(&waker), pin!(future));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs this on a thread that knows of no runtime.
async fn elsewhere<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (tells, told) = tokio::sync::oneshot::channel();
    thread::spawn(move || drop(tells.send(block_on(work))));
    told.await.expect("the thread did not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_limits_hold_where_there_is_no_runtime() {
    const SHORT: Duration = Duration::from_millis(50);
    within(30, async {
        let (routes, _entries) = hanging(echo(), "hang");
        let (server, road) = memory_server(routes).await;
        let nobody = server.any_peer();
        let ended = elsewhere(async move { request_in(SHORT, nobody, "echo", 1).await }).await;
        assert!(matches!(ended, Err(Error::NotSent(Reason::TimedOut { limit: SHORT, .. }))), "{ended:?}");
        let client = RouteClient::connect(road).await.unwrap();
        let peer = (&client).into_caller();
        let (called, thrown, hung) = elsewhere(async move {
            let called = request_in(patiently(20), &peer, "echo", 1).await;
            let thrown = throw_in(patiently(20), &peer, "echo", 1).await;
            (called, thrown, request_in(soon(), &peer, "hang", 1).await)
        })
        .await;
        assert_eq!((called.unwrap(), thrown.unwrap()), (1.into(), ()));
        assert!(matches!(hung, Err(Error::MayHaveRun(Reason::TimedOut { .. }))), "{hung:?}");
        elsewhere(async move {
            client.close().await;
            server.stop().await;
        })
        .await;
    })
    .await;
}

/// The server's clock says when it is to be told that nobody came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_client_needs_no_runtime() {
    const SHORT: Duration = Duration::from_millis(50);
    within(30, async {
        let road = MemoryConnector::unique();
        let server = RouteServer::new(road.clone(), echo()).limits(Limits::new().resume_time(SHORT));
        let server = server.start().await.unwrap();
        let wait = {
            let server = server.clone();
            tokio::spawn(elsewhere(async move {
                let any = server.any_peer().request::<_, i64>("echo", &1).await;
                (server.peer("w1").await.client_id().to_owned(), any)
            }))
        };
        // Without a clock of its own, too.
        let timeless = {
            let server = server.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { server.peer("w1").await.client_id().to_owned() })
            })
        };
        tokio::time::sleep(4 * SHORT).await;
        let client = RouteClient::builder(road).client_id("w1").routes(echo()).connect().await.unwrap();
        let (found, called) = wait.await.unwrap();
        assert_eq!((found.as_str(), called.unwrap()), ("w1", 1));
        assert_eq!(tokio::task::spawn_blocking(|| timeless.join().unwrap()).await.unwrap(), "w1");
        client.close().await;
        server.stop().await;
    })
    .await;
}

/// Whoever calls sends, if nobody else does, and links may need the runtime that the caller has not, or not for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_out_from_anywhere_over_links_that_need_a_runtime() {
    within(30, async {
        let road = MemoryConnector::unique();
        let server = RouteServer::new(road.clone(), echo()).start().await.unwrap();
        let slow = FaultConnector::new(
            road,
            Faults::seeded(1).delay(Duration::from_millis(1)..=Duration::from_millis(2)),
        );
        let client = RouteClient::connect(slow).await.unwrap();
        let peer = (&client).into_caller();
        let (called, peer) =
            elsewhere(async move { (request_in(patiently(20), &peer, "echo", 1).await, peer) }).await;
        assert_eq!(called.unwrap(), 1);
        let peer = thread::spawn(move || {
            let short = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            short.block_on(async {
                let mut begun = pin!(request_in(patiently(20), &peer, "echo", 2));
                let first = poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await;
                assert!(first.is_pending(), "it was only begun");
            });
            peer
        })
        .join()
        .unwrap();
        assert_eq!(request_in(patiently(20), &peer, "echo", 3).await.unwrap(), 3);
        client.close().await;
        server.stop().await;
    })
    .await;
}

/// Its last words to those who would come back need the runtime, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_where_there_is_no_runtime() {
    within(30, async {
        let road = MemoryConnector::unique();
        let faults = Faults::seeded(1).delay(Duration::from_millis(1)..=Duration::from_millis(2));
        let server =
            RouteServer::new(FaultConnector::new(road.clone(), faults), echo()).start().await.unwrap();
        let client = RouteClient::connect(road).await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        elsewhere(async move { drop(server) }).await;
        eventually("the client sees it end", || !client.is_connected()).await;
        client.close().await;
    })
    .await;
}
