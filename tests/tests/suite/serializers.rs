//! One suite over every format: values go out and come back, and bytes that are none are errors.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use communica::{Bytes, Dump, JsonSerializer, Load, MsgPackSerializer, SerializerError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn dump<S: Dump<T>, T: ?Sized>(format: &S, value: &T) -> Bytes {
    format.dump(value).unwrap_or_else(|error| panic!("{}: {error}", S::NAME)).into_bytes()
}

fn load<S: for<'de> Load<'de, T>, T>(format: &S, bytes: &[u8]) -> Result<T, SerializerError> {
    format.load(&Bytes::copy_from_slice(bytes))
}

fn assert_comes_back<S, T>(format: &S, value: T)
where
    S: Dump<T> + for<'de> Load<'de, T>,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let back: T = load(format, &dump(format, &value)).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    assert_eq!(back, value);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    name: String,
    parent: Option<Box<Record>>,
    shapes: Vec<Shape>,
    tags: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i32, i32),
    Box { width: u8, depth: Option<u8> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Vec<Tree>),
}

fn record() -> Record {
    let shapes = vec![
        Shape::Empty,
        Shape::Circle(-0.5),
        Shape::Line(i32::MIN, i32::MAX),
        Shape::Box { width: 255, depth: None },
        Shape::Box { width: 0, depth: Some(1) },
    ];
    let parent = Record { name: String::new(), parent: None, shapes: Vec::new(), tags: BTreeMap::new() };
    let tags = BTreeMap::from([("żółw 🐢\u{0}\"\\".to_owned(), -1), (String::new(), 1)]);
    Record { name: "a".into(), parent: Some(Box::new(parent)), shapes, tags }
}

/// What differs from format to format: arrays and trees nested this deeply, and lengths declared without content.
trait Format {
    fn nested(levels: usize) -> Vec<u8>;
    fn tree(levels: usize) -> Vec<u8>;
    fn huge() -> Vec<Vec<u8>>;
}

impl Format for JsonSerializer {
    fn nested(levels: usize) -> Vec<u8> {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes()
    }

    fn tree(levels: usize) -> Vec<u8> {
        format!("{}\"Leaf\"{}", "{\"Node\":[".repeat(levels), "]}".repeat(levels)).into_bytes()
    }

    fn huge() -> Vec<Vec<u8>> {
        // JSON declares no lengths; a number of very many digits comes closest.
        vec!["9".repeat(100_000).into_bytes(), b"1e999999999".to_vec(), b"[1e999999999]".to_vec()]
    }
}

impl Format for MsgPackSerializer {
    fn nested(levels: usize) -> Vec<u8> {
        let mut bytes = vec![0x91; levels - 1];
        bytes.push(0x90);
        bytes
    }

    fn tree(levels: usize) -> Vec<u8> {
        // A map of one, its key, an array of one.
        [b"\x81\xa4Node\x91".repeat(levels), b"\xa4Leaf".to_vec()].concat()
    }

    fn huge() -> Vec<Vec<u8>> {
        // str, bin, array, map and ext with 2^32 - 1 of whatever they hold.
        [0xdb, 0xc6, 0xdd, 0xdf, 0xc9].map(|marker| vec![marker, 255, 255, 255, 255, 1]).to_vec()
    }
}

/// As large as that of the threads on which handlers run. Too little of it ends the whole test program.
fn on_the_stack_of_a_worker(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(test).unwrap().join().unwrap();
}

