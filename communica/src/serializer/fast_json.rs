//! JSON that a faster library writes. What it writes and reads is what `JsonSerializer` writes and reads.

// Why sonic-rs, and only for writing: it finds what has to be escaped in text many bytes at a time. Reading was
// measured too (benches/micro): for types of serde neither it nor simd-json is faster than serde_json, whatever the
// processor may do, and both would have to be watched, as they read -0 as 0 or nest without a bound. sonic-rs is
// Apache-2.0 alone and has much `unsafe`, so it is not the default.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::read_json::read_json;
use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// JSON as of [`JsonSerializer`](crate::JsonSerializer), written by a library that is faster with text: strings of a
/// hundred bytes are dumped three to four times as fast, long ones seven times. Records of short fields, numbers, and
/// text full of what JSON escapes take the same time, and loading is the same. Both write the same bytes, so each side
/// may choose for itself: this one is for who sends much text.
///
/// One exception: `serde_json::value::RawValue`, which only `serde_json` knows, is sent as an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastJsonSerializer;

impl Serializer for FastJsonSerializer {
    const NAME: &'static str = "JSON";
}

impl<T: Serialize + ?Sized> Dump<T> for FastJsonSerializer {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        let mut out = Payload::buffer();
        sonic_rs::to_writer(&mut out, value).map_err(|error| in_short(&error))?;
        Ok(out.into())
    }
}

impl<'de, T: Deserialize<'de>> Load<'de, T> for FastJsonSerializer {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        read_json(payload)
    }
}

/// The library draws a picture of the place under its sentence; a message is one sentence.
fn in_short(error: &sonic_rs::Error) -> SerializerError {
    let text = error.to_string();
    SerializerError::new(text.split("\n\n\t").next().unwrap_or(&text))
}
