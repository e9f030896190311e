//! FastJson against Json: the same bytes out, and the same values in.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ::bytes::Bytes;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::samples::{Blob, Kind, Rich, float, rich, sample, text};
use crate::serializer::*;

/// Both write the same bytes and read the same value from them.
fn same<T: Serialize + DeserializeOwned + Debug>(value: &T) {
    let [slow, fast] = [JsonSerializer.dump(value), FastJsonSerializer.dump(value)];
    let [slow, fast] = [slow, fast].map(|payload| payload.map(Payload::into_bytes).map_err(drop));
    assert_eq!(slow, fast, "dumped from {value:?}");
    if let Ok(payload) = slow {
        same_from::<T>(&payload);
    }
}

/// Both read the same value from these bytes, or both none. `Debug` tells -0.0 from 0.0.
fn same_from<T: DeserializeOwned + Debug>(payload: &Bytes) {
    let slow = Load::<T>::load(&JsonSerializer, payload);
    let fast = Load::<T>::load(&FastJsonSerializer, payload);
    let [slow, fast] = [slow, fast].map(|value| value.map(|value| format!("{value:?}")));
    let agree = slow.as_ref().ok() == fast.as_ref().ok();
    assert!(agree, "{payload:?} as {}: {slow:?} and {fast:?}", std::any::type_name::<T>());
}

fn same_from_text(text: &str) {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    same_from::<serde_json::Value>(&payload);
    same_from::<f64>(&payload);
    same_from::<f32>(&payload);
    same_from::<u64>(&payload);
    same_from::<i64>(&payload);
    same_from::<i128>(&payload);
    same_from::<u8>(&payload);
    same_from::<Option<Vec<f64>>>(&payload);
    same_from::<String>(&payload);
    same_from::<char>(&payload);
    same_from::<Kind>(&payload);
    same_from::<BTreeMap<i32, Kind>>(&payload);
    same_from::<Untagged>(&payload);
    same_from::<()>(&payload);
    same_from::<Known>(&payload);
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Untagged {
    Number(i64),
    Float(f64),
    Map(BTreeMap<String, Untagged>),
    List(Vec<Untagged>),
    Kind(Kind),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Known {
    a: u8,
    b: Option<bool>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values(value in rich()) {
        same(&value);
    }

    #[test]
    fn floats(float in float()) {
        same(&float);
        same(&(float as f32));
        same(&BTreeMap::from([(Key(float), Key(-float))]));
    }

    #[test]
    fn texts(text in text()) {
        same(&text);
        same(&BTreeMap::from([(text.clone(), text)]));
    }

    #[test]
    fn integers(value: (u64, i64, u128, i128, bool), keys: (u64, i64, u128, i128, bool)) {
        same(&value);
        same(&BTreeMap::from([(keys.0, 0)]));
        same(&BTreeMap::from([(keys.1, 0)]));
        same(&BTreeMap::from([(keys.2, 0)]));
        same(&BTreeMap::from([(keys.3, 0)]));
        same(&BTreeMap::from([(keys.4, 0)]));
    }

    #[test]
    fn numbers_as_text(text in "-?(0|[1-9][0-9]{0,24})?(\\.[0-9]{0,24})?([eE][+-]?[0-9]{0,3})?") {
        same_from_text(&text);
    }

    #[test]
    fn strings_as_text(text in "\"([ -~]|\\\\[\"\\\\/bfnrtux]|\\\\u[dD8][0-9a-f]{3}|[\\x00-\\x20é🦀]){0,8}\"") {
        same_from_text(&text);
        same_from_text(&format!("{{{text}:{text}}}"));
    }

    #[test]
    fn structures_as_text(
        tokens in prop::collection::vec(prop::sample::select(TOKENS), 1..12),
    ) {
        same_from_text(&tokens.concat());
    }

    #[test]
    fn damaged_values(place: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let mut payload = JsonSerializer.dump(&sample()).unwrap().to_vec();
        let place = place.index(payload.len());
        payload[place] = byte;
        same_from::<Rich>(&payload.into());
    }
}

const TOKENS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "null",
    "true",
    "false",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"1\"",
    "\"Unit\"",
    "1",
    "-0",
    "0.0",
    "1e5",
    " ",
    "\n",
    "[]",
    "{}",
    "\"a\":1",
    "\"Newtype\":2",
    "nul",
    "\"",
    "\u{feff}",
    "\u{a0}",
    "[1,2]",
    "\u{b}",
];

#[test]
fn edges() {
    same(&sample());
    same(&[u64::MAX, 0, 1 << 53]);
    same(&[i64::MIN, i64::MAX, -1]);
    same(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Some));
    same(&[
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1e15,
        1e16,
        1e17,
        1e21,
        1e-5,
        1e-6,
        1e-7,
        123456789.0,
    ]);
    same(&[0.0, -0.0]);
    same(&[f32::MAX, f32::MIN_POSITIVE, 1e-45, -0.0, 16_777_216.0]);
    same(&Blob((0..=255).collect()));
    same(&(0..0x80).map(char::from).collect::<String>());
    same(&BTreeMap::from([(Key(f64::NAN), ())]));
    same(&BTreeMap::from([(vec![1], ())]));
    same(&BTreeMap::from([(Some(1), ())]));
    same(&BTreeMap::from([('k', None::<()>)]));
    same(&serde_json::json!({"b": [1, -1, 0.5, null, {"a": {}}], "a": "\u{7f}\u{80}"}));
}

#[test]
fn numbers_at_the_edges() {
    for number in [
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "-0",
        "-0.0",
        "-0e0",
        "-0.000e-5",
        "0e0",
        "0e999",
        "-0e999",
        "1e308",
        "1e309",
        "-1e309",
        "1e-400",
        "-1e-400",
        "00",
        "01",
        "-01",
        "-",
        "+1",
        ".5",
        "5.",
        "-.5",
        "1e",
        "1e+",
        "1e5",
        "1E-5",
        "1.0e5",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "1 2",
        "1,",
        "179769313486231580793728971405301e276",
        "2.2250738585072011e-308",
        "9007199254740993",
        "1e99999999999999999999",
        "0.1e-99999999999999999999",
        "17005001.000000000000130",
        "256",
        "255.0",
        "3.4028236e38",
        "1e39",
    ] {
        same_from_text(number);
        same_from_text(&format!("[{number}]"));
        same_from_text(&format!("{{\"{number}\":\"Unit\"}}"));
    }
}

/// What the library is not trusted with is read as well.
#[test]
fn beside_the_library() {
    same_from::<Blob>(&Bytes::from_static(b"\"\xff\""));
    same_from::<String>(&Bytes::from_static(b"\"\xff\""));
    for levels in [1, 31, 32, 33, 126, 127, 128, 129, 100_000] {
        let lists = ["[".repeat(levels), "]".repeat(levels)].concat();
        same_from_text(&lists);
        same_from_text(&format!("{{\"a\":1,\"ignored\":{lists}}}"));
        same_from_text(&format!("[\"{lists}\\\"[\",{lists}]"));
        same_from_text(&lists[..levels]);
    }
    same_from_text(&format!("[{}1]", "[],{},".repeat(100)));
}

/// A float as a key of a map.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Key(f64);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
