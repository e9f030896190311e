//! Bytes in any pieces → whole messages.

mod left_out;

use bytes::{Buf, Bytes, BytesMut};

use super::chunk::Assembly;
use super::frame::{CHUNK, CHUNK_HEAD, CLOSE, LENGTH, MESSAGE, close_reason, length_at, metadata_len};
use super::{Message, Metadata, WireError, WireLimits};
use left_out::LeftOut;

/// Bytes of a close notify's body at most.
const MAX_CLOSE: usize = 64 * 1024;

/// What a stream had to say.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// The peer goes away on purpose; nothing follows.
    Close(Option<String>),
}

/// Cuts a stream into messages and puts chunks together.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: WireLimits,
    /// Most links carry no large messages.
    assembly: Option<Box<Assembly>>,
    /// A chunk came without the first of its message. Told once, or a peer could fill the log.
    lost_chunks: bool,
    /// Bytes of the largest chunk frame, or of what was left out, since somebody asked.
    largest_chunk: usize,
    /// The rest of a frame that is too large.
    left_out: Option<Box<LeftOut>>,
}

impl Decoder {
    pub(crate) fn new(limits: WireLimits) -> Self {
        Self { limits, assembly: None, lost_chunks: false, largest_chunk: 0, left_out: None }
    }

    /// Takes the next message out of `input`; `None` when more bytes are needed. After an error the stream has no
    /// meaning any more.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Received>, WireError> {
        loop {
            if let Some(left_out) = &mut self.left_out {
                if !left_out.has_passed(input) {
                    return Ok(None);
                }
                if let Some(message) = self.left_out.take().and_then(|left_out| left_out.message) {
                    return Ok(Some(Received::Message(message)));
                }
            }
            let Some(mut frame) = self.frame(input)? else {
                if self.left_out.is_some() {
                    continue;
                }
                return Ok(None);
            };
            let code = frame.get_u8();
            match code {
                MESSAGE => return self.message(frame).map(Some),
                CHUNK => {
                    self.largest_chunk = self.largest_chunk.max(frame.len());
                    if let Some(message) = self.chunk(frame, 0)? {
                        return Ok(Some(Received::Message(message)));
                    }
                }
                CLOSE if frame.len() > MAX_CLOSE => {
                    return Err(WireError::BadLength("a close notify is longer than 64 KiB"));
                }
                CLOSE => return Ok(Some(Received::Close(close_reason(&frame)))),
                unknown => return Err(WireError::UnknownCode(unknown)),
            }
        }
    }

    /// How many bytes the frame at the start of `input` still lacks, of one that is too large its head at most; 0 when that
    /// is not known yet, or the bytes are not kept.
    pub(crate) fn missing(&self, input: &BytesMut) -> usize {
        let Some(length) = length_at(input, 0).filter(|_| self.left_out.is_none()) else { return 0 };
        let kept = if length > self.largest_kept() { CHUNK_HEAD + self.limits.metadata } else { length };
        (LENGTH + kept).saturating_sub(input.len())
    }

    /// What comes next belongs to a frame that has begun, and is not kept.
    pub(crate) fn leaves_out(&self) -> bool {
        self.left_out.is_some()
    }

    /// A chunk frame of more bytes than these was taken out of the input since this was asked last.
    pub(crate) fn took_chunk_above(&mut self, bytes: usize) -> bool {
        std::mem::take(&mut self.largest_chunk) > bytes
    }

    /// Chunks came, and not the last one.
    pub(crate) fn is_assembling(&self) -> bool {
        self.assembly.is_some()
    }

    /// One whole frame without its length field. A frame that is too large goes to `left_out`.
    fn frame(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
        let Some(length) = length_at(input, 0) else { return Ok(None) };
        if length == 0 {
            return Err(WireError::EmptyFrame);
        }
        if length > self.largest(self.limits.left_out) {
            return Err(WireError::TooLarge { size: length as u64, limit: self.limits.message });
        }
        // An unknown code is not worth waiting for its body.
        if let Some(&code) = input.get(LENGTH) {
            if !matches!(code, MESSAGE | CHUNK | CLOSE) {
                return Err(WireError::UnknownCode(code));
            }
        }
        if length > self.limits.message && !self.is_kept(input, length)? || input.len() < LENGTH + length {
            return Ok(None);
        }
        input.advance(LENGTH);
        Ok(Some(input.split_to(length).freeze()))
    }

    fn message(&self, mut frame: Bytes) -> Result<Received, WireError> {
        let m = length_at(&frame, 0).ok_or(WireError::BadLength("a message frame has no metadata length"))?;
        let metadata_len = metadata_len(m, frame.len())?;
        self.check_metadata(metadata_len)?;
        frame.advance(4);
        let metadata = frame.split_to(metadata_len);
        Ok(Received::Message(Message::parse(metadata, frame)?))
    }

    /// `left_out`: bytes of the piece that are not in the frame.
    fn chunk(&mut self, mut frame: Bytes, left_out: usize) -> Result<Option<Message>, WireError> {
        if frame.len() < CHUNK_HEAD - 1 {
            return Err(WireError::BadLength("a chunk frame ends inside its head"));
        }
        let (index, total, metadata_len) = (frame.get_u32(), frame.get_u32(), frame.get_u32() as usize);
        if metadata_len > frame.len() {
            return Err(WireError::BadLength("the metadata of a chunk frame ends after the frame"));
        }
        self.check_metadata(metadata_len)?;
        let metadata = frame.split_to(metadata_len);
        if index == 0 {
            if self.assembly.is_some() {
                return Err(WireError::BadChunk("a new message began before the last one was complete"));
            }
            self.assembly = Some(Box::new(Assembly::new(total, Metadata::parse(metadata)?)?));
        }
        // 0.4 goes on in the middle of a message after a reconnect; what came before is gone, so the rest is no use.
        let Some(assembly) = &mut self.assembly else {
            if !std::mem::replace(&mut self.lost_chunks, true) {
                tracing::warn!(
                    index,
                    total,
                    "dropped a chunk that came without the first chunk of its message"
                );
            }
            return Ok(None);
        };
        if !assembly.add(index, total, frame, left_out, self.limits)? {
            return Ok(None);
        }
        Ok(self.assembly.take().map(|assembly| assembly.into_message()))
    }

    fn check_metadata(&self, size: usize) -> Result<(), WireError> {
        let limit = self.limits.metadata;
        if size > limit { Err(WireError::MetadataTooLarge { size: size as u64, limit }) } else { Ok(()) }
    }

    /// Bytes of a frame that is kept.
    fn largest_kept(&self) -> usize {
        self.largest(self.limits.message)
    }

    /// Bytes of a frame with such a payload at most. The chunk head is the larger one. Both are added to what the settings
    /// allow.
    fn largest(&self, payload: usize) -> usize {
        payload.saturating_add(self.limits.metadata).saturating_add(CHUNK_HEAD)
    }
}
