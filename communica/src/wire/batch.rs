//! Frames on their way to one link: bytes for a stream, whole messages for a road that carries messages.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::frame::{
    CLOSE, FRAME_HEAD, LENGTH, close_reason, length_at, metadata_len, put_close, put_message,
};
use super::{Metadata, put_acknowledgement};
use crate::lean::Spares;

thread_local! {
    static SPARES: Spares<Part> = const { Spares::new() };
}

/// Appends to parts that mostly go out at once.
pub(crate) fn push_part(parts: &mut VecDeque<Part>, part: Part) {
    // At the end of a thread there is none.
    let _ = SPARES.try_with(|spares| spares.lend(parts));
    parts.push_back(part);
}

/// To be called when parts were taken out.
pub(crate) fn parts_went(parts: &mut VecDeque<Part>) {
    let _ = SPARES.try_with(|spares| spares.take_back(parts));
}

/// What goes out with one `poll_send`, in order.
///
/// A stream writes it as bytes: `Batch` is a [`Buf`]. A road that carries whole messages takes them with
/// [`next_item`](Self::next_item). A link uses one of the two ways, not both.
#[derive(Default)]
pub struct Batch {
    parts: VecDeque<Part>,
    origin: Origin,
    mix: Mix,
}

/// What passes on a link at the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Nothing large.
    #[default]
    Small,
    /// A large message.
    Large,
    /// Small messages overtook a large one lately, and are likely to do so again.
    Both,
}

/// What the stamps of a batch have in common.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    /// Unlike that of any other session.
    pub(crate) session: Arc<str>,
    /// How often this session repeated what a store had lost.
    pub(crate) round: u32,
}

impl Origin {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session) && self.round == other.round
    }

    /// Of the message with that number.
    pub(crate) fn stamp(&self, number: u64) -> Stamp {
        Stamp { session: self.session.clone(), round: self.round, number }
    }
}

/// What tells a message from every other: a copy of it, on this link or a later one, has the same stamp.
#[derive(Clone, PartialEq, Eq)]
pub struct Stamp {
    session: Arc<str>,
    round: u32,
    number: u64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{:x}", self.session, self.round, self.number)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One or more whole frames; or one frame whose payload stands apart, so that it need not be copied.
#[derive(Clone)]
pub(crate) struct Part {
    /// Number of the first message in here; the others follow without a gap. `None` for what is never repeated:
    /// chunks (their message starts again) and close notifies.
    pub(crate) seq: Option<u64>,
    /// How many messages are in here.
    pub(crate) messages: u64,
    /// How many of them are answers, and their bytes, as who queued them knows. Parts that are made of this one have none.
    pub(crate) answers: (u64, usize),
    pub(crate) frames: Bytes,
    pub(crate) payload: Option<Bytes>,
    /// Bytes of `frames` and `payload` that went out.
    sent: usize,
}

/// One thing to carry, for roads that carry whole messages.
#[non_exhaustive]
pub enum Item {
    /// A message.
    #[non_exhaustive]
    Message {
        /// Its metadata JSON.
        metadata: Bytes,
        /// Its payload.
        payload: Bytes,
        /// What tells it from others.
        stamp: Stamp,
    },
    /// This side goes away on purpose; nothing follows.
    #[non_exhaustive]
    Close {
        /// Why, for the peer's log.
        reason: Option<String>,
    },
}

/// Without metadata and payload, which may be secrets.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { stamp, .. } => {
                f.debug_struct("Message").field("stamp", stamp).finish_non_exhaustive()
            }
            Self::Close { reason } => f.debug_struct("Close").field("reason", reason).finish(),
        }
    }
}

impl Part {
    /// One frame.
    pub(crate) fn new(seq: Option<u64>, frames: Bytes, payload: Option<Bytes>) -> Self {
        Self { seq, messages: seq.map_or(0, |_| 1), answers: (0, 0), frames, payload, sent: 0 }
    }

