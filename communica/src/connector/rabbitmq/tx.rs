//! Messages → a queue; what the broker confirmed, and acknowledgements.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::Sleep;

use super::broker::broken;
use super::bundle::{self, Bundle, Posted};
use super::line::Post;
use super::names::{BUNDLE, CLIENT, CLOSE, LISTENING, MESSAGE, REASON};
use super::shared::{Refusal, Shared};
use super::signs::Signs;
use super::unconfirmed::Unconfirmed;
use crate::connector::{BoxFuture, Delivery, LinkTx, REPLACED};
use crate::wire::{Batch, Item, Kind, Metadata, Stamp};

/// `delivery_mode`: the broker writes the message to disk.
pub(super) const PERSISTENT: u8 = 2;
/// Acknowledgements wait for others so long …
const ACKS_WAIT: Duration = Duration::from_millis(5);
/// … or until they are so many, or a quarter of what the broker delivers ahead.
const ACKS_TOGETHER: usize = 64;
/// Bytes of the largest message that goes out among others. A broker that does not take a message closes its channel; what lapin still
/// writes of those behind it would make the broker close the connection of all links, and what stands before it would be
/// suspected in its place.
const LARGEST_AMONG_OTHERS: usize = 256 * 1024;

pub(super) struct RmqTx {
    shared: Arc<Shared>,
    to: Destination,
    fresh: bool,
    /// What was given to this link and was not published yet, in this order: a large message waits until the broker has all before
    /// it, and what stands behind it until the broker has it.
    held: VecDeque<Item>,
    /// What was published last is large.
    alone: bool,
    /// Messages that are to be published together.
    bundle: Bundle,
    posted: Unconfirmed,
    /// So many messages were told to be confirmed.
    reported: u64,
    /// Acknowledgements on their way.
    acks: VecDeque<BoxFuture<'static, lapin::Result<()>>>,
    /// When what is done with is acknowledged.
    ack_timer: Option<Pin<Box<Sleep>>>,
    acks_together: usize,
    signs: Signs,
}

/// Where messages go.
pub(super) struct Destination {
    /// The peer's queue.
    pub(super) peer: ShortString,
    /// The queue that only this peer's link has, if it has one.
    pub(super) own: Option<ShortString>,
    /// On a client's side: the id its queues are named after.
    pub(super) client: Option<String>,
    /// Where requests and throws go instead: the queue that all servers share.
    pub(super) work: Option<ShortString>,
    /// Where answers to this side's requests should go, if not to where the peer sends by itself.
    pub(super) reply_to: Option<ShortString>,
    /// The peer takes bundles.
    pub(super) bundles: bool,
    /// What the broker delivers ahead to this side.
    pub(super) prefetch: u16,
}

impl RmqTx {
    pub(super) fn new(shared: Arc<Shared>, to: Destination, fresh: bool, signs: Signs) -> Self {
        let acks_together = usize::from(to.prefetch / 4).clamp(1, ACKS_TOGETHER);
        Self {
            shared,
            to,
            fresh,
            held: VecDeque::new(),
            alone: false,
            bundle: Bundle::default(),
            posted: Unconfirmed::default(),
            reported: 0,
            acks: VecDeque::new(),
            ack_timer: None,
            acks_together,
            signs,
        }
    }

    fn send(
        &mut self,
        cx: &mut Context<'_>,
        metadata: &[u8],
        payload: &[u8],
        stamp: &Stamp,
    ) -> io::Result<()> {
        let body = [metadata, &[0], payload];
        let metadata = Metadata::parse(Bytes::copy_from_slice(metadata));
        let metadata = metadata.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let kind = metadata.kind();
        if kind == Kind::Resp {
            // It may say that the request was not begun: then nobody is to find that in the queue any more.
            self.acknowledge(cx)?;
        }
        let asks = matches!(kind, Kind::Request | Kind::Throw);
        let work = self.to.work.as_ref().filter(|_| asks);
        let elsewhere = if asks { None } else { self.shared.elsewhere.queue_for(&metadata.id()) };
        // Who asked from elsewhere may be gone, and its queue with it.
        // And so may a client that is known only by what it put into the work queue.
        let must_arrive = elsewhere.is_none() && (asks || self.to.own.is_some());
        let aside = work.or(elsewhere.as_ref());
        // RabbitMQ takes 32 bits. A throw has no time limit once it was accepted.
        let time = metadata.timeout().and_then(|time| u32::try_from(time.as_millis()).ok());
        let time = time.filter(|_| kind == Kind::Request);
        let reply_to = self.to.reply_to.as_ref().filter(|_| kind == Kind::Request);
        let size = body.iter().map(|piece| piece.len()).sum();
        // A throw is nobody's to repeat: it stays with the broker until it was handled.
        let alone = kind == Kind::Throw || aside.is_some() || reply_to.is_some() || !must_arrive;
        if self.to.bundles && !alone && Bundle::is_for(size) {
            if !self.bundle.has_room_for(size, time) {
                self.send_bundle();
            }
            self.bundle.push(stamp, body, time);
            return Ok(());
        }
        let post = single(aside.unwrap_or(&self.to.peer), stamp.to_string(), body.concat(), time);
        let post = post.with(|properties| {
            let properties = match self.to.client.as_deref().filter(|_| aside.is_some()) {
                Some(client) => properties.with_headers(headers(CLIENT, client)),
                None => properties,
            };
            match reply_to {
                Some(queue) => properties.with_reply_to(queue.clone()),
                None => properties,
            }
        });
        self.send_bundle();
        self.publish(if must_arrive { post.must_arrive() } else { post }, 1);
        Ok(())
    }

