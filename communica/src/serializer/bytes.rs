//! Bytes as they are: the payload is the value.

use bytes::Bytes;

use super::{Dump, Load, Payload, Serializer};
use crate::SerializerError;

/// No format: the payload is the bytes.
///
/// [`Bytes`] are sent without a copy and loaded without one: they share the memory of the message that brought them,
/// which stays in use as long as they do. `&[u8]` is loaded in place. `Vec<u8>` is copied. `()` is the empty payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerializer;

impl Serializer for BytesSerializer {
    const NAME: &'static str = "bytes";
}

impl Dump<Bytes> for BytesSerializer {
    fn dump(&self, value: &Bytes) -> Result<Payload, SerializerError> {
        Ok(value.clone().into())
    }
}

impl Dump<[u8]> for BytesSerializer {
    fn dump(&self, value: &[u8]) -> Result<Payload, SerializerError> {
        let mut out = Payload::buffer();
        out.extend_from_slice(value);
        Ok(out.into())
    }
}

impl Dump<Vec<u8>> for BytesSerializer {
    fn dump(&self, value: &Vec<u8>) -> Result<Payload, SerializerError> {
        self.dump(value.as_slice())
    }
}

impl Dump<&[u8]> for BytesSerializer {
    fn dump(&self, value: &&[u8]) -> Result<Payload, SerializerError> {
        self.dump(*value)
    }
}

impl Dump<()> for BytesSerializer {
    fn dump(&self, _: &()) -> Result<Payload, SerializerError> {
        Ok(Bytes::new().into())
    }
}

impl Load<'_, Bytes> for BytesSerializer {
    fn load(&self, payload: &Bytes) -> Result<Bytes, SerializerError> {
        Ok(payload.clone())
    }
}

impl Load<'_, Vec<u8>> for BytesSerializer {
    fn load(&self, payload: &Bytes) -> Result<Vec<u8>, SerializerError> {
        Ok(payload.to_vec())
    }
}

impl<'de> Load<'de, &'de [u8]> for BytesSerializer {
    fn load(&self, payload: &'de Bytes) -> Result<&'de [u8], SerializerError> {
        Ok(payload)
    }
}

impl Load<'_, ()> for BytesSerializer {
    fn load(&self, payload: &Bytes) -> Result<(), SerializerError> {
        match payload.len() {
            0 => Ok(()),
            len => Err(SerializerError::new(format!("{len} bytes where none are expected"))),
        }
    }
}
