//! One large message ⇄ its chunks.

use bytes::{Bytes, BytesMut};

use super::frame::{CHUNK_HEAD, LENGTH, put_chunk_head};
use super::{Message, Metadata, WireError, WireLimits};
use crate::spare::Buffer;

/// Of an announced message, so many times what came of it is reserved: all that a first piece vouches for …
const FIRST_AHEAD: usize = 16;
/// … and then as much that there is little to copy, where memory that nothing was written to costs nothing.
const AHEAD: usize = if cfg!(unix) { 128 } else { 16 };

/// A large message on its way out, cut on demand so that other messages can go between.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    metadata: Bytes,
    payload: Bytes,
    size: usize,
    next: u32,
}

impl Chunks {
    /// `size`: bytes of payload per chunk, at least 1.
    pub(crate) fn new(metadata: Bytes, payload: Bytes, size: usize) -> Self {
        Self { metadata, payload, size: size.max(1), next: 0 }
    }

    fn total(&self) -> u32 {
        // `Limits` keeps chunk sizes at 1 KiB and more, and payloads in memory: the count fits for 4 TiB.
        u32::try_from(self.payload.len().div_ceil(self.size).max(1)).unwrap_or(u32::MAX)
    }

    /// Bytes this message holds.
    pub(crate) fn len(&self) -> usize {
        self.metadata.len() + self.payload.len()
    }

    /// Bytes of its payload.
    pub(crate) fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Nothing of it was cut off yet.
    pub(crate) fn is_whole(&self) -> bool {
        self.next == 0
    }

    /// Everything was cut off.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.total()
    }

    /// The message's metadata.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        Metadata::parse(self.metadata.clone()).ok()
    }

    /// A new link begins at the first chunk again.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// The next chunk as the head of its frame and its piece, which shares the message's memory.
    pub(crate) fn cut(&mut self) -> (Bytes, Bytes) {
        let start = (self.next as usize * self.size).min(self.payload.len());
        let end = (start + self.size).min(self.payload.len());
        let metadata = if self.next == 0 { &self.metadata[..] } else { &[] };
        let mut head = BytesMut::with_capacity(LENGTH + CHUNK_HEAD + metadata.len());
        put_chunk_head(&mut head, self.next, self.total(), metadata, end - start);
        self.next += 1;
        (head.freeze(), self.payload.slice(start..end))
    }

    /// The message uncut, for a link that carries whole messages.
    pub(crate) fn whole(&self) -> (Bytes, Bytes) {
        (self.metadata.clone(), self.payload.clone())
    }
}

/// A large message on its way in.
#[derive(Debug)]
pub(super) struct Assembly {
    metadata: Metadata,
    payload: Buffer,
    /// Bytes that came of it; above the limit none of them are kept.
    size: usize,
    next: u32,
    total: u32,
}

impl Assembly {
    pub(super) fn new(total: u32, metadata: Metadata) -> Result<Self, WireError> {
        if total == 0 {
            return Err(WireError::BadChunk("a message of 0 chunks"));
        }
        Ok(Self { metadata: metadata.detached(), payload: Buffer::default(), size: 0, next: 0, total })
    }

    /// Adds a piece, of which so many bytes were not kept; true when it was the last. The limits are for the whole message.
    pub(super) fn add(
        &mut self,
        index: u32,
        total: u32,
        piece: Bytes,
        left_out: usize,
        limits: WireLimits,
    ) -> Result<bool, WireError> {
        if total != self.total {
            return Err(WireError::BadChunk("the total changed from one chunk to the next"));
        }
        if index != self.next {
            return Err(WireError::BadChunk("a chunk is missing or came twice"));
        }
        let piece_size = piece.len().saturating_add(left_out);
        self.size = self.size.saturating_add(piece_size);
        if self.size > limits.message {
            // Pieces are of one size, but for the last. Of an endless message nobody waits for the end.
            let whole_to_come = (total - index).saturating_sub(2) as usize;
            let announced = self.size.saturating_add(piece_size.saturating_mul(whole_to_come));
            if announced > limits.left_out {
                return Err(WireError::TooLarge { size: announced as u64, limit: limits.message });
            }
            self.payload = Buffer::default();
        } else {
            self.make_room(piece.len(), limits.message);
            self.payload.put(&piece);
        }
        self.next += 1;
        Ok(self.next == self.total)
    }

    /// Room for this piece and, if there is none, for those to come: all of them, as far as what came vouches for that.
    fn make_room(&mut self, piece: usize, limit: usize) {
        if self.payload.room() >= piece {
            return;
        }
        let came = self.payload.len();
        let to_come = piece.saturating_mul((self.total - self.next) as usize).min(limit - came);
        // Memory that is there already needs nobody to vouch for it.
        if !self.payload.move_to_spare(to_come) {
            let factor = if came == 0 { FIRST_AHEAD } else { AHEAD };
            self.payload.reserve(to_come.min((came + piece).saturating_mul(factor)).max(piece));
        }
    }

    pub(super) fn into_message(self) -> Message {
        if self.size > self.payload.len() {
            return Message::left_out(self.metadata, self.size);
        }
        Message { metadata: self.metadata, payload: self.payload.into_bytes(), receipt: None, sender: None }
    }
}
