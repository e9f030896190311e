//! A payload that could not be loaded → one sentence on why: another format, or another value.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::SerializerError;
use crate::serializer::Serializer;

/// What stands for JSON and MessagePack in sentences, and in `Serializer::NAME`.
const JSON: &str = "JSON";
const MESSAGE_PACK: &str = "MessagePack";

/// Says what is wrong with a payload that `S` did not load. Where both sides may have different formats, it asks.
///
/// Nothing on the wire says what format a payload has, so this looks: only when something failed, and it may be that a
/// payload can be read as either.
pub(crate) fn explained<S: Serializer>(error: &SerializerError, payload: &Bytes) -> String {
    const QUESTION: &str = "do both sides use the same serializer?";
    let (expected, why) = (S::NAME, error.message());
    if error.is_about_value() || is(expected, payload) == Some(true) {
        return format!("the {expected} is not the value that was expected: {why}");
    }
    if expected == JSON && has_no_number(payload) {
        return format!(
            "NaN and infinities are no JSON: {why}; send nothing or `null` in their place (Python's `JsonSerializer` writes them)"
        );
    }
    let found = [JSON, MESSAGE_PACK].into_iter().find(|format| is(format, payload) == Some(true));
    match found.filter(|_| is_telling(payload)) {
        Some(found) => format!("the payload is {found} and not {expected}: {why}; {QUESTION}"),
        None if is(expected, payload) == Some(false) => {
            format!("the payload is not {expected}: {why}; {QUESTION}")
        }
        // Of other formats it is not known whether it is the format or the value.
        None => {
            format!("not the expected {expected}: {why}; do both sides use the same serializer and types?")
        }
    }
}

/// A word on an argument that should have been sent as it is, and that came by its name.
pub(crate) fn in_object<S: Serializer>(name: &str, payload: &Bytes) -> Option<String> {
    let members: BTreeMap<String, IgnoredAny> = loaded(S::NAME, payload)??;
    members.keys().eq([name]).then(|| {
        format!(
            "; this is an object with `{name}` in it where `{name}` itself is expected: the only argument of a method \
             is sent as it is, but for methods with `#[route(named)]`"
        )
    })
}

/// Whether it were JSON but for the words that Python writes for numbers that JSON does not have.
fn has_no_number(payload: &[u8]) -> bool {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let (mut json, mut rest, mut in_string, mut found) = (Vec::new(), payload, false, false);
    while let Some((&byte, behind)) = rest.split_first() {
        let word = WORDS.into_iter().find(|word| !in_string && rest.starts_with(word));
        if let Some(word) = word {
            found = true;
            json.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        // What an escape stands before is no end of a string.
        let len = if in_string && byte == b'\\' { 2.min(rest.len()) } else { 1 };
        in_string ^= byte == b'"';
        json.extend_from_slice(&rest[..len]);
        rest = if len == 1 { behind } else { &rest[len..] };
    }
    found && serde_json::from_slice::<IgnoredAny>(&json).is_ok()
}

/// Whether the payload, all of it, is a value of some type in this format; `None` where that cannot be asked.
fn is(format: &str, payload: &Bytes) -> Option<bool> {
    Some(loaded::<IgnoredAny>(format, payload)?.is_some())
}

/// What a payload is in this format, if it can be read as that; and nothing where that cannot be asked.
fn loaded<T: DeserializeOwned>(format: &str, payload: &Bytes) -> Option<Option<T>> {
    match format {
        JSON => Some(serde_json::from_slice(payload).ok()),
        #[cfg(feature = "msgpack")]
        MESSAGE_PACK => {
            use crate::serializer::Load as _;
            Some(crate::MsgPackSerializer.load(payload).ok())
        }
        _ => None,
    }
}

/// A single byte may be anything: `5` is a number in each format, if another one.
fn is_telling(payload: &[u8]) -> bool {
    payload.len() > 1
}

#[cfg(test)]
mod tests;
