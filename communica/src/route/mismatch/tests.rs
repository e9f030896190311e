//! Every format given to every other, in both directions.

use bytes::Bytes;
use serde::Deserialize;

use crate::error::{Error, Fault, FaultKind, SerializerSide};
use crate::route::handler::{load, load_result};
use crate::serializer::{BytesSerializer, Load, Serializer};

/// What is sent, whatever the format: a struct of a text and a number.
#[derive(Debug, PartialEq, Deserialize)]
struct Lamp {
    name: String,
    watts: u32,
}

#[cfg(feature = "validated")]
impl crate::Validated for Lamp {
    fn check(&self, broken: &mut crate::BrokenRules) {
        if self.watts > 100 {
            broken.field("watts", &TooMuch);
        }
    }
}

#[cfg(feature = "validated")]
struct TooMuch;

#[cfg(feature = "validated")]
impl crate::Validated for TooMuch {
    fn check(&self, broken: &mut crate::BrokenRules) {
        broken.rule("greater than 100");
    }
}

/// The same lamp of 7 watts in each format, by hand, so that this asks for no feature.
const SENT: &[(&str, &[u8])] = &[
    ("JSON", br#"{"name":"lamp","watts":7}"#),
    ("MessagePack", b"\x82\xa4name\xa4lamp\xa5watts\x07"),
    ("Postcard", b"\x04lamp\x07"),
    // 0xC1 begins nothing in MessagePack, and no text.
    ("bytes", b"\xc1\xff\xff\xff\xff\xff"),
];

const QUESTION: &str = "; do both sides use the same serializer?";
const ANY_QUESTION: &str = "; do both sides use the same serializer and types?";

/// What both directions say about a payload, which is the same.
#[track_caller]
fn told<'de, S: Load<'de, T>, T: std::fmt::Debug>(serializer: &S, payload: &'de Bytes) -> String {
    let fault: Fault = load::<S, T>(serializer, payload, None).expect_err("this should not load");
    assert_eq!(fault.kind(), FaultKind::Serializer);
    match load_result::<S, T>(serializer, payload).expect_err("this should not load") {
        Error::Serializer(error) => {
            assert_eq!((error.side(), error.message()), (SerializerSide::Result, fault.message()));
        }
        other => panic!("{other:?}"),
    }
    fault.message().to_owned()
}

/// Gives the format everything that another sends. `names` are those that it can tell by looking.
#[track_caller]
fn refuses_the_others<S: Serializer + for<'de> Load<'de, Lamp>>(serializer: &S, asks: &str) {
    let mut refused = 0;
    for (sender, payload) in SENT.iter().filter(|(sender, _)| *sender != S::NAME) {
        let payload = Bytes::from_static(payload);
        let message = told::<S, Lamp>(serializer, &payload);
        let found = if *sender == "MessagePack" && !cfg!(feature = "msgpack") { "bytes" } else { *sender };
        let begin = match (found, asks) {
            ("JSON" | "MessagePack", _) => format!("the payload is {found} and not {}: ", S::NAME),
            (_, QUESTION) => format!("the payload is not {}: ", S::NAME),
            _ => format!("not the expected {}: ", S::NAME),
        };
        let end = if message.starts_with("the payload is") { QUESTION } else { asks };
        assert!(message.starts_with(&begin) && message.ends_with(end), "{sender} to {}: {message}", S::NAME);
        assert!(message.len() > begin.len() + end.len(), "it should say why: {message}");
        refused += 1;
    }
    assert_eq!(refused, 3, "{} should have been among them", S::NAME);
    let (_, own) = SENT.iter().find(|(sender, _)| *sender == S::NAME).expect("a lamp in this format");
    let own = Bytes::from_static(own);
    assert_eq!(load::<S, Lamp>(serializer, &own, None).unwrap(), Lamp { name: "lamp".into(), watts: 7 });
}

#[test]
fn each_format_says_so_when_it_is_given_another() {
    #[cfg(feature = "json")]
    refuses_the_others(&crate::JsonSerializer, QUESTION);
    #[cfg(feature = "fast-json")]
    refuses_the_others(&crate::FastJsonSerializer, QUESTION);
    #[cfg(feature = "msgpack")]
    refuses_the_others(&crate::MsgPackSerializer, QUESTION);
    #[cfg(feature = "postcard")]
    refuses_the_others(&crate::PostcardSerializer, ANY_QUESTION);
    #[cfg(feature = "validated")]
    refuses_the_others(&crate::ValidatedSerializer::new(crate::JsonSerializer), QUESTION);
    #[cfg(all(feature = "validated", feature = "msgpack"))]
    refuses_the_others(&crate::ValidatedSerializer::new(crate::MsgPackSerializer), QUESTION);
    #[cfg(all(feature = "validated", feature = "postcard"))]
    refuses_the_others(&crate::ValidatedSerializer::new(crate::PostcardSerializer), ANY_QUESTION);

    // Bytes as they are take every payload but where there should be none.
    for (sender, payload) in SENT {
        let payload = Bytes::from_static(payload);
        assert_eq!(load::<_, Bytes>(&BytesSerializer, &payload, None).unwrap(), payload);
        let message = told::<_, ()>(&BytesSerializer, &payload);
        let why = format!("{} bytes where none are expected", payload.len());
        let known = *sender == "JSON" || (*sender == "MessagePack" && cfg!(feature = "msgpack"));
        let expected = match known {
            true => format!("the payload is {sender} and not bytes: {why}{QUESTION}"),
            false => format!("not the expected bytes: {why}{ANY_QUESTION}"),
        };
        assert_eq!(message, expected);
    }
}

/// Nobody is asked for the serializer where it is right.
#[test]
fn the_right_format_with_another_value_is_another_matter() {
    #[cfg(feature = "json")]
    {
        let other = Bytes::from_static(br#"{"name":"lamp"}"#);
        let message = told::<_, Lamp>(&crate::JsonSerializer, &other);
        let expected =
            "the JSON is not the value that was expected: missing field `watts` at line 1 column 15";
        assert_eq!(message, expected);
    }
    #[cfg(feature = "msgpack")]
    {
        let message =
            told::<_, Lamp>(&crate::MsgPackSerializer, &Bytes::from_static(b"\x81\xa4name\xa4lamp"));
        assert_eq!(message, "the MessagePack is not the value that was expected: missing field `watts`");
    }
    #[cfg(all(feature = "validated", feature = "postcard"))]
    {
        let checked = crate::ValidatedSerializer::new(crate::PostcardSerializer);
        let message = told::<_, Lamp>(&checked, &Bytes::from_static(b"\x04lamp\x65"));
        assert_eq!(message, "the Postcard is not the value that was expected: watts: greater than 100");
    }
}

/// An argument that is sent alone has no name on the wire.
#[test]
#[cfg(all(feature = "json", feature = "msgpack", feature = "postcard"))]
fn an_argument_that_came_by_its_name_is_told_how_it_should_come() {
    const TOLD: &str = "an object with `watts` in it";
    fn told<S: for<'de> Load<'de, u32>>(serializer: &S, payload: &'static [u8]) -> String {
        load::<S, u32>(serializer, &Bytes::from_static(payload), Some("watts"))
            .unwrap_err()
            .message()
            .to_owned()
    }
    for (payload, is_told) in [
        (&br#"{"watts": 7}"#[..], true),
        (br#"{"watts": 7, "name": "lamp"}"#, false),
        (br#"{"name": "lamp"}"#, false),
        (br#""watts""#, false),
        (br#"{"watts"#, false),
    ] {
        let message = told(&crate::JsonSerializer, payload);
        assert_eq!(message.contains(TOLD), is_told, "{message}");
    }
    let message = told(&crate::MsgPackSerializer, b"\x81\xa5watts\x07");
    assert!(message.contains(TOLD), "{message}");
    let message = told(&crate::PostcardSerializer, b"");
    assert!(!message.contains(TOLD), "{message}");
}

/// One byte may be a value in any format; nothing is claimed about it.
#[test]
#[cfg(all(feature = "json", feature = "msgpack"))]
fn one_byte_is_not_called_another_format() {
    let message = told::<_, Lamp>(&crate::JsonSerializer, &Bytes::from_static(b"\x07"));
    assert!(message.starts_with("the payload is not JSON: "), "{message}");
    let message = told::<_, Lamp>(&crate::MsgPackSerializer, &Bytes::from_static(b"\xc1"));
    assert!(message.starts_with("the payload is not MessagePack: "), "{message}");
}

#[cfg(feature = "json")]
#[test]
fn words_that_python_writes_for_numbers_are_named() {
    use crate::JsonSerializer;

    for json in ["NaN", "[1.0, -Infinity]", r#"{"a": "NaN \" Infinity", "b": Infinity}"#] {
        let told = told::<_, f64>(&JsonSerializer, &Bytes::copy_from_slice(json.as_bytes()));
        assert!(told.contains("NaN and infinities are no JSON"), "{json}: {told}");
    }
    for json in [r#""NaN"#, r#"{"NaN": 1"#, "[1.0, nan]", "NaN]", r#"{"a": "\"#] {
        let told = told::<_, f64>(&JsonSerializer, &Bytes::copy_from_slice(json.as_bytes()));
        assert!(!told.contains("NaN and infinities"), "{json}: {told}");
    }
}
