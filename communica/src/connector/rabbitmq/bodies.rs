//! What a delivery holds → a message, or why it is none; its key, its headers.

use bytes::{Bytes, BytesMut};
use lapin::message::Delivery;
use lapin::types::AMQPValue;

use super::ids::short;
use crate::error::{Fault, FaultKind};
use crate::wire::{Kind, Message, Metadata, too_large};

/// Bytes of a message's metadata, as on every road.
const METADATA_SIZE: usize = 64 * 1024;

/// A body that is no message, or one that is not taken.
pub(super) struct Unfit {
    pub(super) why: String,
    /// The body of the answer, if somebody waits for one.
    pub(super) answer: Option<Vec<u8>>,
}

impl Unfit {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), answer: None }
    }
}

/// The body of an answer that says why there is no result.
pub(super) fn refusal(request: &Metadata, why: &str) -> Vec<u8> {
    answer(request, &Fault::new(FaultKind::Resp, why, None))
}

fn answer(request: &Metadata, fault: &Fault) -> Vec<u8> {
    let mut body = BytesMut::new();
    request.put_answer(fault.kind().kind(), &mut body);
    body.extend_from_slice(&[0]);
    body.extend_from_slice(&fault.to_bytes());
    body.to_vec()
}

/// The body of a message: metadata, a zero byte, payload. An answer that is too large becomes one that says so.
pub(super) fn split(body: Bytes, message_size: usize) -> Result<Message, Unfit> {
    let mut metadata = body;
    let end = metadata.iter().position(|&byte| byte == 0);
    let end = end.ok_or_else(|| Unfit::new("no zero byte ends its metadata"))?;
    if end > METADATA_SIZE {
        return Err(Unfit::new(format!("its metadata has {end} bytes where {METADATA_SIZE} are allowed")));
    }
    let payload = metadata.split_off(end + 1);
    metadata.truncate(end);
    let message = Message::parse(metadata, payload).map_err(|error| Unfit::new(error.to_string()))?;
    let size = message.payload.len();
    if size <= message_size {
        return Ok(message);
    }
    let why = too_large::why(size, message_size);
    let kind = message.metadata.kind();
    let Some(fault) = too_large::fault(kind, &why) else { return Err(Unfit::new(why)) };
    let answer = answer(&message.metadata, &fault);
    match kind {
        Kind::Request => Err(Unfit { why, answer: Some(answer) }),
        _ => split(answer.into(), usize::MAX),
    }
}

/// By what copies of a message are recognised.
pub(super) fn key(delivery: &Delivery, id: &str) -> Option<String> {
    match delivery.properties.message_id() {
        Some(stamp) => Some(stamp.as_str().to_owned()),
        // From neither library: both give each message one.
        None => (!id.is_empty()).then(|| short(id).into_owned()),
    }
}

/// Text among the headers.
pub(super) fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
