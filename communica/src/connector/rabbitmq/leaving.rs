//! A link that has ended → what it did not take back in its queue, the rest acknowledged, and the channel closed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::types::ShortString;
use lapin::{Channel, Consumer};

use super::acks::Acks;
use super::broker::{Broker, Turn, broken};
use super::line::{Line, in_background};
use crate::connector::BoxFuture;

/// What is left of a link. Whoever reads the queue next waits for the turn.
pub(super) struct Leaving {
    /// Closed before the consumers are dropped, or `lapin` would cancel them first: for a moment nobody would seem to
    /// read the queue, and what they had would not be back.
    pub(super) line: Line,
    pub(super) left: Left,
    pub(super) acks: Arc<Acks>,
    pub(super) queue: ShortString,
    pub(super) turn: Option<Turn>,
    /// Keeps the connection.
    pub(super) _broker: Arc<Broker>,
}

/// What the receiving half leaves behind.
#[derive(Default)]
pub(super) struct Left {
    /// Of the queue.
    pub(super) consumers: Vec<Consumer>,
    /// One more.
    pub(super) opening: Option<BoxFuture<'static, io::Result<Consumer>>>,
    /// Of the queue that only this side has.
    pub(super) own: Option<Consumer>,
    /// Tags of what was brought and not taken.
    pub(super) untaken: Vec<u64>,
}

impl Leaving {
    /// Begins at once. `stays`: what is being handled here is not for somebody else.
    pub(super) fn begin(self, stays: bool) {
        in_background(self.run(stays));
    }

    async fn run(mut self, stays: bool) {
        if let Err(error) = self.settle(stays).await {
            let queue = self.queue.as_str();
            tracing::debug!(queue, %error, "what a link left goes back before it is done with");
        }
        self.line.close().await;
    }

    async fn settle(&mut self, stays: bool) -> io::Result<()> {
        // Asked first: what is done with in between is acknowledged.
        let stays = stays && self.acks.must_stay();
        if stays {
            // Before those whose handlers are stopped now seem to be done with.
            self.left.untaken.extend(self.acks.give_back());
        }
        self.acknowledge().await?;
        if stays {
            self.give_back().await?;
            self.turn = None;
            self.finish().await?;
        }
        Ok(())
    }

    /// Gives everything back that would be recognised if it came here again. A throw without an id would not, and would
    /// be handled once more.
    async fn give_back(&mut self) -> io::Result<()> {
        let channel = self.line.channel.clone();
        let Left { consumers, opening, own, untaken: mut tags } = std::mem::take(&mut self.left);
        if let Some(own) = own {
            cancel(&channel, &own).await?;
        }
        let opened = match opening {
            Some(opening) => Some(opening.await?),
            None => None,
        };
        for consumer in consumers.into_iter().chain(opened) {
            tags.extend(end(&channel, consumer).await?);
        }
        give_back(&channel, tags).await?;
        // The answer to a question that stands behind it all.
        self.line.readers(self.queue.clone()).await?;
        Ok(())
    }

    /// Acknowledges what stays, when its handler has finished; or until it is known that it will not.
    async fn finish(&mut self) -> io::Result<()> {
        loop {
            let goes_on = self.acks.must_stay();
            self.acknowledge().await?;
            if !goes_on {
                return Ok(());
            }
            poll_fn(|cx| match self.acks.settled(cx.waker()) {
                0 if self.acks.must_stay() => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
        }
    }

    async fn acknowledge(&mut self) -> io::Result<()> {
        for ack in self.acks.take() {
            let options = BasicAckOptions { multiple: ack.multiple };
            self.line.channel.basic_ack(ack.tag, options).await.map_err(broken)?;
        }
        Ok(())
    }
}

/// Ends a consumer. Returns the tags of what it was brought and did not take.
pub(super) async fn end(channel: &Channel, mut consumer: Consumer) -> io::Result<Vec<u64>> {
    cancel(channel, &consumer).await?;
    // All that comes has come.
    let (mut tags, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    while let Poll::Ready(Some(delivery)) = Pin::new(&mut consumer).poll_next(&mut cx) {
        tags.push(delivery.map_err(broken)?.delivery_tag);
    }
    Ok(tags)
}

/// Puts these back in their places in the queue.
pub(super) async fn give_back(channel: &Channel, mut tags: Vec<u64>) -> io::Result<()> {
    tags.sort_unstable();
    for tag in tags {
        let back = BasicNackOptions { requeue: true, multiple: false };
        channel.basic_nack(tag, back).await.map_err(broken)?;
    }
    Ok(())
}

async fn cancel(channel: &Channel, consumer: &Consumer) -> io::Result<()> {
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.map_err(broken)
}
