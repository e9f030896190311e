//! FastJson against Json: the same bytes out.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;

use super::samples::{Blob, float, rich, sample, text};
use crate::serializer::*;

/// Both write the same bytes.
fn same<T: Serialize + Debug>(value: &T) {
    let [slow, fast] = [JsonSerializer.dump(value), FastJsonSerializer.dump(value)];
    let [slow, fast] = [slow, fast].map(|payload| payload.map(Payload::into_bytes).map_err(drop));
    assert_eq!(slow, fast, "dumped from {value:?}");
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
}

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

/// A float as a key of a map.
#[derive(Clone, Copy, Debug, Serialize)]
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
