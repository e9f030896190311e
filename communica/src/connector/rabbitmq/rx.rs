//! Deliveries of a queue → messages, in the order in which they were published.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::ShortString;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::acks::{Acks, What};
use super::beside::Beside;
use super::bodies::{Unfit, header, key, split};
use super::broker::broken;
use super::bundle::{self, Entry};
use super::dropped::tell_of_dropped;
use super::leaving::Left;
use super::line::{cancelled, is};
use super::names::{BUNDLE, CLOSE, LISTENING, MESSAGE, REASON};
use super::shared::{Refusal, Shared};
use crate::connector::{BoxFuture, LinkError, LinkRx, Received, is_elsewhere};
use crate::wire::{Kind, Message, Receipt};

/// What waits in a queue is brought in this time, when nothing else is to be done.
const BRINGING: Duration = Duration::from_millis(500);
/// Messages handed out together, and as many as are in a bundle: whoever takes them looks at its bounds in between.
const TAKEN_TOGETHER: usize = 1024;
/// A queue is consumed in so many windows at most, see [`Windows`].
const WINDOWS: usize = 16;

pub(super) struct RmqRx {
    shared: Arc<Shared>,
    windows: Windows,
    /// The queue that only this side has: what is meant for this link and no other.
    own: Option<Consumer>,
    /// Messages that came on other ways.
    aside: Option<mpsc::UnboundedReceiver<Message>>,
    silence: Option<Silence>,
    /// Somebody else reads the queue, too.
    beside: Option<Beside>,
    /// Deliveries by tag, to be taken in this order; and whether they came to the queue that only this side has.
    ready: BTreeMap<u64, (Delivery, bool)>,
    /// The tag that was taken last.
    taken: u64,
    settings: Intake,
    /// Nothing more comes, once what came was taken.
    failed: Option<io::Error>,
}

/// What is accepted, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Bytes of a payload.
    pub(super) message_size: usize,
    /// Deliveries that may be out at once, in the first window.
    pub(super) prefetch: u16,
    /// Acknowledge when a message arrives, not when it is done with.
    pub(super) ack_on_arrival: bool,
}

/// The broker delivers so many messages before it waits for acknowledgements. When all of them are being handled and
/// more are wanted, another window is opened, twice as large as the one before: what the handlers wait for may stand
/// behind. Whether more are wanted, the session decides by its own bounds.
pub(super) struct Windows {
    pub(super) queue: Option<ShortString>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) opening: Option<BoxFuture<'static, io::Result<Consumer>>>,
}

/// Ends the link of a client whose server says nothing.
struct Silence {
    limit: Duration,
    over: Pin<Box<Sleep>>,
    /// All windows were full at the last look, and nothing could come, perhaps until just now.
    deaf: bool,
}

/// A delivery that is being handled.
struct Open {
    acks: Arc<Acks>,
    tag: u64,
}

impl Open {
    fn settle(self) {
        self.acks.settle(self.tag);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.acks.leave(self.tag);
    }
}

/// The other side went on purpose, and perhaps said why.
struct Goodbye(Option<String>);

impl RmqRx {
    pub(super) fn new(shared: Arc<Shared>, windows: Windows, settings: Intake) -> Self {
        let ready = BTreeMap::new();
        Self {
            shared,
            windows,
            own: None,
            aside: None,
            silence: None,
            beside: None,
            ready,
            taken: 0,
            settings,
            failed: None,
        }
    }

    pub(super) fn with_own(mut self, own: Consumer) -> Self {
        self.own = Some(own);
        self
    }

    pub(super) fn with_aside(mut self, aside: mpsc::UnboundedReceiver<Message>) -> Self {
        self.aside = Some(aside);
        self
    }

    /// Somebody else reads the queue as well, and was told to leave.
    pub(super) fn beside_another(mut self) -> Self {
        let Windows { queue, consumers, .. } = &self.windows;
        self.beside = queue.as_ref().map(|queue| Beside::new(&self.shared.line, queue, consumers.len()));
        self
    }

    /// The other side is never silent for so long.
    pub(super) fn with_silence(mut self, limit: Duration) -> Self {
        let over = Box::pin(tokio::time::sleep(limit));
        self.silence = Some(Silence { limit, over, deaf: false });
        self
    }

