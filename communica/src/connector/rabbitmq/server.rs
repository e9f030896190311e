//! The listening side: knocks on a queue → connections; news from other servers of the address.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::ShortString;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::RmqConnector;
use super::answers::AnswerDesk;
use super::broker::{Broker, OPENING, broken};
use super::doorstep::Doorsteps;
use super::incoming::RmqIncoming;
use super::line::{Line, Post, cancelled, is};
use super::links::{Displaced, Links};
use super::names::{CLOSE, MINE, REASON, readable};
use super::tx::headers;
use super::work::WorkDesk;
use crate::connector::{BoxFuture, Incoming, Listener, REPLACED};
use crate::entity::Backoff;
use crate::limits::Limits;

pub(super) struct RmqListener {
    incoming: mpsc::UnboundedReceiver<Box<dyn Incoming>>,
    state: String,
    task: AbortHandle,
    _leaves: Leaves,
}

/// Dropped when a server listens no more, or could not begin to.
struct Leaves(Arc<House>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
    }
}

impl RmqListener {
    pub(super) async fn open(connector: &RmqConnector, limits: &Limits) -> io::Result<Self> {
        connector.check_names("")?;
        let (arrivals, incoming) = mpsc::unbounded_channel();
        let house = Arc::new(House::new(connector, limits)?);
        if let Some(queue) = &house.answers {
            tokio::spawn(AnswerDesk::open(&house, queue).await?.keep(arrivals.clone()));
        }
        let leaves = Leaves(house.clone());
        let door = Door::open_in_time(&house).await?;
        let task = tokio::spawn(keep(house, door, arrivals)).abort_handle();
        Ok(Self { incoming, state: connector.dump_state(), task, _leaves: leaves })
    }
}

impl Listener for RmqListener {
    fn dump_state(&self) -> String {
        self.state.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async { self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into()) })
    }
}

impl Drop for RmqListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the links of one server share.
pub(super) struct House {
    pub(super) connector: RmqConnector,
    pub(super) limits: Limits,
    pub(super) links: Links,
    pub(super) doorsteps: Doorsteps,
    /// In what this server tells all of them, itself included.
    pub(super) id: String,
    /// The queue for answers to what this server asks while it does work from the shared queue.
    pub(super) answers: Option<ShortString>,
    /// Clients for whom such work is being done; each of its tickets has a share in its client's.
    working: Mutex<HashMap<String, Arc<()>>>,
    /// The server listens no more.
    left: AtomicBool,
}

impl House {
    fn new(connector: &RmqConnector, limits: &Limits) -> io::Result<Self> {
        let id = crate::random::hex(8);
        let answers = match connector.work_queue {
            true => Some(connector.names.answers(&id)?),
            false => None,
        };
        Ok(Self {
            connector: connector.clone(),
            limits: limits.clone(),
            links: Links::default(),
            doorsteps: Doorsteps::default(),
            answers,
            id,
            working: Mutex::default(),
            left: AtomicBool::new(false),
        })
    }

    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    fn working(&self) -> MutexGuard<'_, HashMap<String, Arc<()>>> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something more is done for this client, until the returned is dropped.
    pub(super) fn share(&self, client: &str) -> Arc<()> {
        let mut working = self.working();
        match working.get(client) {
            Some(shares) => shares.clone(),
            None => working.entry(client.to_owned()).or_default().clone(),
        }
    }

    pub(super) fn works_for(&self, client: &str) -> bool {
        self.working().get(client).is_some_and(|shares| Arc::strong_count(shares) > 1)
    }

    /// A client for whom something is being done and who has no link.
    pub(super) fn without_link(&self) -> Option<String> {
        let mut working = self.working();
        working.retain(|_, shares| Arc::strong_count(shares) > 1);
        working.keys().find(|client| !self.links.has(client)).cloned()
    }
}

pub(super) type Arrivals = mpsc::UnboundedSender<Box<dyn Incoming>>;

/// Serves the door, and opens it anew when the broker was gone.
async fn keep(house: Arc<House>, mut door: Door, arrivals: Arrivals) {
    let mut backoff = reopening();
    loop {
        let Err(error) = poll_fn(|cx| door.poll(cx, &arrivals)).await;
        tracing::warn!(address = house.connector.describe(), %error, "not listening at the broker for now");
        // Those that are known by their work are made anew where something is still done; the others come back.
        house.links.forget_unshaken();
        house.links.break_off();
        house.doorsteps.clear();
        drop(door);
        door = loop {
            tokio::time::sleep(backoff.next()).await;
            match Door::open_in_time(&house).await {
                Ok(door) => break door,
                Err(error) => {
                    tracing::debug!(address = house.connector.describe(), %error, "still not listening");
                }
            }
        };
        // Those that came to be meanwhile are unknown to the others, too.
        house.links.break_off();
        backoff.reset();
        tracing::info!(address = house.connector.describe(), "listening at the broker again");
    }
}

/// What a server listens to apart from its links.
struct Door {
    house: Arc<House>,
    broker: Arc<Broker>,
    line: Line,
    knocks: Consumer,
    news: Consumer,
    work: Work,
}

