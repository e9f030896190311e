//! JSON through a faster library. What it reads and writes is what `JsonSerializer` reads and writes.

// Why sonic-rs: it reads straight from the payload into serde types, on x86-64 and aarch64 with SIMD and elsewhere
// without, needs no C compiler, and is released often. simd-json wants a mutable copy of the payload and builds a tape
// first, and what of it compiles with our Rust lacks its fixes of 2026 (unchecked UTF-8, unbounded recursion). jiter
// gives a tree, not serde types. sonic-rs is Apache-2.0 alone and has much `unsafe`, so it is not the default; and what
// it does badly never reaches it, but is read by serde_json: deep nesting (it takes twice the stack, and all of it for
// keys that are ignored), -0 (it reads 0), and what is not UTF-8.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// Levels of lists and objects that the library is trusted with.
const LEVELS: usize = 32;

/// JSON as of `JsonSerializer`, through a library that is faster with large payloads: both write the same bytes and
/// read the same values from them, so each side may choose for itself. Only the words of errors differ.
///
/// One exception: `serde_json::value::RawValue`, which only `serde_json` knows, is sent as an object and cannot be loaded.
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
        match std::str::from_utf8(payload) {
            Ok(text) if !nests_deep(payload) && !holds_negative_zero(text) => {
                sonic_rs::from_str(text).map_err(|error| in_short(&error))
            }
            _ => serde_json::from_slice(payload).map_err(|error| SerializerError::new(error.to_string())),
        }
    }
}

/// Whether a number may be -0, for which the library gives 0. Text that looks like it only takes the longer way.
fn holds_negative_zero(json: &str) -> bool {
    json.split('-').skip(1).any(|after| {
        let beyond = after.trim_start_matches(['0', '.']);
        after.starts_with('0') && !beyond.starts_with(|next: char| next.is_ascii_digit())
    })
}

/// Whether lists and objects lie more than [`LEVELS`] deep. In what is not JSON, any answer will do: the library stops
/// at the first mistake, and up to there the count is right.
fn nests_deep(json: &[u8]) -> bool {
    // Most payloads do not even hold as many brackets, and counting them all is faster than finding the strings.
    let opening = json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    opening > LEVELS && deepest(json) > LEVELS
}

fn deepest(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// The library draws a picture of the place under its sentence; a message is one sentence.
fn in_short(error: &sonic_rs::Error) -> SerializerError {
    let text = error.to_string();
    SerializerError::new(text.split("\n\n\t").next().unwrap_or(&text))
}
