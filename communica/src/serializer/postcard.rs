//! Postcard: values packed without names, between Rust programs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// Postcard: the smallest payloads, between Rust programs that know the same types.
///
/// Nothing in a payload says what it is: fields have no names, so adding, removing or reordering fields or variants
/// breaks older peers, and a payload of another type may load as something else. Types that ask the format what comes
/// (`serde_json::Value`, `#[serde(untagged)]`, `tag = …`, `flatten`) and `#[serde(skip_serializing_if)]` do not work
/// with it. Integers are of any size that serde knows; floats keep every bit, NaN included. Nesting deeper than 128
/// levels is an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostcardSerializer;

impl Serializer for PostcardSerializer {
    const NAME: &'static str = "Postcard";
}

impl<T: Serialize + ?Sized> Dump<T> for PostcardSerializer {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        let out = postcard::to_extend(value, Payload::buffer());
        out.map(Payload::from).map_err(|error| SerializerError::new(error.to_string()))
    }
}

impl<'de, T: Deserialize<'de>> Load<'de, T> for PostcardSerializer {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        let guard = Guard::new(payload);
        let mut rest = postcard::Deserializer::from_bytes(payload);
        let value = T::deserialize(guard.wrap(&mut rest)).map_err(unreadable)?;
        match rest.finalize().map_err(unreadable)? {
            [] => Ok(value),
            after => Err(SerializerError::new(format!("{} bytes follow the value", after.len()))),
        }
    }
}

fn unreadable(error: postcard::Error) -> SerializerError {
    SerializerError::new(error.to_string())
}
