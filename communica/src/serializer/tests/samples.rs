//! The types that the suite sends.

use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum of every kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Kind {
    Unit,
    Newtype(u32),
    Tuple(u8, String),
    Struct { a: i32, b: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rich {
    pub(super) unit: (),
    pub(super) flag: bool,
    pub(super) signed: (i8, i16, i32, i64),
    pub(super) unsigned: (u8, u16, u32, u64),
    pub(super) floats: (f32, f64),
    pub(super) letter: char,
    pub(super) text: String,
    pub(super) maybe: Option<Option<Box<Rich>>>,
    pub(super) kinds: Vec<Kind>,
    pub(super) by_name: BTreeMap<String, Kind>,
    pub(super) by_number: BTreeMap<i64, f64>,
    pub(super) by_letter: BTreeMap<char, bool>,
    pub(super) blob: Blob,
    pub(super) list: Vec<u16>,
}

/// Bytes as serde's bytes, not as a list of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Blob, A::Error> {
        let mut blob = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            blob.push(byte);
        }
        Ok(Blob(blob))
    }
}

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<u32>().prop_map(Kind::Newtype),
        (any::<u8>(), any::<String>()).prop_map(|(number, text)| Kind::Tuple(number, text)),
        (any::<i32>(), any::<Option<String>>()).prop_map(|(a, b)| Kind::Struct { a, b }),
    ]
}

/// Finite floats of every size.
pub(super) fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |float| float.is_finite()),
        any::<i32>().prop_map(f64::from),
        any::<f32>().prop_filter("finite", |float| float.is_finite()).prop_map(f64::from),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
    ]
}

fn single_float() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |float| float.is_finite())
}

/// Any text, with more than its share of what JSON escapes.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x7f]{0,80}",
        "[\"\\\\/\\n\\r\\t\\x08\\x0c\\x00-\\x1f\\x7f\u{2028}\u{ffff}\u{10ffff}a-c]{0,80}",
    ]
}

pub(super) fn rich() -> impl Strategy<Value = Rich> {
    let numbers = (any::<(i8, i16, i32, i64)>(), any::<(u8, u16, u32, u64)>(), (single_float(), float()));
    let texts = (any::<bool>(), any::<char>(), text());
    let lists = (
        prop::collection::vec(kind(), 0..4),
        prop::collection::btree_map(text(), kind(), 0..4),
        prop::collection::btree_map(any::<i64>(), float(), 0..4),
        prop::collection::btree_map(any::<char>(), any::<bool>(), 0..4),
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u16>(), 0..40),
    );
    (numbers, texts, lists).prop_map(|((signed, unsigned, floats), (flag, letter, text), lists)| {
        let (kinds, by_name, by_number, by_letter, blob, list) = lists;
        let (maybe, blob) = (None, Blob(blob));
        Rich {
            unit: (),
            flag,
            signed,
            unsigned,
            floats,
            letter,
            text,
            maybe,
            kinds,
            by_name,
            by_number,
            by_letter,
            blob,
            list,
        }
    })
}

/// One value with something in every field.
pub(super) fn sample() -> Rich {
    let inner = Rich {
        unit: (),
        flag: true,
        signed: (i8::MIN, i16::MIN, i32::MIN, i64::MIN),
        unsigned: (u8::MAX, u16::MAX, u32::MAX, u64::MAX),
        floats: (0.1, -1e300),
        letter: '🦀',
        text: "ünïcode \u{2028} \"quoted\" \\ \0".to_owned(),
        maybe: None,
        kinds: vec![
            Kind::Unit,
            Kind::Newtype(7),
            Kind::Tuple(1, "x".into()),
            Kind::Struct { a: -1, b: None },
        ],
        by_name: BTreeMap::from([("ключ".to_owned(), Kind::Struct { a: 1, b: Some(String::new()) })]),
        by_number: BTreeMap::from([(i64::MIN, 0.5), (i64::MAX, -0.0)]),
        by_letter: BTreeMap::from([('"', true)]),
        blob: Blob(vec![0, 127, 128, 255]),
        list: vec![0, 1, 65535],
    };
    Rich { maybe: Some(Some(Box::new(inner.clone()))), ..inner }
}