/// The queue that all servers share.
enum Work {
    /// There is none.
    None,
    Read(Box<WorkDesk>),
    /// Its channel ended, and the next is being opened.
    Opening(BoxFuture<'static, WorkDesk>),
}

/// What a server tells the others of its address.
#[derive(Serialize, Deserialize)]
pub(super) struct Mine {
    pub(super) server: String,
    pub(super) client: String,
    pub(super) connect_id: Vec<u8>,
}

impl Door {
    async fn open_in_time(house: &Arc<House>) -> io::Result<Self> {
        let opened = tokio::time::timeout(OPENING, Self::open(house)).await;
        opened.unwrap_or_else(|_| {
            let what = format!("the broker did not do what a server needs of it within {OPENING:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        })
    }

    async fn open(house: &Arc<House>) -> io::Result<Self> {
        let RmqConnector { names, exchange, .. } = &house.connector;
        let broker = house.connector.broker();
        let line = Line::open(&broker, exchange).await?;
        let news_queue = line.own_queue().await?;
        let news = line.consume(&news_queue, false).await?;
        line.bind(news_queue, names.servers()).await?;
        line.prefetch(u16::try_from(house.limits.handshakes).unwrap_or(u16::MAX)).await?;
        let knocks = line.durable_queue(names.connect()).await?;
        let knocks = line.consume(&knocks, true).await?;
        let work = match house.connector.work_queue {
            true => Work::Read(Box::new(WorkDesk::open(house, &broker).await?)),
            false => Work::None,
        };
        Ok(Self { house: house.clone(), broker, line, knocks, news, work })
    }

    fn poll(&mut self, cx: &mut Context<'_>, arrivals: &Arrivals) -> Poll<Result<Never, io::Error>> {
        while let Poll::Ready(knock) = poll_next(&mut self.knocks, cx)? {
            let (house, broker, door) = (self.house.clone(), self.broker.clone(), self.line.clone());
            let incoming = RmqIncoming::new(house, broker, door, knock);
            // The server takes them as its limits allow; the broker delivers no more than that.
            let _ = arrivals.send(Box::new(incoming));
        }
        while let Poll::Ready(news) = poll_next(&mut self.news, cx)? {
            self.hear(news);
        }
        self.poll_work(cx, arrivals);
        Poll::Pending
    }

    fn poll_work(&mut self, cx: &mut Context<'_>, arrivals: &Arrivals) {
        loop {
            match &mut self.work {
                Work::None => return,
                Work::Read(desk) => match desk.poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(arrival)) => _ = arrivals.send(Box::new(arrival)),
                    Poll::Ready(Err(error)) => {
                        let address = self.house.connector.describe();
                        tracing::warn!(address, %error, "not reading the work queue for now");
                        let (house, broker) = (self.house.clone(), self.broker.clone());
                        self.work = Work::Opening(Box::pin(open_work(house, broker)));
                    }
                },
                Work::Opening(opening) => {
                    let Poll::Ready(desk) = opening.as_mut().poll(cx) else { return };
                    self.work = Work::Read(Box::new(desk));
                }
            }
        }
    }

    fn hear(&self, news: Delivery) {
        if is(&news, MINE) {
            let Ok(mine) = serde_json::from_slice::<Mine>(&news.data) else { return };
            if let Some(displaced) =
                self.house.links.moved(&mine.client, &mine.connect_id, mine.server == self.house.id)
            {
                tracing::info!(client = readable(&mine.client), "another server has this client now");
                say_replaced(&self.line, displaced);
            }
        }
    }
}

/// Reads the work queue anew. Where the connection is lost as well, the door ends meanwhile, and this with it.
async fn open_work(house: Arc<House>, broker: Arc<Broker>) -> WorkDesk {
    let mut backoff = reopening();
    loop {
        tokio::time::sleep(backoff.next()).await;
        match tokio::time::timeout(OPENING, WorkDesk::open(&house, &broker)).await {
            Ok(Ok(desk)) => return desk,
            Ok(Err(error)) => tracing::debug!(%error, "still not reading the work queue"),
            Err(_) => tracing::debug!("still not reading the work queue: the broker does not answer"),
        }
    }
}

/// When to try again to listen.
fn reopening() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(2))
}

/// There is no such value: who serves goes on until it fails.
enum Never {}

pub(super) fn poll_next(consumer: &mut Consumer, cx: &mut Context<'_>) -> Poll<io::Result<Delivery>> {
    Pin::new(consumer)
        .poll_next(cx)
        .map(|delivery| delivery.ok_or_else(cancelled).and_then(|delivery| delivery.map_err(broken)))
}

/// Tells a client's link that another took over, on the one queue that no other link of that client reads.
pub(super) fn say_replaced(line: &Line, displaced: Displaced) {
    let post = Post::new(CLOSE, &displaced.own, displaced.connect_id);
    let post = post.with(|properties| properties.with_headers(headers(REASON, REPLACED)));
    let posting = line.post(post);
    tokio::spawn(async move {
        // It may be gone for long.
        let _ = posting.await;
    });
}
