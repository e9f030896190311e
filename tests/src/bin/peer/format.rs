//! A format chosen at run time, which also spoils what asks for it.

use communica::{Bytes, Dump, JsonSerializer, Load, MsgPackSerializer, Payload, Serializer, SerializerError};
use serde::{Deserialize, Serialize};

/// What contains this text leaves as a byte that neither format can load.
pub(crate) const SPOIL: &str = "SPOIL ME";

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[serde(alias = "orjson")]
    Json,
    MsgPack,
}

impl Serializer for Format {
    const NAME: &'static str = "the test's format";
}

impl<T: Serialize + ?Sized> Dump<T> for Format {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        let payload = match self {
            Self::Json => JsonSerializer.dump(value)?,
            Self::MsgPack => MsgPackSerializer.dump(value)?,
        };
        let spoil = payload.len() < 1024 && payload.windows(SPOIL.len()).any(|part| part == SPOIL.as_bytes());
        Ok(if spoil { vec![0xc1].into() } else { payload })
    }
}

impl<'de, T: Deserialize<'de>> Load<'de, T> for Format {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        match self {
            Self::Json => JsonSerializer.load(payload),
            Self::MsgPack => MsgPackSerializer.load(payload),
        }
    }
}
