//! Bytes ⇄ messages, as communica 0.4 speaks them. No I/O, no clock, no task: bytes in, messages out.
//!
//! After the handshake ([`hello`]) a stream carries frames, all integers big-endian:
//!
//! | field | bytes | meaning |
//! |---|---|---|
//! | length | 4 | of what follows |
//! | code | 1 | 10, 11 or 20 |
//! | body | length − 1 | see below |
//!
//! | code | frame | body |
//! |---|---|---|
//! | 10 | message | `u32` *M* = 4 + metadata length, metadata JSON, payload |
//! | 11 | chunk | `u32` index, `u32` total, `u32` metadata length, metadata (index 0 only), piece of the payload |
//! | 20 | close notify | empty in 0.4; we may add `{"reason": …}`, which 0.4 does not read |
//!
//! What goes beyond 0.4 is announced in the hello, in the one key `communica`, and used only with a peer that announced
//! it too:
//!
//! | member | meaning |
//! |---|---|
//! | `instance` | this session: another one has another, be it in the same process |
//! | `features` | names of [`Feature`]s |
//! | `silence_ms` | the silence that this side bears |
//! | `message_size` | bytes of a payload that it accepts |
//! | `unacknowledged` | messages and bytes that it keeps; the other side acknowledges in time |
//! | `heard` | `{"instance", "messages"}`: how much of which session came over earlier links |
//! | `token` | what a client shows to be let in |
//!
//! | type | message | its `id` |
//! |---|---|---|
//! | 101 | acknowledgement, and sign of life | how many messages came, counted over all links; these are not counted |
//! | 102 | cancel | that of the request whose answer nobody waits for |
//!
//! The pieces of one message come in order. Whole messages may stand between them, pieces of another message may
//! not. Every length is checked against [`WireLimits`] before memory is reserved, and nothing here recurses on input.

mod batch;
mod chunk;
mod decoder;
mod fault;
mod frame;
pub(crate) mod hello;
mod metadata;
mod receipt;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod too_large;

pub(crate) use batch::Mix;
pub use batch::{Batch, Item, Stamp};
pub(crate) use batch::{Origin, Part, parts_went, push_part};
pub(crate) use chunk::Chunks;
pub(crate) use decoder::{Decoder, Received};
pub use fault::{Fault, FaultKind};
pub(crate) use frame::{FRAME_HEAD, put_close, put_message};
pub use hello::Feature;
pub use metadata::Metadata;
pub(crate) use metadata::{Kind, METADATA, more, more_for_any, put_acknowledgement, put_request, string_len};
pub use receipt::Receipt;
pub(crate) use scan::is_too_deep;

use std::sync::Arc;

use bytes::Bytes;

use crate::connector::PeerInfo;

/// One whole message as a link hands it over: what it is about, and its payload, untouched.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// Who it is for and what it is: id, type, route.
    pub metadata: Metadata,
    /// One value in the format of the route's serializer; plain JSON for errors.
    pub payload: Bytes,
    /// What settles it, if a store keeps it until then.
    pub(crate) receipt: Option<Box<Receipt>>,
    /// Who was at the other end of the link that brought it, if a handler is to know: whoever has the client id later may be
    /// somebody else.
    pub(crate) sender: Option<Arc<PeerInfo>>,
}

impl Message {
    /// Puts a message together from its metadata JSON and its payload, for links that carry whole messages.
    ///
    /// # Errors
    /// [`WireError`] when the metadata is not the JSON object the wire asks for.
    pub fn parse(metadata: Bytes, payload: Bytes) -> Result<Self, WireError> {
        Ok(Self { metadata: Metadata::parse(metadata)?, payload, receipt: None, sender: None })
    }

    /// All of it; what stays says nothing.
    pub(crate) fn take(&mut self) -> Self {
        let nothing =
            Self { metadata: Metadata::nothing(), payload: Bytes::new(), receipt: None, sender: None };
        std::mem::replace(self, nothing)
    }

    /// One whose payload of so many bytes is too large, and was not kept.
    pub(crate) fn left_out(mut metadata: Metadata, size: usize) -> Self {
        metadata.set_size(size);
        Self { metadata, payload: Bytes::new(), receipt: None, sender: None }
    }

    /// Bytes of the payload, if it was not kept. For what has just come: what waits for its handler has its payload, and its metadata
    /// the size.
    pub(crate) fn size_left_out(&self) -> Option<usize> {
        Some(self.metadata.size()).filter(|&size| size > 0)
    }

    /// The same, from a store that keeps it until it is settled, and may bring it again before.
    #[must_use]
    pub fn with_receipt(self, receipt: Receipt) -> Self {
        Self { receipt: Some(Box::new(receipt)), ..self }
    }

    /// From now on it shares no memory with the buffer it was read into.
    pub(crate) fn detach(&mut self) {
        self.metadata = self.metadata.detached();
        self.payload = Bytes::copy_from_slice(&self.payload);
    }
}

/// Of several copies, the first one has the receipt.
impl Clone for Message {
    fn clone(&self) -> Self {
        Self {
            metadata: self.metadata.clone(),
            payload: self.payload.clone(),
            receipt: None,
            sender: self.sender.clone(),
        }
    }
}

/// What the decoder accepts; the public knobs are in [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireLimits {
    /// Bytes of one message's payload, in one frame or put together from chunks.
    pub(crate) message: usize,
    /// Bytes of one message's metadata.
    pub(crate) metadata: usize,
    /// Bytes of a payload that is too large: so many are read and thrown away, so that the link can go on. Not less than `message`.
    pub(crate) left_out: usize,
}

/// A peer sent bytes that are not this wire. The link cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A frame of no bytes has no code.
    #[error("the peer sent a frame of length 0, which has no code byte")]
    EmptyFrame,
    /// The code byte is none of 10, 11, 20.
    #[error("the peer sent a frame with the unknown code {0}")]
    UnknownCode(u8),
    /// A frame or a message put together from chunks is so much larger than allowed that nobody reads to its end.
    #[error(
        "the peer sent {size} bytes where {limit} are allowed: raise `Limits::message_size` if it should be accepted"
    )]
    TooLarge {
        /// What the peer announced or sent so far.
        size: u64,
        /// What this side accepts.
        limit: usize,
    },
    /// Metadata is larger than allowed.
    #[error("the peer sent {size} bytes of metadata where {limit} are allowed")]
    MetadataTooLarge {
        /// What the peer announced.
        size: u64,
        /// What this side accepts.
        limit: usize,
    },
    /// A length inside a frame points outside of it.
    #[error("the peer sent a frame whose inner length does not fit: {0}")]
    BadLength(&'static str),
    /// Chunks that do not make a message.
    #[error("the peer sent chunks that do not make a message: {0}")]
    BadChunk(&'static str),
    /// Metadata that is not the JSON object it has to be.
    #[error("the peer sent metadata that is not what the wire asks for: {0}")]
    BadMetadata(&'static str),
    /// More messages than may wait for handlers, or than may wait for the peer to take their answers.
    #[error(
        "the peer sent more messages than may wait here, or took too few answers: see `Limits::waiting` and `Limits::queued`"
    )]
    Overrun,
    /// The handshake is not one.
    #[error("the peer's hello is not one: {0}")]
    BadHello(&'static str),
}
