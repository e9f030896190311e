//! Values in values in values: an error where it gets too deep, and never the end of the stack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Format;
use crate::serializer::tests::samples::Kind;

/// Far more than any stack holds.
const ABYSS: usize = 100_000;
/// What every format takes.
const ALLOWED: usize = 100;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Tree(Vec<Tree>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    Next(Box<Chain>),
    End,
}

pub(super) fn as_deep_as_allowed<F: Format>() {
    let tree = (1..ALLOWED).fold(Tree(vec![]), |inner, _| Tree(vec![inner]));
    assert_eq!(&F::dump(&tree).unwrap()[..], F::lists(ALLOWED));
    assert_eq!(F::load::<Tree>(&F::lists(ALLOWED)).unwrap(), tree);
    let chain = (0..ALLOWED).fold(Chain::End, |inner, _| Chain::Next(Box::new(inner)));
    assert_eq!(&F::dump(&chain).unwrap()[..], F::chain(ALLOWED));
    assert_eq!(F::load::<Chain>(&F::chain(ALLOWED)).unwrap(), chain);
}

fn too_deep<F: Format, T: serde::de::DeserializeOwned>(payload: &[u8]) {
    assert!(F::load::<T>(payload).is_err(), "{} was loaded", std::any::type_name::<T>());
}

pub(super) fn too_deep_lists<F: Format>() {
    for levels in [129, 255, 256, 257, 1024, ABYSS] {
        too_deep::<F, Tree>(&F::lists(levels));
        too_deep::<F, Tree>(&F::lists(levels)[..levels]);
        // Many beside each other first: what was left is not to be counted again.
        let many: Vec<Tree> = (0..300).map(|_| Tree(vec![])).collect();
        assert_eq!(F::load::<Vec<Tree>>(&F::dump(&many).unwrap()).unwrap().len(), 300);
    }
}

pub(super) fn too_deep_enums<F: Format>() {
    for levels in [129, 1024, ABYSS] {
        too_deep::<F, Chain>(&F::chain(levels));
        too_deep::<F, Chain>(&F::chain(levels)[..levels]);
    }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Link {
    next: Option<Box<Link>>,
}

/// What lists are to JSON and MessagePack, options are to Postcard.
pub(super) fn too_deep_options<F: Format>() {
    too_deep::<F, Link>(&vec![1; ABYSS]);
    too_deep::<F, Link>(&F::lists(ABYSS));
    too_deep::<F, Link>(&br#"{"next":"#.repeat(ABYSS));
    too_deep::<F, Link>(&b"\x81\xa4next".repeat(ABYSS));
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Wrapped(Vec<Wrap>);

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Wrap(Box<Wrapped>);

pub(super) fn too_deep_newtypes<F: Format>() {
    too_deep::<F, Wrapped>(&F::lists(ABYSS));
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Known {
    #[serde(default)]
    a: u8,
}

/// A key that the type does not know may be ignored or refused, but what is in it does not end the stack.
pub(super) fn too_deep_where_ignored<F: Format>() {
    let json = [&b"{\"b\":"[..], &F::lists(ABYSS), b"}"].concat();
    let msgpack = [&b"\x81\xa1b"[..], &F::lists(ABYSS)].concat();
    for payload in [json, msgpack] {
        let _ = F::load::<Known>(&payload);
        let _ = F::load::<BTreeMap<String, serde::de::IgnoredAny>>(&payload);
    }
    let _ = F::load::<serde::de::IgnoredAny>(&F::lists(ABYSS));
    let _ = F::load::<serde_json::Value>(&F::lists(ABYSS));
    let _ = F::load::<serde_json::Value>(&F::chain(ABYSS));
}

/// A type whose loading takes much of the stack, as deep as it goes.
#[derive(Default, Serialize, Deserialize)]
struct Wide {
    ballast: (Option<[u64; 16]>, Option<[u64; 16]>),
    text: String,
    kind: Option<Kind>,
    by_name: BTreeMap<String, Wide>,
    child: Option<Box<Wide>>,
    list: Vec<Wide>,
}

pub(super) fn wide_types_fit_the_stack<F: Format>() {
    let mut deepest = Wide { ballast: (Some([1; 16]), Some([2; 16])), ..Wide::default() };
    let mut refused = false;
    for levels in 0..400 {
        deepest = match levels % 3 {
            0 => Wide { child: Some(Box::new(deepest)), ..Wide::default() },
            1 => Wide { list: vec![deepest], ..Wide::default() },
            _ => Wide { by_name: BTreeMap::from([("key".to_owned(), deepest)]), ..Wide::default() },
        };
        refused |= F::load::<Wide>(&F::dump(&deepest).unwrap()).is_err();
        assert!(!refused || levels >= 40, "refused at {levels} levels already");
        if refused {
            return;
        }
    }
    panic!("no limit was met");
}
