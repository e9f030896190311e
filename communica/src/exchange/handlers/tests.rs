//! Handlers in a row, and what is forgotten meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{sleep, timeout};

use super::*;
use crate::connector::LinkTx;
use crate::limits::Limits;
use crate::session::What;
use crate::wire::Batch;

/// Others have to have their turn between them: a driver says that this side lives, and reads answers.
#[tokio::test]
async fn handlers_in_a_row_take_their_turns() {
    for (time, throws) in [(Duration::from_micros(200), 200), (Duration::from_millis(4), 20)] {
        handlers_take_their_turns(time, throws).await;
    }
}

async fn handlers_take_their_turns(time: Duration, throws: usize) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let kept = ran.clone();
    let table = crate::RouteTable::new().route("compute", move |number: usize| {
        let began = Instant::now();
        while began.elapsed() < time {}
        kept.lock().unwrap().push(number);
    });
    let handlers = Arc::new(Handlers::Table(table));
    let exchange =
        Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
    for number in 0..throws {
        let message = Message::parse(
            Bytes::from_static(br#"{"id":"","type":2,"route":"compute"}"#),
            Bytes::from(number.to_string()),
        );
        exchange.session().receive(&mut message.unwrap());
    }
    exchange.start_jobs(&mut VecDeque::new());
    assert!(ran.lock().unwrap().len() < throws, "all of them ran in one turn");
    let all = async {
        while ran.lock().unwrap().len() < throws {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("the rest starts, too");
    assert!(ran.lock().unwrap().iter().copied().eq(0..throws));
}

/// Nobody waits for an answer to a throw; but its handler may say something, and so may others meanwhile.
#[tokio::test]
async fn what_waits_goes_out_while_throws_are_handled() {
    // A thread that is kept from its processor for long ends the turn, and then there is less to see.
    let seen: Vec<_> = (0..20).map(|_| batches_out_while_throws_are_handled()).collect();
    assert!(seen.contains(&vec![0, 1, 1, 1, 1]), "{seen:?}");
}

/// The first of five handlers says something. How many batches had gone out when each was done?
fn batches_out_while_throws_are_handled() -> Vec<usize> {
    let sent = Arc::new(AtomicUsize::new(0));
    let (seen, ran) = (sent.clone(), Arc::new(Mutex::new(Vec::new())));
    let (kept, asks) = (ran.clone(), Arc::new(Mutex::new(None::<Arc<Exchange>>)));
    let asked = asks.clone();
    let table = crate::RouteTable::new().route("compute", move |_: usize| {
        if let Some(exchange) = asked.lock().unwrap().take() {
            let mut said = std::pin::pin!(exchange.throw(What::default(), Vec::new().into(), None));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(said.as_mut().poll(&mut cx).is_ready());
        }
        let began = Instant::now();
        while began.elapsed() < 2 * STARTS_UNSEEN {}
        kept.lock().unwrap().push(seen.load(Ordering::Relaxed));
    });
    let handlers = Arc::new(Handlers::Table(table));
    let exchange =
        Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
    exchange.attach(Box::new(Takes(sent)), Arc::default(), None);
    *asks.lock().unwrap() = Some(exchange.clone());
    for _ in 0..5 {
        let metadata = Bytes::from_static(br#"{"id":"","type":2,"route":"compute"}"#);
        exchange.session().receive(&mut Message::parse(metadata, Bytes::from_static(b"1")).unwrap());
    }
    exchange.start_jobs(&mut VecDeque::new());
    let ran = ran.lock().unwrap();
    ran.clone()
}

/// Takes all it is given, and counts that.
struct Takes(Arc<AtomicUsize>);

impl LinkTx for Takes {
    fn in_chunks(&self) -> bool {
        false
    }

    fn poll_send(&mut self, _: &mut std::task::Context<'_>, batch: &mut Batch) -> Poll<std::io::Result<()>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        *batch = Batch::default();
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut std::task::Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What was taken to be started together is no more wanted than what waits.
#[tokio::test]
async fn what_is_forgotten_does_not_start_because_it_was_next() {
    for (throws_too, ran_then) in [(false, vec!["0", "2", "4", "6", "8"]), (true, vec!["0"])] {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let kept = ran.clone();
        let forget = Arc::new(Mutex::new(None::<Arc<Exchange>>));
        let forgets = forget.clone();
        let table = crate::RouteTable::new().route("compute", move |text: String| {
            if let Some(exchange) = forgets.lock().unwrap().take() {
                if throws_too {
                    exchange.session().forget_jobs();
                } else {
                    exchange.stop_requests();
                }
            }
            let began = Instant::now();
            while began.elapsed() < 2 * STARTS_UNSEEN {}
            kept.lock().unwrap().push(text);
        });
        let handlers = Arc::new(Handlers::Table(table));
        let exchange =
            Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
        *forget.lock().unwrap() = Some(exchange.clone());
        for number in 0..10 {
            let metadata = format!(r#"{{"id":"{number}","type":{},"route":"compute"}}"#, 2 - number % 2);
            let payload = Bytes::from(format!("\"{number}\""));
            exchange.session().receive(&mut Message::parse(metadata.into(), payload).unwrap());
        }
        exchange.start_jobs(&mut VecDeque::new());
        assert_eq!(*ran.lock().unwrap(), ran_then);
        assert!(exchange.session().no_jobs());
    }
}

#[test]
fn answers_go_out_in_parts_unless_a_store_takes_them() {
    let now = Duration::ZERO;
    let parts = |messages, stored| {
        let mut unsent = Unsent::new(messages, stored);
        let mut answer = || {
            unsent.add(now);
            unsent.go_out(now)
        };
        (0..64).filter(|_| answer()).count()
    };
    assert_eq!(parts(64, false), 4, "a quarter each time");
    assert_eq!(parts(16, false), 8, "eight each time");
    assert_eq!([parts(65, false), parts(64, true)], [0, 0]);
}

#[test]
fn answers_wait_for_a_moment() {
    let now = Duration::ZERO;
    let waits = [(64, false, FEW_WAIT), (65, false, ANSWERS_WAIT), (64, true, ANSWERS_WAIT_STORED)];
    for (messages, stored, wait) in waits {
        let mut unsent = Unsent::new(messages, stored);
        assert!(!unsent.go_out(now + 2 * wait), "there are none");
        unsent.add(now);
        unsent.add(now + wait);
        assert!(!unsent.go_out(now + wait));
        assert!(unsent.go_out(now + wait + Duration::from_nanos(1)));
        assert!(!unsent.go_out(now + 2 * wait), "they are gone");
    }
}
