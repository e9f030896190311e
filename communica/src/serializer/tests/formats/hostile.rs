//! What nobody should send: each is an error, at once and for little memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::Format;
use crate::serializer::tests::samples::{Kind, Rich, sample};

pub(super) fn refused<F: Format, T: DeserializeOwned>(payload: &[u8]) {
    let start = Instant::now();
    let Err(error) = F::load::<T>(payload) else {
        panic!("{} was made of {payload:?}", std::any::type_name::<T>());
    };
    let message = error.message();
    assert!(!message.is_empty() && message.len() < 300 && !message.contains('\n'), "{message:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "refused after {:?}", start.elapsed());
}

pub(super) fn wrong_type<F: Format>() {
    refused::<F, Rich>(&F::dump("text").unwrap());
    refused::<F, Vec<Rich>>(&F::dump(&sample()).unwrap());
    refused::<F, bool>(&F::dump(&77_u8).unwrap());
    refused::<F, u8>(&F::dump(&300_u16).unwrap());
    refused::<F, String>(&F::dump(&sample()).unwrap());
    refused::<F, [u8; 3]>(&F::dump(&(1_u8, 2_u8)).unwrap());
    refused::<F, Kind>(&F::dump(&Other::Fifth(1)).unwrap());
}

/// Errors like to quote what was there instead.
pub(super) fn long_texts_are_not_quoted_whole<F: Format>() {
    for text in ["x", "ü", "\u{7f}"] {
        let payload = F::dump(&text.repeat(1 << 20)).unwrap();
        let error = F::load::<i64>(&payload).expect_err("a text is no number");
        assert!(error.message().chars().count() < 1100, "{} characters", error.message().chars().count());
    }
}

/// A newer `Kind`.
#[derive(serde::Serialize)]
enum Other {
    #[allow(dead_code)]
    First,
    #[allow(dead_code)]
    Second,
    #[allow(dead_code)]
    Third,
    #[allow(dead_code)]
    Fourth,
    Fifth(u8),
}

pub(super) fn truncated<F: Format>() {
    let payload = F::dump(&sample()).unwrap();
    for end in 0..payload.len() {
        assert!(F::load::<Rich>(&payload[..end]).is_err(), "loaded from {end} of {} bytes", payload.len());
    }
}

pub(super) fn trailing<F: Format>() {
    let payload = F::dump(&sample()).unwrap();
    for after in 0..=255 {
        let longer = [&payload[..], &[after]].concat();
        let space = F::SPACE && b" \n\r\t".contains(&after);
        assert_eq!(F::load::<Rich>(&longer).is_ok(), space, "followed by {after:#x}");
    }
    refused::<F, Rich>(&payload.repeat(2));
    refused::<F, u8>(&F::dump(&1_u8).unwrap().repeat(2).iter().chain(b",").copied().collect::<Vec<u8>>());
}

pub(super) fn not_utf8<F: Format>() {
    refused::<F, String>(F::NOT_UTF8);
    refused::<F, Box<str>>(F::NOT_UTF8);
    refused::<F, BTreeMap<String, String>>(F::NOT_UTF8);
}

pub(super) fn empty_payload<F: Format>() {
    refused::<F, Rich>(b"");
    refused::<F, String>(b"");
    refused::<F, Option<u8>>(b"");
    refused::<F, Vec<()>>(b"");
    refused::<F, Kind>(b"");
}