    /// Publishes what may go out now.
    fn send_held(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(item) = self.held.front() {
            let is_large = is_large(item);
            if is_large {
                self.send_bundle();
            }
            if (is_large || self.alone) && !self.is_all_confirmed(cx) {
                break;
            }
            self.alone = is_large;
            match self.held.pop_front() {
                Some(Item::Message { metadata, payload, stamp }) => {
                    self.send(cx, &metadata, &payload, &stamp)?;
                }
                Some(Item::Close { reason }) => {
                    self.send_bundle();
                    self.send_close(reason.as_deref());
                }
                None => {}
            }
        }
        self.send_bundle();
        Ok(())
    }

    /// If not, whoever looks after the link hears when it is. What failed is told by the next look there, behind what was confirmed
    /// before it.
    fn is_all_confirmed(&mut self, cx: &mut Context<'_>) -> bool {
        let waker = self.shared.waker();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(cx.waker()));
        matches!(self.posted.look(&mut cx), Ok(true))
    }

    /// Nothing may be published now.
    fn is_alone(&self) -> bool {
        self.alone && !self.posted.is_empty()
    }

    /// This side said that it goes, and that was not published yet.
    fn holds_close(&self) -> bool {
        matches!(self.held.back(), Some(Item::Close { .. }))
    }

    /// Publishes what was collected.
    fn send_bundle(&mut self) {
        let bundle = std::mem::take(&mut self.bundle);
        let (messages, time) = (bundle.messages(), bundle.time());
        let post = match bundle.into_posted() {
            Posted::Nothing => return,
            Posted::Message { stamp, body } => single(&self.to.peer, stamp, body, time),
            Posted::Bundle(body) => {
                Post::new(BUNDLE, &self.to.peer, body).with(|properties| stored(properties, time))
            }
        };
        self.publish(post.must_arrive(), messages);
    }

    fn send_refusals(&mut self) {
        for Refusal { body, reply_to } in self.shared.take_refusals() {
            let post = Post::new(MESSAGE, reply_to.as_ref().unwrap_or(&self.to.peer), body);
            let client = self.to.client.as_deref().filter(|_| reply_to.is_some());
            let post = post.with(|properties| {
                let properties = stored(properties, None);
                match client {
                    Some(client) => properties.with_headers(headers(CLIENT, client)),
                    None => properties,
                }
            });
            self.publish(post, 0);
        }
    }

    fn send_close(&mut self, reason: Option<&str>) {
        // On its own queue it would overtake what was said before; where another link took over, it has to.
        let own = self.to.own.as_ref().filter(|_| reason == Some(REPLACED));
        let queues = std::iter::once(&self.to.peer).chain(own).cloned().collect::<Vec<_>>();
        for queue in queues {
            let post = Post::new(CLOSE, &queue, self.shared.connect_id.clone());
            let post = post.with(|properties| match reason {
                None => properties,
                Some(reason) => properties.with_headers(headers(REASON, reason)),
            });
            self.publish(post, 0);
        }
    }

    fn publish(&mut self, post: Post, messages: u64) {
        let mut posting = self.shared.line.post(post);
        // The first look is what publishes. Whoever looks after the link hears about the rest.
        let waker = self.shared.waker();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let posting = match posting.as_mut().poll(&mut cx) {
            Poll::Pending => posting,
            Poll::Ready(done) => Box::pin(std::future::ready(done)),
        };
        self.posted.push(posting, messages);
        self.signs.sent(messages == 0);
    }

    /// Acknowledges what is done with, together with what will be done with in a moment: for a broker an
    /// acknowledgement of many costs little more than one of one.
    fn acknowledge_soon(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let settled = self.shared.acks.settled(cx.waker());
        if settled == 0 && self.acks.is_empty() {
            return Ok(());
        }
        if settled > 0 && self.ack_timer.is_none() {
            self.ack_timer = Some(Box::pin(tokio::time::sleep(ACKS_WAIT)));
        }
        let due = self.ack_timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if due || settled >= self.acks_together || !self.acks.is_empty() {
            self.acknowledge(cx)?;
        }
        Ok(())
    }

    /// Acknowledges what is done with. True if all of it went out.
    fn acknowledge(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.ack_timer = None;
        for ack in self.shared.acks.take() {
            let channel = self.shared.line.channel.clone();
            let mut ack: BoxFuture<'static, _> = Box::pin(async move {
                channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple }).await
            });
            // The first look is what sends it.
            match ack.as_mut().poll(cx) {
                Poll::Pending => self.acks.push_back(ack),
                Poll::Ready(done) => done.map_err(broken)?,
            }
        }
        while let Some(ack) = self.acks.front_mut() {
            let Poll::Ready(done) = ack.as_mut().poll(cx) else { return Ok(false) };
            done.map_err(broken)?;
            self.acks.pop_front();
        }
        Ok(true)
    }

    /// Gives and asks for signs of life, when it is time. A peer that went gives none; what it left is still worked off.
    fn look_for_signs(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.shared.ended().is_some() {
            return Ok(());
        }
        while self.signs.is_due(cx) {
            // A large message is a sign as well.
            if self.signs.should_give() && !self.is_alone() {
                self.publish(Post::new(LISTENING, &self.to.peer, Vec::new()), 0);
            }
            self.signs.ask(&self.shared, &self.to.peer);
            self.signs.wait_on();
        }
        self.signs.heed(cx)
    }
}

