//! The short way to read JSON against serde_json's own: the same values, and the same words when there are none.

use std::fmt::Debug;

use ::bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::samples::{Blob, Rich, sample};
use crate::serializer::read_json::read_json;

fn same<T: DeserializeOwned + Debug>(json: &[u8]) {
    let (short, long) = (read_json::<T>(&Bytes::copy_from_slice(json)), serde_json::from_slice::<T>(json));
    let short = short.map_err(|error| error.message().to_owned());
    let long = long.map_err(|error| error.to_string());
    assert_eq!(format!("{short:?}"), format!("{long:?}"), "{}", json.escape_ascii());
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Little {
    letter: char,
}

#[test]
fn a_damaged_value_is_what_it_would_be() {
    let whole = serde_json::to_vec(&sample()).unwrap();
    for at in 0..whole.len() {
        for byte in [0, b'"', b'\\', 0x80, 0xc3, 0xed, 0xff] {
            let mut json = whole.clone();
            json[at] = byte;
            same::<Rich>(&json);
            // In what is skipped, text need not be text.
            same::<Little>(&json);
        }
    }
}

#[test]
fn bytes_in_quotes_need_not_be_text() {
    for json in [&b"\"\xff\""[..], b"\"\xc3\xa9\"", b"\"\\ud800\"", b"\"\xed\xa0\x80\"", b"[\"\xff\"]"] {
        same::<Blob>(json);
        same::<String>(json);
        same::<IgnoredAny>(json);
        same::<Option<Vec<Blob>>>(json);
    }
}
