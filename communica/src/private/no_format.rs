//! The format of services that name none, where there is no default: it takes every type, so that nothing is told
//! beside the one thing that is missing. Nothing with it compiles to the end.

use bytes::Bytes;

use crate::error::SerializerError;
use crate::serializer::{Dump, Load, Payload, Serializer};

#[derive(Clone, Copy, Debug)]
pub struct NoFormat;

impl Serializer for NoFormat {
    const NAME: &'static str = "no format";
}

impl<T: ?Sized> Dump<T> for NoFormat {
    fn dump(&self, _: &T) -> Result<Payload, SerializerError> {
        Err(SerializerError::new("this service names no format"))
    }
}

impl<'de, T> Load<'de, T> for NoFormat {
    fn load(&self, _: &'de Bytes) -> Result<T, SerializerError> {
        Err(SerializerError::new("this service names no format"))
    }
}
