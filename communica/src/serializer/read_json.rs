//! A payload of JSON → a value.

use bytes::Bytes;
use serde::Deserialize;

use crate::SerializerError;

pub(super) fn read_json<'de, T: Deserialize<'de>>(payload: &'de Bytes) -> Result<T, SerializerError> {
    let value = match std::str::from_utf8(payload) {
        // One look at the whole is faster than one at each string in it.
        Ok(text) => serde_json::from_str(text),
        // What is wrong, and where, or that it is nowhere that matters.
        Err(_) => serde_json::from_slice(payload),
    };
    value.map_err(|error| SerializerError::new(error.to_string()))
}
