//! A frame whose payload is above the limit: its head is taken in, and the rest goes by without being kept.

use bytes::{Buf, BytesMut};

use super::super::frame::{CHUNK, CHUNK_HEAD, FRAME_HEAD, LENGTH, MESSAGE, length_at, metadata_len};
use super::super::{Message, Metadata, WireError};
use super::Decoder;

/// What still has to go by.
#[derive(Debug)]
pub(super) struct LeftOut {
    bytes: usize,
    /// What then has come: nothing where more pieces follow.
    pub(super) message: Option<Message>,
}

impl LeftOut {
    /// False if there is more to come.
    pub(super) fn has_passed(&mut self, input: &mut BytesMut) -> bool {
        let here = self.bytes.min(input.len());
        input.advance(here);
        self.bytes -= here;
        self.bytes == 0
    }
}

impl Decoder {
    /// Whether a frame of so many bytes, at the start of `input`, is to be kept whole. If not, its head is taken out as
    /// soon as it is there, and the rest is in `left_out`.
    pub(super) fn is_kept(&mut self, input: &mut BytesMut, length: usize) -> Result<bool, WireError> {
        let limits = self.limits;
        let too_large = |size: usize| WireError::TooLarge { size: size as u64, limit: limits.message };
        let Some(&code) = input.get(LENGTH) else { return Ok(false) };
        let head = match code {
            MESSAGE => FRAME_HEAD - LENGTH,
            CHUNK => CHUNK_HEAD,
            // A close notify has no payload.
            _ if length > self.largest_kept() => return Err(too_large(length)),
            _ => return Ok(true),
        };
        if length < head {
            return Ok(true);
        }
        let Some(field) = length_at(input, LENGTH + head - 4) else { return Ok(false) };
        let metadata = if code == MESSAGE { metadata_len(field, length - 1)? } else { field };
        if metadata > length - head {
            return Err(WireError::BadLength("the metadata of a chunk frame ends after the frame"));
        }
        self.check_metadata(metadata)?;
        let payload = length - head - metadata;
        if payload <= limits.message {
            return Ok(true);
        }
        if payload > limits.left_out {
            return Err(too_large(payload));
        }
        if input.len() < LENGTH + head + metadata {
            return Ok(false);
        }
        input.advance(LENGTH + 1);
        let mut frame = input.split_to(head - 1 + metadata).freeze();
        let message = if code == MESSAGE {
            frame.advance(4);
            Some(Message::left_out(Metadata::parse(frame)?.detached(), payload))
        } else {
            self.chunk(frame, payload)?
        };
        // The buffer may have grown when nobody knew what the frame is.
        self.largest_chunk = self.largest_chunk.max(payload);
        self.left_out = Some(Box::new(LeftOut { bytes: payload, message }));
        Ok(false)
    }
}
