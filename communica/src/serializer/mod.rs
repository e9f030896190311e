//! One value ⇄ one payload: a file per format. Nothing here knows messages or links.

mod bytes;
#[cfg(feature = "fast-json")]
mod fast_json;
#[cfg(any(feature = "msgpack", feature = "postcard"))]
mod guard;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod payload;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(any(feature = "json", feature = "fast-json"))]
mod read_json;
#[cfg(test)]
mod tests;
#[cfg(feature = "validated")]
mod validated;

pub use self::bytes::BytesSerializer;
#[cfg(feature = "postcard")]
pub use self::postcard::PostcardSerializer;
#[cfg(feature = "fast-json")]
pub use fast_json::FastJsonSerializer;
#[cfg(feature = "json")]
pub use json::JsonSerializer;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPackSerializer;
pub use payload::Payload;
#[cfg(feature = "validated")]
pub use validated::{BrokenRules, Validated, ValidatedSerializer};

use ::bytes::Bytes;

use crate::SerializerError;

/// A format. What it can dump and load is said by its [`Dump`] and [`Load`] implementations, usually for every
/// serde type.
///
/// To add a format of your own, implement the three traits:
///
/// ```
/// use communica::{Bytes, Dump, Load, Payload, Serializer, SerializerError};
///
/// /// Text as it is, nothing else.
/// #[derive(Clone)]
/// struct PlainText;
///
/// impl Serializer for PlainText {
///     const NAME: &'static str = "text";
/// }
/// impl Dump<str> for PlainText {
///     fn dump(&self, value: &str) -> Result<Payload, SerializerError> {
///         Ok(value.as_bytes().to_vec().into())
///     }
/// }
/// impl Load<'_, String> for PlainText {
///     fn load(&self, payload: &Bytes) -> Result<String, SerializerError> {
///         String::from_utf8(payload.to_vec()).map_err(|_| SerializerError::new("not UTF-8"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a serializer",
    label = "not a format",
    note = "name one of the library's, as `JsonSerializer`, or implement `communica::Serializer` for yours"
)]
pub trait Serializer: Clone + Send + Sync + 'static {
    /// What messages call this format.
    const NAME: &'static str;
}

/// The format can dump a `T`.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be sent as {Self}",
    label = "this type has no form in that format",
    note = "`BytesSerializer` sends `Bytes`, `Vec<u8>`, `&[u8]` and `()`; with any other format add `#[derive(serde::Serialize)]` to the type"
)]
pub trait Dump<T: ?Sized>: Serializer {
    /// One value as one payload. Start from [`Payload::buffer`] to reuse memory.
    ///
    /// # Errors
    /// The value has no form in this format.
    fn dump(&self, value: &T) -> Result<Payload, SerializerError>;
}

/// The format can load a `T`, which may borrow from the payload.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be read from {Self}",
    label = "this type cannot be loaded from that format",
    note = "`BytesSerializer` reads `Bytes`, `Vec<u8>`, `&[u8]` and `()`; with any other format add `#[derive(serde::Deserialize)]` to the type"
)]
pub trait Load<'de, T>: Serializer {
    /// One payload as one value. All of the payload must be the value: trailing bytes are an error.
    ///
    /// # Errors
    /// The bytes are not a `T` in this format.
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError>;
}
