//! The suite: each check is written once and runs for every format of serde types.

#[cfg(any(feature = "msgpack", feature = "postcard"))]
mod announced;
mod deep;
mod hostile;
mod properties;
mod round_trip;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ::bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::SerializerError;
use crate::serializer::*;

/// The stack of tokio's threads.
const STACK: usize = 2 * 1024 * 1024;

/// What the suite needs to know of a format.
trait Format: Send + Sync + 'static {
    /// Lists in lists, so many of them.
    fn lists(levels: usize) -> Vec<u8>;
    /// `Chain::Next(Chain::Next(… Chain::End))`.
    fn chain(levels: usize) -> Vec<u8>;
    /// A text of one byte that is not UTF-8.
    const NOT_UTF8: &'static [u8];
    /// Whether white space may follow.
    const SPACE: bool;
    /// Whether NaN and infinities have a form.
    const NOT_FINITE: bool;

    fn dump<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, SerializerError>;
    fn load<T: DeserializeOwned>(payload: &[u8]) -> Result<T, SerializerError>;
}

/// A format in which the lengths of what follows are announced.
#[cfg(any(feature = "msgpack", feature = "postcard"))]
trait Announces: Format {
    /// Beginnings that announce far more than follows.
    const HUGE: &'static [&'static [u8]];
}

macro_rules! through {
    ($serializer:expr) => {
        fn dump<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, SerializerError> {
            Dump::dump(&$serializer, value).map(Payload::into_bytes)
        }
        fn load<T: DeserializeOwned>(payload: &[u8]) -> Result<T, SerializerError> {
            Load::load(&$serializer, &Bytes::copy_from_slice(payload))
        }
    };
}

#[cfg(any(feature = "json", feature = "fast-json"))]
macro_rules! json {
    ($serializer:ident) => {
        impl Format for $serializer {
            fn lists(levels: usize) -> Vec<u8> {
                ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes()
            }
            fn chain(levels: usize) -> Vec<u8> {
                [&r#"{"Next":"#.repeat(levels), r#""End""#, &"}".repeat(levels)].concat().into_bytes()
            }
            const NOT_UTF8: &'static [u8] = b"\"\xff\"";
            const SPACE: bool = true;
            const NOT_FINITE: bool = false;
            through!($serializer);
        }
    };
}

#[cfg(feature = "json")]
json!(JsonSerializer);
#[cfg(feature = "fast-json")]
json!(FastJsonSerializer);

#[cfg(feature = "msgpack")]
impl Format for MsgPackSerializer {
    fn lists(levels: usize) -> Vec<u8> {
        [vec![0x91; levels - 1], vec![0x90]].concat()
    }
    fn chain(levels: usize) -> Vec<u8> {
        [b"\x81\xa4Next".repeat(levels), b"\xa3End".to_vec()].concat()
    }
    const NOT_UTF8: &'static [u8] = b"\xa1\xff";
    const SPACE: bool = false;
    const NOT_FINITE: bool = true;
    through!(MsgPackSerializer);
}

#[cfg(feature = "msgpack")]
impl Announces for MsgPackSerializer {
    const HUGE: &'static [&'static [u8]] = &[
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
    ];
}

#[cfg(feature = "postcard")]
impl Format for PostcardSerializer {
    fn lists(levels: usize) -> Vec<u8> {
        [vec![1; levels - 1], vec![0]].concat()
    }
    fn chain(levels: usize) -> Vec<u8> {
        [vec![0; levels], vec![1]].concat()
    }
    const NOT_UTF8: &'static [u8] = b"\x01\xff";
    const SPACE: bool = false;
    const NOT_FINITE: bool = true;
    through!(PostcardSerializer);
}

#[cfg(feature = "postcard")]
impl Announces for PostcardSerializer {
    const HUGE: &'static [&'static [u8]] =
        &[b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"];
}

/// Every check for one format.
macro_rules! suite {
    ($name:ident, $serializer:ident; $($module:ident: $($check:ident)+;)+) => {
        mod $name {
            $(mod $module {
                $(#[test]
                fn $check() {
                    super::super::within_stack(super::super::$module::$check::<crate::serializer::$serializer>);
                })+
            })+
        }
    };
}

macro_rules! suites {
    ($($(#[$cfg:meta])* $name:ident: $serializer:ident $(, which $announces:ident)?;)+) => {$(
        $(#[$cfg])*
        suite! {
            $name, $serializer;
            round_trip: integers floats texts options enums maps everything lists_and_units bytes
                not_finite unit_is_nothing;
            hostile: wrong_type long_texts_are_not_quoted_whole truncated trailing not_utf8 empty_payload;
            deep: as_deep_as_allowed too_deep_lists too_deep_enums too_deep_options too_deep_newtypes
                too_deep_where_ignored wide_types_fit_the_stack;
            properties: any_value_comes_back any_bytes_never_panic damaged_values_never_panic;
            $($announces: huge_lengths huge_lengths_in_each_other endless_units;)?
        }
    )+};
}

suites! {
    #[cfg(feature = "json")]
    json: JsonSerializer;
    #[cfg(feature = "fast-json")]
    fast_json: FastJsonSerializer;
    #[cfg(feature = "msgpack")]
    msgpack: MsgPackSerializer, which announced;
    #[cfg(feature = "postcard")]
    postcard: PostcardSerializer, which announced;
}

/// Runs a check on a stack like that of tokio's threads, and not for ever.
fn within_stack(check: fn()) {
    let (done, ended) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK);
    let thread = thread.spawn(move || {
        check();
        let _ = done.send(());
    });
    let thread = thread.expect("no thread for the check");
    if ended.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("the check did not end within a minute");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn comes_back<F: Format, T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
    let payload = F::dump(&value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    let loaded: T = F::load(&payload).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    assert_eq!(loaded, value);
}
