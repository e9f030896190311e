//! A link that is told that it is looked at, and wakes nobody meanwhile.

use super::*;

/// Messages come one after the other, and after a pause the last one.
struct Paced {
    next: Pin<Box<Sleep>>,
    left: u32,
    busy: bool,
    told: Arc<Mutex<Vec<bool>>>,
}

impl Paced {
    const EACH: Duration = Duration::from_millis(1);
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
        ready!(self.next.as_mut().poll(&mut Context::from_waker(waker)));
        if self.left == 0 {
            return Poll::Ready(Ok(Received::Closed { reason: None }));
        }
        self.left -= 1;
        self.next = Box::pin(sleep(if self.left == 1 { Self::PAUSE } else { Self::EACH }));
        into.push(Message::parse(r#"{"id":"1","type":5}"#.into(), Bytes::new()).unwrap());
        Poll::Ready(Ok(Received::Messages))
    }

    fn busy_poll(&mut self, on: bool) {
        self.busy = on;
        self.told.lock().unwrap().push(on);
    }
}

async fn what_a_link_is_told(time: Duration, messages: u32) -> Vec<bool> {
    let limits = Limits::default().busy_poll_time(time);
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
    let told = Arc::default();
    let next = Box::pin(sleep(Paced::EACH));
    let rx = Paced { next, left: messages, busy: false, told: Arc::clone(&told) };
    let link = Link::new(Counts::default(), rx, Bytes::new(), "somewhere".to_owned());
    let end = timeout(Duration::from_secs(30), drive(&exchange, link, None, false)).await;
    assert!(matches!(end.expect("what comes is found or wakes"), LinkEnd::Peer(None)));
    let mut told = told.lock().unwrap().clone();
    told.dedup();
    told
}

#[tokio::test]
async fn nobody_is_woken_while_each_message_is_found_and_somebody_is_after_a_pause() {
    assert_eq!(what_a_link_is_told(Duration::from_millis(100), 60).await, [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_is_so_on_threads() {
    assert_eq!(what_a_link_is_told(Duration::from_millis(100), 60).await, [true, false]);
}

#[tokio::test]
async fn where_nobody_looks_all_are_woken() {
    assert!(what_a_link_is_told(Duration::ZERO, 60).await.is_empty());
    assert!(what_a_link_is_told(Duration::from_millis(100), 20).await.is_empty(), "too few to know");
}
