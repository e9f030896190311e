//! Both sides of a link work at the same time: what is done goes out while the rest is worked on.

use super::*;

/// What went out, and in how many batches.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<(String, usize)>>);

impl Out {
    fn batches(&self) -> usize {
        self.0.lock().unwrap().1
    }

    /// Ids of the messages of a type, in order.
    fn ids(&self, kind: u8) -> Vec<String> {
        let (out, _) = &*self.0.lock().unwrap();
        let ids = out.split(r#"{"id":""#).skip(1).filter_map(|text| {
            let (id, rest) = text.split_once('"')?;
            rest.starts_with(&format!(r#","type":{kind}"#)).then(|| id.to_owned())
        });
        ids.collect()
    }
}

impl LinkTx for Out {
    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let bytes = batch.copy_to_bytes(batch.remaining());
        let (out, batches) = &mut *self.0.lock().unwrap();
        out.push_str(&String::from_utf8_lossy(&bytes));
        *batches += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        true
    }
}

fn message(id: &str, kind: u8) -> Message {
    let metadata = format!(r#"{{"id":"{id}","type":{kind},"route":"echo"}}"#);
    Message::parse(metadata.into(), Bytes::from_static(b"7")).unwrap()
}

/// Brings so many requests at once.
struct AsksAtOnce(usize);

impl LinkRx for AsksAtOnce {
    fn poll_recv(
        &mut self,
        _: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        match std::mem::take(&mut self.0) {
            0 => Poll::Pending,
            requests => {
                into.extend((0..requests).map(|number| message(&number.to_string(), 1)));
                Poll::Ready(Ok(Received::Messages))
            }
        }
    }
}

#[tokio::test]
async fn the_first_answers_do_not_wait_for_the_last() {
    const REQUESTS: usize = 64;
    let handlers = Arc::new(Handlers::Table(RouteTable::new().route("echo", |number: u32| number)));
    let exchange = exchange(Limits::default(), &handlers);
    let out = Out::default();
    let link = Link::new(out.clone(), AsksAtOnce(REQUESTS), Bytes::new(), "somewhere".to_owned());
    let answered = async {
        while out.ids(11).len() < REQUESTS {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = drive(&exchange, link, None, false) => panic!("{end:?}"),
        answered = timeout(Duration::from_secs(30), answered) => answered.expect("all have answers"),
    }
    assert!(out.ids(11).iter().cloned().eq((0..REQUESTS).map(|number| number.to_string())));
    assert!(out.batches() >= 4, "{}", out.batches());
}

/// Answers the first requests that went out, half of them in each of two batches that are there at the same time.
struct AnswersInTwo {
    out: Out,
    answered: usize,
}

const CALLERS: usize = 16;

impl LinkRx for AnswersInTwo {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let requests = self.out.ids(1);
        if requests.len() < CALLERS {
            cx.waker().wake_by_ref();
        }
        if requests.len() < CALLERS || self.answered == CALLERS {
            return Poll::Pending;
        }
        let next = self.answered + CALLERS / 2;
        into.extend(requests[self.answered..next].iter().map(|id| message(id, 11)));
        self.answered = next;
        Poll::Ready(Ok(Received::Messages))
    }
}

#[tokio::test]
async fn what_callers_say_who_were_woken_goes_out_before_more_are() {
    let exchange = exchange(Limits::default(), &Arc::new(Handlers::Table(RouteTable::new())));
    let out = Out::default();
    // Requests that had gone out when the last caller went on.
    let sent = Arc::new(AtomicUsize::new(0));
    let rx = AnswersInTwo { out: out.clone(), answered: 0 };
    let link = Link::new(out.clone(), rx, Bytes::new(), "somewhere".to_owned());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (exchange, out, sent) = (exchange.clone(), out.clone(), sent.clone());
        callers.spawn(async move {
            let call = || exchange.request(What::default(), vec![b'7'].into(), None);
            call().await;
            sent.fetch_max(out.ids(1).len(), Ordering::Relaxed);
            call().await;
        });
    }
    let asked_again = async {
        while out.ids(1).len() < 2 * CALLERS {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        end = drive(&exchange, link, None, false) => panic!("{end:?}"),
        asked = timeout(Duration::from_secs(30), asked_again) => asked.expect("all ask again"),
    }
    assert_eq!(sent.load(Ordering::Relaxed), CALLERS + CALLERS / 2);
}

/// Answers all requests that went out, and is gone when the callers were woken.
struct AnswersAndGoes {
    out: Out,
    answered: bool,
}

impl LinkRx for AnswersAndGoes {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        let requests = self.out.ids(1);
        if requests.len() < CALLERS {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if std::mem::replace(&mut self.answered, true) {
            return Poll::Ready(Ok(Received::Closed { reason: None }));
        }
        into.extend(requests.iter().map(|id| message(id, 11)));
        Poll::Ready(Ok(Received::Messages))
    }
}

/// It would have to count as what may have run.
#[tokio::test]
async fn nothing_goes_out_behind_the_goodbye_of_the_peer() {
    let exchange = exchange(Limits::default(), &Arc::new(Handlers::Table(RouteTable::new())));
    let out = Out::default();
    let rx = AnswersAndGoes { out: out.clone(), answered: false };
    let link = Link::new(out.clone(), rx, Bytes::new(), "somewhere".to_owned());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let exchange = exchange.clone();
        callers.spawn(async move {
            for _ in 0..2 {
                exchange.request(What::default(), vec![b'7'].into(), None).await;
            }
        });
    }
    let end = timeout(Duration::from_secs(30), drive(&exchange, link, None, false)).await;
    assert!(matches!(end, Ok(LinkEnd::Peer(None))), "{end:?}");
    assert_eq!(out.ids(1).len(), CALLERS);
    assert_eq!(exchange.inflight().len(), CALLERS, "they wait for the next link");
}
