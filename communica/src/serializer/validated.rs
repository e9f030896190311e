//! Any format ⇄ the same format with checked values: what breaks its type's rules is neither sent nor handed on.

mod rules;
mod types;

pub use rules::{BrokenRules, Validated};

use bytes::Bytes;

use super::{Dump, JsonSerializer, Load, Payload, Serializer};
use crate::SerializerError;

/// Another serializer whose values are checked before sending and after loading, on both sides.
///
/// The rules stand on the types, written with the crate `garde` (0.22), and
/// [`validated!`](crate::validated) names the types that methods take and give. Numbers, text and the like have no
/// rules, and lists, options, maps and tuples have those of what is in them.
///
/// ```
/// use communica::{JsonSerializer, RouteTable, ValidatedSerializer};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, garde::Validate)]
/// struct Record {
///     #[garde(length(min = 1, max = 20))]
///     name: String,
///     #[garde(range(max = 130))]
///     age: u8,
/// }
/// communica::validated!(Record);
///
/// let checked = ValidatedSerializer::new(JsonSerializer);
/// let routes = RouteTable::new().route_with("put", checked, |record: Record| {
///     println!("{} is {}", record.name, record.age);
/// });
/// # let _ = routes;
/// ```
///
/// A requester that breaks a rule gets a `SerializerError` before anything is sent, and from the responder if it does
/// not check itself; a responder's result that breaks one becomes a `RespError`. Both say which fields broke which
/// rules: `age: greater than 130; name: length is lower than 1`.
///
/// Python's `AdaptixSerializer` checks what it loads, and not what it sends; what it refuses arrives here as a
/// `SerializerError` in its own words, which name the rule and not the field.
///
/// Rules are checked when the whole value is loaded, so they do not bound what loading takes: limits of messages do.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValidatedSerializer<S = JsonSerializer>(S);

impl<S: Serializer> ValidatedSerializer<S> {
    /// Checks what `format` sends and loads.
    #[must_use]
    pub const fn new(format: S) -> Self {
        Self(format)
    }
}

impl<S: Serializer> Serializer for ValidatedSerializer<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Dump<T>, T: Validated + ?Sized> Dump<T> for ValidatedSerializer<S> {
    fn dump(&self, value: &T) -> Result<Payload, SerializerError> {
        BrokenRules::of(value)?;
        self.0.dump(value)
    }
}

impl<'de, S: Load<'de, T>, T: Validated> Load<'de, T> for ValidatedSerializer<S> {
    fn load(&self, payload: &'de Bytes) -> Result<T, SerializerError> {
        let value = self.0.load(payload)?;
        BrokenRules::of(&value)?;
        Ok(value)
    }
}

/// Says that types keep the rules which their `garde::Validate` declares, so that a
/// [`ValidatedSerializer`] takes them. Once for each type that stands in a method's signature, by itself or in a list,
/// option, map or tuple; types within its fields are garde's business (`#[garde(dive)]`).
///
/// ```
/// # #[derive(garde::Validate)] struct Record { #[garde(ascii)] name: String }
/// # #[derive(garde::Validate)] #[garde(allow_unvalidated)] struct Answer { count: u32 }
/// communica::validated!(Record, Answer);
/// ```
///
/// Generic types need the impl which this writes, by hand:
///
/// ```
/// use communica::{BrokenRules, Validated};
/// # #[derive(garde::Validate)] #[garde(context(()))] struct Page<T: garde::Validate<Context = ()>> {
/// #     #[garde(length(max = 100), dive)] rows: Vec<T> }
///
/// impl<T: garde::Validate<Context = ()>> Validated for Page<T> {
///     fn check(&self, broken: &mut BrokenRules) {
///         broken.by_garde(self);
///     }
/// }
/// ```
// Why not for all types that are `garde::Validate`, without a word: then nothing else could be `Validated`, as garde
// might make numbers and strings `Validate` one day, and `-> u32` or `Vec<String>` could not be sent at all.
#[macro_export]
macro_rules! validated {
    ($($ty:ty),+ $(,)?) => {$(
        impl $crate::Validated for $ty {
            fn check(&self, broken: &mut $crate::BrokenRules) {
                broken.by_garde(self);
            }
        }
    )+};
}
