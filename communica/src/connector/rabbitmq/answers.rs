//! Answers to what a server asked of clients while it did work from the shared queue → the links of those clients.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::ShortString;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::bodies::{header, split};
use super::broker::{Broker, OPENING};
use super::dropped::tell_of_dropped;
use super::line::{Line, is};
use super::names::{CLIENT, MESSAGE};
use super::server::{Arrivals, House, poll_next};
use super::work::{Ticket, WorkIncoming};
use crate::entity::Backoff;
use crate::wire::Receipt;

/// The queue outlives connections to the broker, and is gone when its server has not been there for so long.
const KEPT: Duration = Duration::from_secs(30 * 60);
/// So often it is looked whether anybody still waits for answers.
const LOOK: Duration = Duration::from_secs(1);

/// Where one server reads them.
pub(super) struct AnswerDesk {
    house: Arc<House>,
    queue: ShortString,
    broker: Arc<Broker>,
    line: Line,
    deliveries: Consumer,
    look: Interval,
}

impl AnswerDesk {
    pub(super) async fn open(house: &Arc<House>, queue: &ShortString) -> io::Result<Self> {
        let opened = tokio::time::timeout(OPENING, Self::open_now(house, queue)).await;
        opened.unwrap_or_else(|_| {
            let what = format!("the broker did not open a queue for answers within {OPENING:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        })
    }

    async fn open_now(house: &Arc<House>, queue: &ShortString) -> io::Result<Self> {
        let broker = house.connector.broker();
        let line = Line::open(&broker, &house.connector.exchange).await?;
        line.prefetch(house.connector.prefetch).await?;
        let queue = line.queue_for_a_time(queue.clone(), KEPT).await?;
        let deliveries = line.consume(&queue, true).await?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { house: house.clone(), queue, broker, line, deliveries, look })
    }

    /// Reads answers for as long as the server listens, and after that until its last link has ended: handlers that it
    /// waits for may wait for them.
    pub(super) async fn keep(mut self, arrivals: Arrivals) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        while let Err(error) = poll_fn(|cx| self.poll(cx, &arrivals)).await {
            tracing::debug!(%error, "answers over the work queue are not read for now");
            loop {
                tokio::time::sleep(backoff.next()).await;
                if self.is_over() {
                    return;
                }
                if let Ok(again) = Self::open(&self.house, &self.queue).await {
                    self = again;
                    backoff.reset();
                    break;
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.house.has_left() && self.house.links.are_over()
    }

    fn poll(&mut self, cx: &mut Context<'_>, arrivals: &Arrivals) -> Poll<io::Result<()>> {
        while let Poll::Ready(delivery) = poll_next(&mut self.deliveries, cx)? {
            if let Some(incoming) = self.sort(delivery) {
                let _ = arrivals.send(Box::new(incoming));
            }
        }
        while self.look.poll_tick(cx).is_ready() {
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Gives an answer to the link of its client; if that has none now, to the returned one.
    fn sort(&self, mut delivery: Delivery) -> Option<WorkIncoming> {
        let ticket = Ticket::new(&self.line, delivery.delivery_tag);
        let client = header(&delivery, CLIENT).filter(|_| is(&delivery, MESSAGE));
        let message = split(std::mem::take(&mut delivery.data).into(), self.house.limits.message_size);
        let (Some(client), Ok(message)) = (client, message) else {
            tell_of_dropped(delivery.routing_key.as_str(), None, "it is no answer of a client's");
            ticket.done();
            return None;
        };
        let message = message.with_receipt(Receipt::new(None, move || ticket.done()));
        let mut message = self.house.links.give(&client, message)?;
        if self.house.has_left() || !self.house.links.knows(&client) && !self.house.works_for(&client) {
            // Nobody here asked, or nobody can be told any more.
            message.receipt.take().into_iter().for_each(|receipt| receipt.settle());
            return None;
        }
        WorkIncoming::with(&self.house, &self.broker, &client, message)
    }
}