    /// Messages with rising numbers.
    pub(crate) fn many(first: u64, messages: u64, frames: Bytes) -> Self {
        Self { seq: Some(first), messages, answers: (0, 0), frames, payload: None, sent: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len() + self.payload.as_ref().map_or(0, Bytes::len)
    }

    /// Bytes of the metadata and the payload of one message.
    pub(crate) fn bytes(&self) -> usize {
        self.len().saturating_sub(FRAME_HEAD)
    }

    /// The same without its first so many messages.
    pub(crate) fn without_first(mut self, messages: u64) -> Self {
        for _ in 0..messages {
            let end = frame_end(&self.frames).unwrap_or(0);
            self.frames.advance(end.min(self.frames.len()));
        }
        self.seq = self.seq.map(|seq| seq + messages);
        self.messages = self.messages.saturating_sub(messages);
        self.answers = (0, 0);
        self
    }

    /// The same, cut into one part per message.
    pub(crate) fn split(mut self) -> impl Iterator<Item = Part> {
        std::iter::from_fn(move || {
            let end = frame_end(&self.frames)?;
            let frame = self.frames.split_to(end.min(self.frames.len()));
            let part = Part::new(self.seq, frame, self.payload.take());
            self.seq = self.seq.map(|seq| seq + 1);
            Some(part)
        })
    }

    /// The metadata of the message it begins with.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        let m = length_at(&self.frames, LENGTH + 1)?;
        let end = FRAME_HEAD + metadata_len(m, usize::MAX).ok()?;
        Metadata::parse(self.frames.slice(FRAME_HEAD..end.min(self.frames.len()))).ok()
    }

    /// The first `len` bytes of what is left; the memory is shared.
    #[cfg(feature = "faults")]
    fn prefix(&self, len: usize) -> Self {
        let end = (self.sent + len).min(self.len());
        let mut part = self.clone();
        if let Some(payload) = &mut part.payload {
            payload.truncate(end.saturating_sub(part.frames.len()));
        }
        part.frames.truncate(end);
        part
    }

    fn rest(&self) -> [&[u8]; 2] {
        let frames = &self.frames[self.sent.min(self.frames.len())..];
        let payload = self.payload.as_deref().unwrap_or_default();
        [frames, &payload[self.sent.saturating_sub(self.frames.len())..]]
    }
}

/// Where the frame at the start ends; its payload may stand elsewhere.
fn frame_end(frames: &[u8]) -> Option<usize> {
    length_at(frames, 0).map(|length| LENGTH + length)
}

