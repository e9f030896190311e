//! What goes in comes out.

use std::collections::{BTreeMap, HashMap};

use super::{Format, comes_back};
use crate::serializer::tests::samples::{Blob, Kind, sample};

pub(super) fn integers<F: Format>() {
    comes_back::<F, _>((i8::MIN, i8::MAX, u8::MAX));
    comes_back::<F, _>((i16::MIN, i16::MAX, u16::MAX));
    comes_back::<F, _>((i32::MIN, i32::MAX, u32::MAX));
    comes_back::<F, _>((i64::MIN, i64::MAX, u64::MAX));
    comes_back::<F, _>(vec![
        0_i64,
        -1,
        127,
        128,
        -128,
        -129,
        255,
        256,
        1 << 53,
        (1 << 53) + 1,
        -(1 << 53) - 1,
    ]);
}

pub(super) fn floats<F: Format>() {
    comes_back::<F, _>(vec![
        0.0,
        0.1 + 0.2,
        1e21,
        1e-7,
        5e-324,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        1e15,
        1e16,
    ]);
    comes_back::<F, _>(vec![0.1_f32, f32::MAX, f32::MIN_POSITIVE, 1e-45, 16_777_217.0]);
    let zero: f64 = F::load(&F::dump(&-0.0).unwrap()).unwrap();
    assert!(zero == 0.0 && zero.is_sign_negative(), "-0.0 came back as {zero}");
}

pub(super) fn texts<F: Format>() {
    let control: String = (0..0x20).map(|code| char::from(code as u8)).collect();
    for text in ["", " ", "ascii", "ünï", "日本語", "🦀", "\u{10ffff}", "\"\\/\u{7f}", &control] {
        comes_back::<F, _>(text.to_owned());
    }
    for len in [31, 32, 255, 256, 65535, 65536, 3_000_000] {
        comes_back::<F, _>("é".repeat(len));
    }
    comes_back::<F, _>(('a', '\0', '"', '\u{10ffff}'));
}

pub(super) fn options<F: Format>() {
    comes_back::<F, _>(vec![None, Some(0), Some(1)]);
    comes_back::<F, _>((Some(String::new()), None::<String>, Some(Some(3)), Some(vec![None::<bool>])));
}

pub(super) fn enums<F: Format>() {
    comes_back::<F, _>(Kind::Unit);
    comes_back::<F, _>(Kind::Newtype(u32::MAX));
    comes_back::<F, _>(Kind::Tuple(0, "text".into()));
    comes_back::<F, _>(Kind::Struct { a: i32::MIN, b: None });
    comes_back::<F, _>(Kind::Struct { a: 0, b: Some("b".into()) });
    comes_back::<F, Result<u8, String>>(Err("no".into()));
}

pub(super) fn maps<F: Format>() {
    comes_back::<F, _>(BTreeMap::from([(String::new(), 1), ("ä\"\n".into(), 2)]));
    comes_back::<F, _>(BTreeMap::from(
        [(u64::MAX, "most"), (0, "none")].map(|(key, text)| (key, text.to_owned())),
    ));
    comes_back::<F, _>(BTreeMap::from([(i8::MIN, ()), (i8::MAX, ())]));
    comes_back::<F, _>(BTreeMap::from([(true, BTreeMap::from([('x', Vec::<u8>::new())]))]));
    comes_back::<F, _>((0..1000).map(|key| (key, key.to_string())).collect::<HashMap<u16, String>>());
    comes_back::<F, _>(BTreeMap::<String, String>::new());
}

pub(super) fn everything<F: Format>() {
    comes_back::<F, _>(sample());
    comes_back::<F, _>(vec![sample(); 100]);
}

pub(super) fn lists_and_units<F: Format>() {
    comes_back::<F, _>(Vec::<String>::new());
    comes_back::<F, _>(vec![(); 3]);
    comes_back::<F, _>(vec![(); 1000]);
    comes_back::<F, _>(vec![vec![vec![1_u8], vec![]], vec![]]);
    comes_back::<F, _>([1_u32, 2, 3]);
    comes_back::<F, _>((0..100_000).collect::<Vec<u32>>());
    // The smallest that each can be, very often.
    comes_back::<F, _>(vec![vec![1_u8, 2, 3]; 10_000]);
    comes_back::<F, _>(vec![Vec::<bool>::new(); 10_000]);
    comes_back::<F, _>(vec![BTreeMap::<u8, u8>::new(); 10_000]);
    comes_back::<F, _>(vec![BTreeMap::from([(1_u8, ())]); 10_000]);
    comes_back::<F, _>(vec![((1_u8,), [2_u8; 2], Kind::Unit, Some(3_u8)); 10_000]);
    comes_back::<F, _>(vec![(1_u8, ((2_u8, ((((), ()), ()), ())), ())); 10_000]);
}

pub(super) fn bytes<F: Format>() {
    for len in [0, 1, 31, 255, 256, 65536, 1 << 20] {
        let bytes: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
        comes_back::<F, _>(Blob(bytes.clone()));
        comes_back::<F, _>(bytes);
    }
}

/// NaN and infinities: kept by formats that know them, `null` and so `None` in JSON.
pub(super) fn not_finite<F: Format>() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let payload = F::dump(&float).unwrap();
        if F::NOT_FINITE {
            assert_eq!(F::load::<f64>(&payload).unwrap().to_bits(), float.to_bits());
            continue;
        }
        assert_eq!(&payload[..], b"null");
        assert!(F::load::<f64>(&payload).is_err());
        assert_eq!(F::load::<Option<f64>>(&payload).unwrap(), None);
        assert_eq!(&F::dump(&(float as f32)).unwrap()[..], b"null");
        assert!(F::dump(&HashMap::from([(Key(float), 1)])).is_err(), "as a key it would be no number");
    }
    for text in ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "nan", "inf"] {
        if !F::NOT_FINITE {
            assert!(F::load::<f64>(text.as_bytes()).is_err(), "{text}");
        }
    }
}

/// A float as a key of a map.
#[derive(serde::Serialize)]
struct Key(f64);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

pub(super) fn unit_is_nothing<F: Format>() {
    comes_back::<F, _>(());
    let payload = F::dump(&()).unwrap();
    assert_eq!(F::load::<Option<()>>(&payload).ok().flatten(), None);
}