fn is_large(item: &Item) -> bool {
    match item {
        Item::Message { metadata, payload, .. } => metadata.len() + payload.len() > LARGEST_AMONG_OTHERS,
        Item::Close { .. } => false,
    }
}

/// One message, as what a queue keeps.
fn single(to: &ShortString, stamp: String, body: Vec<u8>, time: Option<u32>) -> Post {
    Post::new(MESSAGE, to, body).with(|properties| stored(properties, time).with_message_id(stamp.into()))
}

/// The broker keeps it on disk; for so many milliseconds, if nobody takes it.
fn stored(properties: BasicProperties, time: Option<u32>) -> BasicProperties {
    let properties = properties.with_delivery_mode(PERSISTENT);
    match time {
        Some(time) => properties.with_expiration(time.to_string().into()),
        None => properties,
    }
}

/// One header with text.
pub(super) fn headers(name: &str, text: &str) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), AMQPValue::LongString(text.into()));
    headers
}

/// What is done with is not to be brought to somebody else: it is acknowledged before the channel closes. What was refused is done
/// with once that was said.
impl Drop for RmqTx {
    fn drop(&mut self) {
        self.send_refusals();
        let _ = self.acknowledge(&mut Context::from_waker(Waker::noop()));
    }
}

impl LinkTx for RmqTx {
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        while let Some(item) = batch.next_item() {
            self.held.push_back(item);
        }
        self.send_held(cx)?;
        // Messages that are held are repeated on the next link if this one ends before them; that this side goes is not.
        if self.holds_close() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.keep_waker(cx.waker());
        self.posted.look(cx)?;
        self.send_held(cx)?;
        let all_confirmed = self.posted.look(cx)? && self.held.is_empty();
        let all_acknowledged = self.acknowledge(cx)?;
        if !(all_confirmed && all_acknowledged) {
            return Poll::Pending;
        }
        // The broker has everything. There is nobody to wait for.
        self.shared.end(None);
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        false
    }

    fn delivery(&self) -> Delivery {
        // What the servers have in common, or may answer through others, is the broker's until it was answered.
        let bundles = self.to.bundles && self.to.work.is_none() && self.to.reply_to.is_none();
        Delivery::stored().fresh(self.fresh).hands_over(if bundles { bundle::LARGEST } else { 0 })
    }

    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.shared.keep_waker(cx.waker());
        let looked = self.posted.look(cx);
        if !self.is_alone() {
            self.send_refusals();
        }
        if self.posted.confirmed() > self.reported {
            // What was confirmed counts, whatever else there is to say.
            self.reported = self.posted.confirmed();
            return Poll::Ready(Ok(self.reported));
        }
        looked?;
        let held_close = self.holds_close();
        self.send_held(cx)?;
        if held_close && !self.holds_close() {
            // Whoever sends that waits for it.
            cx.waker().wake_by_ref();
        }
        self.acknowledge_soon(cx)?;
        self.look_for_signs(cx)?;
        Poll::Pending
    }
}