impl Batch {
    /// Nothing is left to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn set_origin(&mut self, origin: &Origin) {
        // It hardly ever changes, and to count who shares it costs more than to compare.
        if !self.origin.is(origin) {
            self.origin = origin.clone();
        }
    }

    pub(crate) fn set_mix(&mut self, mix: Mix) {
        self.mix = mix;
    }

    pub(crate) fn mix(&self) -> Mix {
        self.mix
    }

    pub(crate) fn push(&mut self, part: Part) {
        if part.len() > 0 {
            push_part(&mut self.parts, part);
        }
    }

    /// A link is done with it.
    pub(crate) fn went_out(&mut self) {
        parts_went(&mut self.parts);
    }

    /// Takes the next message or close notify; `None` when nothing is left.
    pub fn next_item(&mut self) -> Option<Item> {
        let part = self.parts.front_mut()?;
        let Some(end) = frame_end(&part.frames) else {
            self.parts.pop_front();
            return self.next_item();
        };
        let mut frame = part.frames.split_to(end.min(part.frames.len()));
        let number = part.seq.unwrap_or_default();
        part.seq = part.seq.map(|seq| seq + 1);
        part.messages = part.messages.saturating_sub(1);
        let payload = part.payload.take();
        if part.frames.is_empty() {
            self.parts.pop_front();
        }
        let code = frame[LENGTH];
        if code == CLOSE {
            return Some(Item::Close { reason: close_reason(&frame[LENGTH + 1..]) });
        }
        // We wrote this frame, so its lengths hold; and links that take items are given no chunks.
        let m = length_at(&frame, LENGTH + 1).unwrap_or(4);
        let metadata_len = metadata_len(m, usize::MAX).unwrap_or(0);
        frame.advance(FRAME_HEAD);
        let metadata = frame.split_to(metadata_len);
        let stamp = self.origin.stamp(number);
        Some(Item::Message { metadata, payload: payload.unwrap_or(frame), stamp })
    }

    /// The first `len` bytes of what is left, for a link that is to get no more; the memory is shared. Whoever sends it
    /// takes out of this batch what went out of that one.
    #[cfg(feature = "faults")]
    pub(crate) fn prefix(&self, mut len: usize) -> Self {
        let mut prefix = Self { parts: VecDeque::new(), origin: self.origin.clone(), mix: self.mix };
        for part in &self.parts {
            if len == 0 {
                break;
            }
            let piece = part.prefix(len);
            len -= piece.len() - piece.sent;
            prefix.parts.push_back(piece);
        }
        prefix
    }

    /// Bytes of what [`next_item`](Self::next_item) would take.
    #[cfg(feature = "faults")]
    pub(crate) fn item_len(&self) -> usize {
        self.parts.front().map_or(0, |part| match frame_end(&part.frames) {
            Some(end) if part.payload.is_none() => end.min(part.frames.len()),
            _ => part.len(),
        })
    }

    /// Adds a close notify. It is never repeated on another link.
    pub(crate) fn push_close(&mut self, reason: Option<&str>) {
        let mut frame = BytesMut::new();
        put_close(&mut frame, reason);
        self.push(Part::new(None, frame.freeze(), None));
    }

    /// Adds the word that so many messages came. It is never repeated on another link.
    pub(crate) fn push_acknowledgement(&mut self, count: u64) {
        let mut frame = BytesMut::new();
        put_message(&mut frame, 0, |out| put_acknowledgement(count, out));
        self.push(Part::new(None, frame.freeze(), None));
    }

    /// A chunk is left, whole or in part.
    pub(crate) fn holds_chunk(&self) -> bool {
        self.parts.iter().any(|part| part.seq.is_none() && part.payload.is_some())
    }

    /// The number of the message that went out in part.
    pub(crate) fn begun(&self) -> Option<u64> {
        let part = self.parts.front()?;
        let (mut left, mut seq) = (part.sent, part.seq?);
        if part.payload.is_some() {
            return (left > 0).then_some(seq);
        }
        let mut frames = &part.frames[..];
        while let Some(end) = frame_end(frames).filter(|&end| end <= left) {
            (left, seq, frames) = (left - end, seq + 1, &frames[end..]);
        }
        (left > 0).then_some(seq)
    }

    /// What a broken link did not take whole, cut into one part per message. Chunks and close notifies are left out.
    pub(crate) fn into_unsent(self) -> impl Iterator<Item = Part> {
        self.parts.into_iter().filter(|part| part.seq.is_some()).flat_map(|part| {
            let (mut left, single) = (part.sent, part.payload.is_some());
            part.split().filter(move |message| {
                let whole = !single && left >= message.len();
                left = left.saturating_sub(message.len());
                !whole
            })
        })
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.parts.iter().map(|part| part.len() - part.sent).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| match part.rest() {
            [&[], payload] => payload,
            [frames, _] => frames,
        })
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.parts.iter().flat_map(Part::rest).filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.front_mut() {
            let left = part.len() - part.sent;
            if count < left {
                part.sent += count;
                return;
            }
            count -= left;
            self.parts.pop_front();
        }
        assert_eq!(count, 0, "a link sent more than it was given");
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} bytes)", self.remaining())
    }
}
