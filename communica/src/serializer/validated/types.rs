//! Types of the standard library: those without rules, and those with the rules of what is in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use super::rules::{BrokenRules, Validated};

macro_rules! without_rules {
    ($($ty:ty),+ $(,)?) => {$(
        impl Validated for $ty {
            #[inline]
            fn check(&self, _: &mut BrokenRules) {}
        }
    )+};
}

without_rules! {
    (), bool, char, str, String,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
    std::num::NonZeroU8, std::num::NonZeroU16, std::num::NonZeroU32, std::num::NonZeroU64, std::num::NonZeroUsize,
    std::num::NonZeroI8, std::num::NonZeroI16, std::num::NonZeroI32, std::num::NonZeroI64, std::num::NonZeroIsize,
    std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr, std::net::SocketAddr,
    std::path::Path, std::path::PathBuf, std::time::Duration, std::time::SystemTime,
    bytes::Bytes, serde_json::Value,
}

macro_rules! pointers {
    ($($ty:ty),+ $(,)?) => {$(
        impl<T: Validated + ?Sized> Validated for $ty {
            #[inline]
            fn check(&self, broken: &mut BrokenRules) {
                (**self).check(broken);
            }
        }
    )+};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Validated + ToOwned + ?Sized> Validated for Cow<'_, T> {
    fn check(&self, broken: &mut BrokenRules) {
        (**self).check(broken);
    }
}

impl<T: Validated> Validated for Option<T> {
    fn check(&self, broken: &mut BrokenRules) {
        if let Some(value) = self {
            value.check(broken);
        }
    }
}

impl<T: Validated, E: Validated> Validated for Result<T, E> {
    fn check(&self, broken: &mut BrokenRules) {
        match self {
            Ok(value) => value.check(broken),
            Err(error) => error.check(broken),
        }
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $ty:ty),+ $(,)?) => {$(
        impl<T: Validated, $($generics)*> Validated for $ty {
            fn check(&self, broken: &mut BrokenRules) {
                for (index, item) in self.iter().enumerate() {
                    broken.element(index, item);
                }
            }
        }
    )+};
}

lists! {
    [] [T], [const N: usize] [T; N], [] Vec<T>, [] VecDeque<T>, [] LinkedList<T>, [] BTreeSet<T>, [] BinaryHeap<T>,
    [S] HashSet<T, S>,
}

macro_rules! maps {
    ($([$($generics:tt)*] $ty:ty),+ $(,)?) => {$(
        impl<K: Validated + Display, V: Validated, $($generics)*> Validated for $ty {
            fn check(&self, broken: &mut BrokenRules) {
                for (key, value) in self {
                    broken.element(key, key);
                    broken.element(key, value);
                }
            }
        }
    )+};
}

maps!([] BTreeMap<K, V>, [S] HashMap<K, V, S>);

macro_rules! tuples {
    ($($($name:ident $index:tt)+;)+) => {$(
        impl<$($name: Validated),+> Validated for ($($name,)+) {
            fn check(&self, broken: &mut BrokenRules) {
                $(broken.element($index, &self.$index);)+
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}
