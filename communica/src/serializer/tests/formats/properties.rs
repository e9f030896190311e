//! Any value comes back, and any bytes are a value or an error.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Format;
use crate::serializer::tests::samples::{Blob, Kind, Rich, rich, sample};

fn holds<T: std::fmt::Debug>(
    cases: u32,
    values: impl Strategy<Value = T>,
    check: impl Fn(T) -> Result<(), TestCaseError>,
) {
    // No file of failures: cases that matter become tests of their own.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    if let Err(error) = TestRunner::new(config).run(&values, check) {
        panic!("{error}");
    }
}

pub(super) fn any_value_comes_back<F: Format>() {
    holds(128, rich(), |value| {
        let payload = F::dump(&value).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let loaded: Rich = F::load(&payload).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(loaded, value);
        Ok(())
    });
}

/// Loads types of every kind; what comes of it does not matter, that it comes back does.
fn load_all<F: Format>(payload: &[u8]) {
    let _ = F::load::<Rich>(payload);
    let _ = F::load::<Vec<Kind>>(payload);
    let _ = F::load::<BTreeMap<i32, Option<String>>>(payload);
    let _ = F::load::<(f32, f64, i128, char)>(payload);
    let _ = F::load::<Blob>(payload);
    let _ = F::load::<Untagged>(payload);
    let _ = F::load::<serde_json::Value>(payload);
    let _ = F::load::<serde::de::IgnoredAny>(payload);
    let _ = F::load::<()>(payload);
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
}

pub(super) fn any_bytes_never_panic<F: Format>() {
    holds(2000, prop::collection::vec(any::<u8>(), 0..64), |payload| {
        load_all::<F>(&payload);
        Ok(())
    });
    let json =
        prop::collection::vec(prop::sample::select(&br#"[]{}",:\tu0123456789abcdefE+-.rlsn "#[..]), 0..64);
    holds(2000, json, |payload| {
        load_all::<F>(&payload);
        Ok(())
    });
}

pub(super) fn damaged_values_never_panic<F: Format>() {
    let payload = F::dump(&sample()).unwrap();
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let cut = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    holds(1000, (damage, cut, any::<bool>()), |(damage, (from, to), cuts)| {
        let mut payload = payload.to_vec();
        for (place, byte) in damage {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if cuts {
            let (from, to) = (from.index(payload.len()), to.index(payload.len()));
            payload.drain(from.min(to)..from.max(to));
        }
        load_all::<F>(&payload);
        Ok(())
    });
}
