//! Parts of a frame → bytes, appended to a buffer that many frames share.

use bytes::{BufMut, BytesMut};

use super::WireError;

pub(super) const MESSAGE: u8 = 10;
pub(super) const CHUNK: u8 = 11;
pub(super) const CLOSE: u8 = 20;

/// Bytes of the length field, which does not count itself.
pub(super) const LENGTH: usize = 4;
/// Length, code and *M*: what stands before the metadata of a message frame.
pub(crate) const FRAME_HEAD: usize = LENGTH + 1 + 4;
/// Code, index, total and metadata length: what a chunk frame has beside metadata and piece.
pub(super) const CHUNK_HEAD: usize = 1 + 4 + 4 + 4;

/// Appends a message frame whose payload of `payload_len` bytes follows; the caller appends it, here or elsewhere.
///
/// `put_metadata` appends the metadata; lengths are filled in after it ran. The caller made sure that everything
/// fits into a `u32` (see [`Limits::chunk_size`](crate::Limits::chunk_size)).
pub(crate) fn put_message(out: &mut BytesMut, payload_len: usize, put_metadata: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_bytes(0, FRAME_HEAD);
    put_metadata(out);
    let metadata_len = out.len() - start - FRAME_HEAD;
    let head = &mut out[start..start + FRAME_HEAD];
    head[..4].copy_from_slice(&u32_be(1 + 4 + metadata_len + payload_len));
    head[4] = MESSAGE;
    head[5..].copy_from_slice(&u32_be(4 + metadata_len));
}

/// Appends a chunk frame without its piece.
pub(super) fn put_chunk_head(out: &mut BytesMut, index: u32, total: u32, metadata: &[u8], piece_len: usize) {
    out.put_slice(&u32_be(CHUNK_HEAD + metadata.len() + piece_len));
    out.put_u8(CHUNK);
    out.put_u32(index);
    out.put_u32(total);
    out.put_slice(&u32_be(metadata.len()));
    out.put_slice(metadata);
}

/// Appends a close notify. 0.4 sends no body and reads none, so the reason may always go along.
pub(crate) fn put_close(out: &mut BytesMut, reason: Option<&str>) {
    let body = reason.map(|reason| serde_json::json!({ "reason": reason }).to_string()).unwrap_or_default();
    out.put_slice(&u32_be(1 + body.len()));
    out.put_u8(CLOSE);
    out.put_slice(body.as_bytes());
}

/// The reason in the body of a close notify, if there is one.
pub(super) fn close_reason(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        reason: String,
    }
    // It is kept once for each call that ends with the link.
    serde_json::from_slice::<Body>(body).ok().map(|body| readable(&body.reason))
}

/// Characters of a reason that are read.
const MAX_REASON: usize = 500;

/// A reason of the peer, as it may stand in a line of a log.
pub(super) fn readable(reason: &str) -> String {
    let without_control = |letter: char| if letter.is_control() { ' ' } else { letter };
    reason.chars().take(MAX_REASON).map(without_control).collect()
}

/// Four bytes read as a length, once they are there.
pub(super) fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?) as usize)
}

/// Where the metadata of a message frame ends, given *M*, which counts its own four bytes.
pub(super) fn metadata_len(m: usize, body_len: usize) -> Result<usize, WireError> {
    if m < 4 {
        return Err(WireError::BadLength("the metadata of a message frame ends before it starts"));
    }
    if m > body_len {
        return Err(WireError::BadLength("the metadata of a message frame ends after the frame"));
    }
    Ok(m - 4)
}

fn u32_be(length: usize) -> [u8; 4] {
    // Larger messages are cut into chunks long before this; a wrong length on the wire would be worse than a stop.
    u32::try_from(length).expect("frames are cut far below 4 GiB").to_be_bytes()
}
