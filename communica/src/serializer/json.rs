//! JSON, as Python's `JsonSerializer` and `OrjsonSerializer` write and read it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::read_json::read_json;
use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// JSON: the default. Compact on the way out, any white space on the way in.
///
/// JSON has no form for NaN and infinities: they are sent as `null`, as orjson does. Map keys must be strings or
/// numbers. Nesting deeper than 128 levels is an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonSerializer;

impl Serializer for JsonSerializer {
    const NAME: &'static str = "JSON";
}

impl<T: Serialize + ?Sized> Dump<T> for JsonSerializer {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        let mut out = Payload::buffer();
        serde_json::to_writer(&mut out, value).map_err(|error| SerializerError::new(error.to_string()))?;
        Ok(out.into())
    }
}

impl<'de, T: Deserialize<'de>> Load<'de, T> for JsonSerializer {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        read_json(payload)
    }
}