macro_rules! over_formats {
    ($($module:ident $format:ident;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn integers_come_back_from_edge_to_edge() {
                for number in [i64::MIN, i64::MIN + 1, -129, -128, -33, -32, -1, 0, 1, 127, 128, i64::MAX] {
                    assert_comes_back(&$format, number);
                }
                for number in [0, 255, 256, 65_535, 65_536, (1 << 53) + 1, i64::MAX as u64 + 1, u64::MAX] {
                    assert_comes_back(&$format, number);
                }
                assert_comes_back(&$format, (u8::MAX, i8::MIN, u16::MAX, i16::MIN, u32::MAX, i32::MIN));
            }

            #[test]
            fn floats_come_back_to_the_last_bit() {
                for number in [0.1, -0.0, 1e308, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 5e-324, 2.0, 1e23] {
                    let back: f64 = load(&$format, &dump(&$format, &number)).unwrap();
                    assert_eq!(back.to_bits(), number.to_bits(), "{number:e}");
                }
            }

            #[test]
            fn values_of_every_shape_come_back() {
                assert_comes_back(&$format, record());
                assert_comes_back(&$format, ());
                assert_comes_back(&$format, [Some(1), None]);
                assert_comes_back(&$format, (true, 'ż', "🐢 \u{0} \u{7f} \u{2028}".to_owned()));
                assert_comes_back(&$format, HashMap::from([("a".to_owned(), vec![(); 3])]));
                assert_comes_back(&$format, Vec::<Shape>::new());
                assert_comes_back(&$format, (0..100_000).collect::<Vec<u32>>());
                assert_comes_back(&$format, serde_json::json!({"a": [null, {"b": -1}], "": 1.5}));
            }

            #[test]
            fn text_is_borrowed_from_the_payload() {
                let bytes = dump(&$format, "borrowed");
                let text: &str = $format.load(&bytes).unwrap();
                assert_eq!(text, "borrowed");
                assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
            }

            #[test]
            fn a_value_of_another_type_is_an_error() {
                assert!(load::<_, i64>(&$format, &dump(&$format, "text")).is_err());
                assert!(load::<_, String>(&$format, &dump(&$format, &5)).is_err());
                assert!(load::<_, u8>(&$format, &dump(&$format, &256)).is_err());
                assert!(load::<_, u64>(&$format, &dump(&$format, &-1)).is_err());
                assert!(load::<_, i64>(&$format, &dump(&$format, &u64::MAX)).is_err());
                assert!(load::<_, i64>(&$format, &dump(&$format, &1.5)).is_err());
                assert!(load::<_, Record>(&$format, &dump(&$format, &BTreeMap::from([("name", 1)]))).is_err());
                assert!(load::<_, Shape>(&$format, &dump(&$format, "Unheard")).is_err());
                assert!(load::<_, bool>(&$format, &dump(&$format, &())).is_err());
            }

            #[test]
            fn a_value_cut_off_anywhere_is_an_error() {
                let bytes = dump(&$format, &record());
                for end in 0..bytes.len() {
                    assert!(load::<_, Record>(&$format, &bytes[..end]).is_err(), "cut off at {end}");
                    assert!(load::<_, Value>(&$format, &bytes[..end]).is_err(), "cut off at {end}");
                }
            }

            #[test]
            fn a_changed_byte_anywhere_is_no_panic() {
                let bytes = dump(&$format, &record());
                for at in 0..bytes.len() {
                    for byte in [0, 1, 0x7f, 0x80, 0xc1, 0xdf, 0xff] {
                        let mut changed = bytes.to_vec();
                        changed[at] = byte;
                        let _ = load::<_, Record>(&$format, &changed);
                        let _ = load::<_, Value>(&$format, &changed);
                    }
                }
            }

            #[test]
            fn bytes_behind_the_value_are_an_error() {
                let bytes = dump(&$format, &record());
                for rest in [&b"x"[..], b"\0", b"\xc0", b"\xc1", b"\xff", &bytes] {
                    let both = [&bytes, rest].concat();
                    assert!(load::<_, Record>(&$format, &both).is_err(), "{rest:?}");
                }
                assert!(load::<_, ()>(&$format, &dump(&$format, &()).repeat(2)).is_err());
            }

            #[test]
            fn nesting_too_deep_is_an_error() {
                on_the_stack_of_a_worker(|| {
                    for levels in [10_000, 1_000_000] {
                        let bytes = $format::nested(levels);
                        assert!(load::<_, Value>(&$format, &bytes).is_err());
                        // What skips without going down may take it.
                        let _ = load::<_, serde::de::IgnoredAny>(&$format, &bytes);
                        assert!(load::<_, Tree>(&$format, &bytes).is_err());
                        assert!(load::<_, i64>(&$format, &bytes).is_err());
                    }
                    let bytes = $format::nested(100);
                    assert!(load::<_, Value>(&$format, &bytes).is_ok(), "a hundred levels are not deep");
                });
            }

            #[test]
            fn a_type_that_holds_itself_too_deeply_is_an_error() {
                on_the_stack_of_a_worker(|| {
                    for levels in [10_000, 300_000] {
                        assert!(load::<_, Tree>(&$format, &$format::tree(levels)).is_err());
                    }
                });
                let mut tree = load(&$format, &$format::tree(30)).unwrap();
                let mut levels = 0;
                while let Tree::Node(mut below) = tree {
                    (tree, levels) = (below.remove(0), levels + 1);
                }
                assert_eq!(levels, 30);
            }

            #[test]
            fn huge_declared_lengths_are_errors_and_reserve_nothing() {
                for bytes in $format::huge() {
                    assert!(load::<_, String>(&$format, &bytes).is_err());
                    assert!(load::<_, Vec<u64>>(&$format, &bytes).is_err());
                    assert!(load::<_, Vec<()>>(&$format, &bytes).is_err());
                    assert!(load::<_, Vec<[u64; 32]>>(&$format, &bytes).is_err());
                    assert!(load::<_, HashMap<String, u64>>(&$format, &bytes).is_err());
                    assert!(load::<_, BTreeMap<u64, u64>>(&$format, &bytes).is_err());
                    assert!(load::<_, Record>(&$format, &bytes).is_err());
                }
            }

            #[test]
            fn nothing_at_all_is_an_error() {
                assert!(load::<_, ()>(&$format, b"").is_err());
                assert!(load::<_, Option<i64>>(&$format, b"").is_err());
                assert!(load::<_, String>(&$format, b"").is_err());
            }
        }
    )*};
}

over_formats! {
    json JsonSerializer;
    msgpack MsgPackSerializer;
}
