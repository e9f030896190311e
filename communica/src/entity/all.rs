//! Many futures go in; their outcomes come out, in the same order. Each is polled when it was woken, and no other with it.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Waits for all, side by side.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut outcomes: Vec<_> = waiting.iter().map(|_| None).collect();
    let mut left = waiting.len();
    let woken = Arc::new(Mutex::new(Woken::everybody(left)));
    poll_fn(|cx| {
        let mut whole = Some(cx.waker().clone());
        let due = lock(&woken).take(&mut whole);
        // The one that polled earlier ends under no lock.
        drop(whole);
        for index in due {
            let Some(future) = &mut waiting[index] else { continue };
            let waker = Waker::from(Arc::new(One { index, woken: woken.clone() }));
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                (waiting[index], outcomes[index]) = (None, Some(value));
                left -= 1;
            }
        }
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}

/// Who is to be polled.
struct Woken {
    due: Vec<usize>,
    is_due: Vec<bool>,
    /// Who polls them.
    whole: Option<Waker>,
}

impl Woken {
    fn everybody(count: usize) -> Self {
        Self { due: (0..count).collect(), is_due: vec![true; count], whole: None }
    }

    /// Those that were woken. Who is woken from now on is told to `whole`, which is exchanged for the one that was told before.
    fn take(&mut self, whole: &mut Option<Waker>) -> Vec<usize> {
        std::mem::swap(&mut self.whole, whole);
        let due = std::mem::take(&mut self.due);
        for &index in &due {
            self.is_due[index] = false;
        }
        due
    }

    /// Gives who is to be told of it.
    fn wake(&mut self, index: usize) -> Option<Waker> {
        if std::mem::replace(&mut self.is_due[index], true) {
            return None;
        }
        self.due.push(index);
        self.whole.take()
    }
}

/// Wakes the whole for one of them.
struct One {
    index: usize,
    woken: Arc<Mutex<Woken>>,
}

impl Wake for One {
    fn wake(self: Arc<Self>) {
        let whole = lock(&self.woken).wake(self.index);
        if let Some(whole) = whole {
            whole.wake();
        }
    }
}

fn lock(woken: &Mutex<Woken>) -> MutexGuard<'_, Woken> {
    // Nothing panics with the lock held.
    woken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_is_not_woken_is_not_polled() {
        const MANY: usize = 1000;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..MANY).map(|_| oneshot::channel()).unzip();
        let polls = &Cell::new(0);
        let counted = receivers.into_iter().map(|mut receiver| {
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                Pin::new(&mut receiver).poll(cx).map(Result::unwrap)
            })
        });
        let mut whole = pin!(all(counted));
        let mut outcome = Poll::Pending;
        for (index, sender) in senders.into_iter().enumerate().rev() {
            let woken = Arc::new(Count::default());
            let waker = Waker::from(woken.clone());
            assert_eq!(whole.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
            sender.send(index).unwrap();
            assert_eq!(woken.0.load(Ordering::Relaxed), 1, "who polled last is told");
            outcome = whole.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        assert_eq!(outcome, Poll::Ready((0..MANY).collect()));
        // At first, and when its turn came.
        assert_eq!(polls.get(), 2 * MANY);
    }

    #[test]
    fn who_wakes_itself_is_polled_again() {
        let mut left = 3;
        let restless = poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let mut whole = pin!(all([restless].into_iter()));
        let woken = Arc::new(Count::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        for times in 1..=3 {
            assert_eq!(whole.as_mut().poll(&mut cx), Poll::Pending);
            assert_eq!(woken.0.load(Ordering::Relaxed), times);
        }
        assert_eq!(whole.as_mut().poll(&mut cx), Poll::Ready(vec![()]));
    }

    #[test]
    fn of_nobody_nothing_is_awaited() {
        let mut nobody = pin!(all(std::iter::empty::<std::future::Pending<()>>()));
        assert_eq!(nobody.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(vec![]));
    }
}
