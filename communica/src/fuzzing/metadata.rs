//! Metadata texts → id, type and route, as another JSON reader understands them; and back.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::script::Script;
use crate::wire::{Kind, Metadata, put_request};

/// Nesting up to here is taken for certain.
const SHALLOW: usize = 60;

/// Target `metadata`: the text of a metadata object.
pub fn metadata(input: &[u8]) {
    match Metadata::parse(Bytes::copy_from_slice(input)) {
        Ok(metadata) => {
            is_what_another_reader_says(input, &metadata);
            answers_say_the_same(&metadata);
        }
        Err(error) => assert!(!is_right(input), "{error}: {}", String::from_utf8_lossy(input)),
    }
    what_we_write_is_read(input);
}

fn is_what_another_reader_says(text: &[u8], metadata: &Metadata) {
    assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok(), "{}", String::from_utf8_lossy(text));
    // Numbers beyond its range and halves of surrogate pairs are no values to it.
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
    assert_eq!(value["id"].as_str(), Some(&*metadata.id()));
    let kind = if is_minus_zero(&value) { Some(0) } else { value["type"].as_i64() };
    let known = kind.map(|code| code.clamp(i32::MIN.into(), i32::MAX.into()));
    assert_eq!(known, Some(metadata.kind().code()));
    assert_eq!(value.get("route").and_then(Value::as_str), metadata.route().as_deref());
    assert_eq!(metadata.member::<String>("id"), Some(metadata.id().into_owned()));
}

/// Nothing is wrong with it.
fn is_right(text: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return false };
    // Of a key that stands there twice, we look at both values and it shows one.
    let keys = |key: &[u8]| text.windows(key.len()).filter(|window| *window == key).count() == 1;
    let brackets = text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    let right = value["id"].is_string()
        && value["type"].is_i64()
        && value.get("route").is_none_or(Value::is_string)
        && brackets <= SHALLOW;
    let plain = !text.contains(&b'\\') && keys(b"\"id\"") && keys(b"\"type\"") && !is_minus_zero(&value);
    right && plain && text.windows(7).filter(|window| window == b"\"route\"").count() <= 1
}

/// An integer to us, and none to the other.
fn is_minus_zero(value: &Value) -> bool {
    value["type"].as_f64() == Some(0.0)
}

fn answers_say_the_same(request: &Metadata) {
    for kind in [Kind::Result, Kind::Resp, Kind::Other(i32::MIN)] {
        let mut text = BytesMut::new();
        request.detached().put_answer(kind, &mut text);
        let answer = Metadata::parse(text.freeze()).expect("an answer to what was read can be read");
        assert_eq!((answer.id(), answer.route()), (request.id(), request.route()));
        assert_eq!((answer.kind(), answer.timeout()), (kind, request.timeout()));
    }
}

/// Any id and route, and every kind.
fn what_we_write_is_read(input: &[u8]) {
    let mut script = Script::new(input);
    let kind = [Kind::Request, Kind::Throw, Kind::Unknown, Kind::Req][script.below(4)];
    let id_len = script.byte().into();
    let id = String::from_utf8_lossy(script.take(id_len));
    let route = String::from_utf8_lossy(script.rest());
    let route = (!route.is_empty()).then_some(route);
    let mut text = BytesMut::new();
    put_request(&id, kind, route.as_deref(), ",\"timeout_ms\":17", &mut text);
    let read = Metadata::parse(text.freeze()).expect("what we write can be read");
    assert_eq!((read.id(), read.route(), read.kind()), (id, route, kind));
    assert_eq!(read.timeout().map(|time| time.as_millis()), Some(17));
}
