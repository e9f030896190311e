//! What nobody should send: each is an error, at once and for little memory.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Format;
use crate::serializer::tests::samples::{Blob, Kind, Rich, sample};

fn refused<F: Format, T: DeserializeOwned>(payload: &[u8]) {
    let start = Instant::now();
    MOST.set(0);
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
        // White space at the end belongs to JSON.
        let space = F::HUGE.is_empty() && b" \n\r\t".contains(&after);
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

/// Lengths of billions, and nothing that follows.
pub(super) fn huge_lengths<F: Format>() {
    for start in F::HUGE {
        for end in [&b""[..], b"\0", b"\x01\x01\x01"] {
            let payload = [start, end].concat();
            refused::<F, Vec<u64>>(&payload);
            refused::<F, Vec<String>>(&payload);
            refused::<F, String>(&payload);
            refused::<F, Blob>(&payload);
            refused::<F, HashMap<String, u64>>(&payload);
            refused::<F, BTreeMap<u8, ()>>(&payload);
            refused::<F, Kind>(&payload);
            refused::<F, Announced>(&payload);
            let most = MOST.get();
            assert!(most <= payload.len(), "{most} elements were announced to the type");
        }
    }
}

/// A list of lists of lists, each announced with billions: what is reserved for them adds up.
pub(super) fn huge_lengths_in_each_other<F: Format>() {
    for start in F::HUGE {
        let payload = start.repeat(100);
        refused::<F, Announced>(&payload);
        let most = MOST.get();
        assert!(most <= payload.len(), "{most} elements were announced to the type");
        refused::<F, Tree>(&payload);
    }
}

/// Elements that take no bytes, billions of them.
pub(super) fn endless_units<F: Format>() {
    for start in F::HUGE {
        refused::<F, Vec<()>>(start);
        refused::<F, BTreeSet<()>>(start);
        refused::<F, BTreeMap<(), ()>>(start);
        refused::<F, Vec<Vec<()>>>(&start.repeat(2));
        refused::<F, serde::de::IgnoredAny>(start);
    }
}

#[derive(serde::Deserialize)]
#[allow(dead_code)]
struct Tree(Vec<Tree>);

thread_local! {
    /// How many elements types were told to expect, at most: that is what they reserve memory for.
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// A list of itself that notes how many elements it is told to expect.
struct Announced;

impl<'de> Deserialize<'de> for Announced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for Announced {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of lists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        MOST.set(MOST.get().max(list.size_hint().unwrap_or(0)));
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        MOST.set(MOST.get().max(map.size_hint().unwrap_or(0)));
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