    /// Waits until so many deliveries are there to be taken, for a while.
    pub(super) async fn wait_for(&mut self, deliveries: usize) {
        let there = poll_fn(|cx| {
            if self.failed.is_none() {
                self.failed = self.gather(cx).err();
            }
            if self.failed.is_some() || self.ready.len() >= deliveries {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        // Time limits of some may pass meanwhile.
        let _ = tokio::time::timeout(BRINGING, there).await;
    }

    /// Collects what came. A delivery with a smaller tag may be found later than one with a larger, on another
    /// consumer, but was there before: so a round that finds nothing means that nothing is missing.
    fn gather(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            self.poll_opening(cx)?;
            let before = self.ready.len();
            let windows = self.windows.consumers.iter_mut().map(|consumer| (consumer, false));
            for (consumer, own) in windows.chain(self.own.iter_mut().map(|own| (own, true))) {
                while let Poll::Ready(delivery) = Pin::new(&mut *consumer).poll_next(cx) {
                    let delivery = delivery.ok_or_else(cancelled)?.map_err(broken)?;
                    self.ready.insert(delivery.delivery_tag, (delivery, own));
                }
            }
            if self.ready.len() == before {
                return Ok(());
            }
            self.shared.hear();
        }
    }

    /// The next delivery. The broker counts them: while a window is being opened, those that are missing in between
    /// have come through that.
    fn next_ready(&mut self) -> Option<(Delivery, bool)> {
        let first = self.ready.first_entry()?;
        if self.windows.opening.is_some() && *first.key() != self.taken + 1 {
            return None;
        }
        let (tag, delivery) = first.remove_entry();
        self.taken = tag;
        Some(delivery)
    }

    /// `own`: it came to the queue that only this side has, where there are no messages.
    fn take(&self, delivery: Delivery, own: bool, into: &mut Vec<Message>) -> Result<(), Goodbye> {
        self.shared.acks.came(delivery.delivery_tag);
        if !own {
            if is(&delivery, MESSAGE) {
                self.take_message(delivery, into);
                return Ok(());
            }
            if is(&delivery, BUNDLE) {
                self.take_bundle(delivery, into);
                return Ok(());
            }
        }
        self.shared.acks.settle(delivery.delivery_tag);
        if is(&delivery, CLOSE) {
            // One that was meant for an earlier link says nothing about this one.
            let ours = delivery.data == self.shared.connect_id;
            return if ours { Err(Goodbye(reason(&delivery))) } else { Ok(()) };
        }
        if !is(&delivery, LISTENING) {
            tell_of_dropped(delivery.routing_key.as_str(), None, "its type is unknown");
        }
        Ok(())
    }

    fn take_message(&self, mut delivery: Delivery, into: &mut Vec<Message>) {
        let (acks, tag) = (self.shared.acks.clone(), delivery.delivery_tag);
        let message = match split(std::mem::take(&mut delivery.data).into(), self.settings.message_size) {
            Ok(message) => message,
            Err(unfit) => {
                self.drop_unfit(&delivery, unfit);
                return acks.settle(tag);
            }
        };
        let id = message.metadata.id();
        if let (Some(queue), Kind::Request) = (delivery.properties.reply_to(), message.metadata.kind()) {
            self.shared.elsewhere.remember(&id, queue.clone());
        }
        let key = key(&delivery, &id);
        drop(id);
        match (&key, message.metadata.kind()) {
            (None, _) => acks.is(tag, What::Nameless),
            (Some(_), Kind::Throw) => acks.is(tag, What::Throw),
            (Some(_), _) => {}
        }
        let open = Open { acks, tag };
        let receipt = Receipt::new(key, move || open.settle());
        let receipt = if delivery.redelivered { receipt } else { receipt.brought_first() };
        into.push(message.with_receipt(match self.settings.ack_on_arrival {
            true => receipt.settled_on_arrival(),
            false => receipt,
        }));
    }

    /// From here on its requests are their sender's to repeat, and of an answer nobody needs a second copy: so the broker may
    /// forget all of it.
    fn take_bundle(&self, mut delivery: Delivery, into: &mut Vec<Message>) {
        self.shared.acks.settle(delivery.delivery_tag);
        let entries = match bundle::open(std::mem::take(&mut delivery.data)) {
            Ok(entries) => entries,
            Err(why) => {
                tell_of_dropped(delivery.routing_key.as_str(), None, why);
                return;
            }
        };
        for Entry { stamp, body } in entries {
            let receipt = Receipt::forgotten(Some(stamp));
            let receipt = if delivery.redelivered { receipt } else { receipt.brought_first() };
            match split(body, self.settings.message_size) {
                Ok(message) => into.push(message.with_receipt(receipt)),
                Err(unfit) => self.drop_unfit(&delivery, unfit),
            }
        }
    }

    /// Kept, it would come again for ever.
    fn drop_unfit(&self, delivery: &Delivery, unfit: Unfit) {
        tell_of_dropped(delivery.routing_key.as_str(), None, &unfit.why);
        if let Some(body) = unfit.answer {
            self.shared.refuse(Refusal { body, reply_to: delivery.properties.reply_to().clone() });
        }
    }

    /// Messages that the broker delivers ahead to one of the windows.
    fn window_size(&self, window: usize) -> u32 {
        (u32::from(self.settings.prefetch) << window).min(u32::from(u16::MAX))
    }

    /// All that the broker delivers ahead is being handled.
    fn is_full(&self) -> bool {
        let sizes = (0..self.windows.consumers.len()).map(|window| self.window_size(window) as usize);
        self.shared.acks.open() >= sizes.sum()
    }

    /// Opens another window if all are full. This is called when more is wanted.
    fn widen(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(queue) = &self.windows.queue else { return Ok(()) };
        let windows = self.windows.consumers.len();
        // Also when they are left to others: what the handlers that run wait for may stand behind.
        let no_more = windows == 0 || windows >= WINDOWS;
        if self.windows.opening.is_some() || no_more || !self.is_full() {
            return Ok(());
        }
        let (line, queue) = (self.shared.line.clone(), queue.clone());
        let size = u16::try_from(self.window_size(windows)).unwrap_or(u16::MAX);
        self.windows.opening = Some(Box::pin(async move {
            line.prefetch(size).await?;
            line.consume(&queue, true).await
        }));
        self.poll_opening(cx)
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(opening) = &mut self.windows.opening else { return Ok(()) };
        if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
            self.windows.opening = None;
            self.windows.consumers.push(opened?);
            // What it brings wakes whoever has looked at it.
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    /// What comes for this link by other queues than its own.
    fn take_aside(&mut self, cx: &mut Context<'_>, into: &mut Vec<Message>) {
        let Some(aside) = &mut self.aside else { return };
        while let Poll::Ready(Some(message)) = aside.poll_recv(cx) {
            into.push(message);
        }
    }

    /// Once whoever read beside this link has left, this one ends: the client repeats on the next what has no answer.
    fn look_beside(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(beside) = &mut self.beside else { return Ok(()) };
        let Poll::Ready(left) = beside.poll(cx, self.windows.consumers.len()) else { return Ok(()) };
        self.beside = None;
        left?;
        let what = "another server read what the client sent, too, and may have taken some of it with it";
        Err(io::Error::new(io::ErrorKind::NotConnected, what))
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<LinkError> {
        let Some(silence) = self.silence.as_mut().filter(|silence| !silence.deaf) else {
            return Poll::Pending;
        };
        std::task::ready!(silence.over.as_mut().poll(cx));
        let what = format!("the server was not heard for {:?}", silence.limit);
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what).into())
    }
}

/// What was brought and not taken goes back to the queue when the link has ended.
impl Drop for RmqRx {
    fn drop(&mut self) {
        let untaken = self.ready.iter().filter(|(_, (_, own))| !*own).map(|(tag, _)| *tag);
        let untaken = untaken.collect();
        let consumers = std::mem::take(&mut self.windows.consumers);
        let (opening, own) = (self.windows.opening.take(), self.own.take());
        self.shared.leave(Left { consumers, opening, own, untaken });
    }
}

impl LinkRx for RmqRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        self.shared.keep_waker(cx.waker());
        let before = into.len();
        if let Some(reason) = self.shared.ended() {
            if !is_elsewhere(reason.as_deref()) {
                if let Some(error) = self.shared.broken() {
                    return Poll::Ready(Err(error.into()));
                }
                // Answers that come by other ways may stand behind the goodbye.
                self.take_aside(cx, into);
            }
            let came = into.len() > before;
            return Poll::Ready(Ok(if came { Received::Messages } else { Received::Closed { reason } }));
        }
        if self.failed.is_none() {
            self.failed = self.gather(cx).and_then(|()| self.look_beside(cx)).err().or(self.shared.broken());
        }
        let heard = !self.ready.is_empty();
        if let Some(silence) = &mut self.silence {
            if heard || silence.deaf {
                silence.over.as_mut().reset(Instant::now() + silence.limit);
            }
        }
        while into.len() - before < TAKEN_TOGETHER {
            let Some((delivery, own)) = self.next_ready() else { break };
            if let Err(Goodbye(reason)) = self.take(delivery, own, into) {
                if reason.is_none() {
                    // The session may be forgotten before they are done, and then nobody would recognise them.
                    self.shared.acks.keep_throws();
                }
                self.shared.end(reason);
            }
        }
        let is_full = self.is_full();
        if let Some(silence) = &mut self.silence {
            silence.deaf = is_full;
        }
        self.take_aside(cx, into);
        if into.len() > before {
            return Poll::Ready(Ok(Received::Messages));
        }
        if let Some(reason) = self.shared.ended() {
            return Poll::Ready(Ok(Received::Closed { reason }));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        self.widen(cx)?;
        self.poll_silence(cx).map(Err)
    }
}

fn reason(delivery: &Delivery) -> Option<String> {
    header(delivery, REASON)
}
