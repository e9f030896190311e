//! What may take so long → the same with a time limit, by a clock that runs.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed;

/// Waits no longer than that. The clock is that of the runtime in which the caller is: who calls from another one than its entity's
/// has it also when that one stands still or is over. Where there is none it is `own`, the entity's.
pub(crate) async fn timeout<F: Future>(time: Duration, own: &Handle, work: F) -> Result<F::Output, Passed> {
    if Handle::try_current().is_ok() {
        return tokio::time::timeout(time, work).await.map_err(|_| Passed);
    }
    by_clock_of(own, time, pin!(work)).await
}

/// The same by this clock. It passes at once where that runtime is over. The timer is a task of its own there: one that is polled
/// elsewhere panics when its runtime ends.
pub(crate) async fn by_clock_of<F: Future>(
    runtime: &Handle,
    time: Duration,
    mut work: Pin<&mut F>,
) -> Result<F::Output, Passed> {
    let mut timer = Timer(runtime.spawn(async move { tokio::time::sleep(time).await }));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => Pin::new(&mut timer.0).poll(cx).map(|_| Err(Passed)),
    })
    .await
}

/// Ends with whoever waits for it.
struct Timer(JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Instant;

    use super::*;

    /// A thread without a runtime waits.
    fn wait<T>(work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let this = std::thread::current();
        let waker = std::task::Waker::from(std::sync::Arc::new(Unparks(this)));
        loop {
            match work.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
                Poll::Ready(done) => return done,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    struct Unparks(std::thread::Thread);

    impl std::task::Wake for Unparks {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn a_thread_without_a_runtime_has_the_clock_of_the_entity() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let own = runtime.handle().clone();
        let time = Duration::from_millis(20);
        assert_eq!(wait(timeout(time, &own, ready(1))), Ok(1));
        let start = Instant::now();
        assert_eq!(wait(timeout(time, &own, pending::<()>())), Err(Passed));
        assert!(start.elapsed() >= time);
    }

    #[test]
    fn a_clock_that_stopped_for_good_is_waited_for_by_nobody() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let own = runtime.handle().clone();
        let ends = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            runtime.shutdown_background();
        });
        let long = Duration::from_secs(600);
        assert_eq!(wait(timeout(long, &own, pending::<()>())), Err(Passed));
        ends.join().unwrap();
        assert_eq!(wait(timeout(long, &own, pending::<()>())), Err(Passed));
    }
}
