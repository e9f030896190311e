//! MessagePack, as Python's `MsgpackSerializer` writes and reads it: structs are maps with string keys.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// MessagePack: smaller than JSON, knows bytes, and Python reads it.
///
/// Structs are maps keyed by field name. `&[u8]` and `Vec<u8>` are arrays of numbers unless `serde_bytes` says
/// otherwise. Integers keep to 64 bits; floats keep every bit, NaN included. Nesting deeper than 128 levels is an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgPackSerializer;

impl Serializer for MsgPackSerializer {
    const NAME: &'static str = "MessagePack";
}

impl<T: Serialize + ?Sized> Dump<T> for MsgPackSerializer {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        let mut out = Payload::buffer();
        let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
        value.serialize(&mut serializer).map_err(|error| SerializerError::new(error.to_string()))?;
        Ok(out.into())
    }
}

impl<'de, T: Deserialize<'de>> Load<'de, T> for MsgPackSerializer {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        let guard = Guard::new(payload);
        let mut rest = rmp_serde::Deserializer::from_read_ref(&payload[..]);
        let value =
            T::deserialize(guard.wrap(&mut rest)).map_err(|error| SerializerError::new(error.to_string()))?;
        // At the end there is no further marker to read; anything else means that something follows.
        match <()>::deserialize(&mut rest) {
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(SerializerError::new("something follows the value")),
        }
    }
}
