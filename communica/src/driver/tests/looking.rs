//! A link that is told that it is looked at, and wakes nobody meanwhile.

use super::*;

/// Messages come one after the other, until it is told that it is looked at or there were enough, and after a pause the last one.
struct Paced {
    due: std::time::Instant,
    pause: Option<Pin<Box<Sleep>>>,
    left: usize,
    busy: bool,
    told: Arc<Mutex<Vec<bool>>>,
}

impl Paced {
    /// Long enough for a wait that is not cheap.
    const EACH: Duration = Duration::from_micros(40);
    /// Longer than is looked for a message.
    const PAUSE: Duration = Duration::from_millis(300);
}

impl LinkRx for Paced {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let waker = if self.busy { Waker::noop() } else { cx.waker() };
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(&mut Context::from_waker(waker)));
        }
        if self.due.elapsed() < Self::EACH {
            waker.wake_by_ref();
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(Ok(Received::Closed { reason: None }));
        }
        self.left -= 1;
        if self.busy && self.left > 1 {
            self.left = 1;
        }
        self.pause = (self.left == 1).then(|| Box::pin(sleep(Self::PAUSE)));
        self.due = std::time::Instant::now();
        into.push(Message::parse(r#"{"id":"1","type":5}"#.into(), Bytes::new()).unwrap());
        Poll::Ready(Ok(Received::Messages))
    }

    fn busy_poll(&mut self, on: bool) {
        self.busy = on;
        self.told.lock().unwrap().push(on);
    }
}

async fn what_a_link_is_told(time: Duration, messages: usize) -> Vec<bool> {
    let limits = Limits::default().busy_poll_time(time);
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
    let told = Arc::default();
    let due = std::time::Instant::now();
    let rx = Paced { due, pause: None, left: messages, busy: false, told: Arc::clone(&told) };
    let link = Link::new(Counts::default(), rx, Bytes::new(), "somewhere".to_owned());
    let end = timeout(Duration::from_secs(120), drive(&exchange, link, None, false)).await;
    assert!(matches!(end.expect("what comes is found or wakes"), LinkEnd::Peer(None)));
    let mut told = told.lock().unwrap().clone();
    told.dedup();
    told
}

/// A thread that gets no processor for a moment looks in vain, and begins again.
async fn it_is_told_that_it_is_looked_at_and_then_that_it_is_not() {
    let told = what_a_link_is_told(Duration::from_millis(100), usize::MAX).await;
    assert_eq!((told.first(), told.last()), (Some(&true), Some(&false)), "{told:?}");
}

#[tokio::test]
async fn nobody_is_woken_while_each_message_is_found_and_somebody_is_after_a_pause() {
    it_is_told_that_it_is_looked_at_and_then_that_it_is_not().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_is_so_on_threads() {
    it_is_told_that_it_is_looked_at_and_then_that_it_is_not().await;
}

#[tokio::test]
async fn where_nobody_looks_all_are_woken() {
    assert!(what_a_link_is_told(Duration::ZERO, 100).await.is_empty());
    assert!(what_a_link_is_told(Duration::from_millis(100), 20).await.is_empty(), "too few to know");
}

/// The turn from which on what comes wakes somebody may wait behind a task that keeps the thread.
#[tokio::test]
async fn a_driver_is_looked_after_until_somebody_is_woken_again() {
    let limits = Limits::default().busy_poll_time(Duration::from_millis(100));
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
    let told = Arc::default();
    let due = std::time::Instant::now();
    let rx = Paced { due, pause: None, left: usize::MAX, busy: false, told: Arc::clone(&told) };
    let link = Link::new(Counts::default(), rx, Bytes::new(), "somewhere".to_owned());
    let mut driver = drive(&exchange, link, None, false);
    let mut turn = async || poll_fn(|cx| Poll::Ready(Pin::new(&mut driver).poll(cx).is_pending())).await;
    let begun = std::time::Instant::now();
    while told.lock().unwrap().last() != Some(&true) {
        assert!(turn().await && begun.elapsed() < Duration::from_secs(60));
    }
    while told.lock().unwrap().last() == Some(&true) {
        assert!(turn().await && begun.elapsed() < Duration::from_secs(60));
    }
    assert!(!driver.wakes_nobody && driver.nudge.is_on());
    assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(!driver.nudge.is_on());
}
