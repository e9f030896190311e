//! Far more than follows is announced: refused at once and for little memory, in formats that announce lengths.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Announces;
use super::hostile::refused;
use crate::serializer::tests::samples::{Blob, Kind};

/// And the type is told of no more elements than there are bytes.
fn refused_unreserved<F: Announces>(payload: &[u8]) {
    MOST.set(0);
    refused::<F, Announced>(payload);
    let most = MOST.get();
    assert!(most <= payload.len(), "{most} elements were announced to the type");
}

/// Lengths of billions, and nothing that follows.
pub(super) fn huge_lengths<F: Announces>() {
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
            refused_unreserved::<F>(&payload);
        }
    }
}

/// A list of lists of lists, each announced with billions: what is reserved for them adds up.
pub(super) fn huge_lengths_in_each_other<F: Announces>() {
    for start in F::HUGE {
        let payload = start.repeat(100);
        refused_unreserved::<F>(&payload);
        refused::<F, Tree>(&payload);
    }
}

/// Elements that take no bytes, billions of them.
pub(super) fn endless_units<F: Announces>() {
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
