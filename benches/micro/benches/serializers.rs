//! Values of several shapes → how long each JSON serializer takes to dump and to load them.

use communica::{Bytes, Dump, FastJsonSerializer, JsonSerializer, Load, Payload};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::{Deserialize, Serialize};

fn main() {
    divan::main();
}

/// The size of the large ones, about.
const MEGABYTE: usize = 1_000_000;

/// What a service has most of: a few short fields, 90 bytes in all.
#[derive(Deserialize, Serialize)]
struct Record {
    id: u64,
    name: String,
    email: String,
    age: u8,
    score: f64,
    active: bool,
}

macro_rules! shapes {
    ($($shape:ident: $ty:ty;)*) => {$(
        mod $shape {
            use super::*;

            #[divan::bench(types = [JsonSerializer, FastJsonSerializer])]
            fn dump<S: Dump<$ty> + Default>(bencher: Bencher<'_, '_>) {
                let (format, value) = (S::default(), super::make::$shape());
                let size = payload(&format, &value).len();
                // A payload that is dropped leaves its memory to the next, as in a program that sends many.
                bencher.counter(BytesCount::new(size)).bench_local(|| drop(format.dump(black_box(&value))));
            }

            #[divan::bench(types = [JsonSerializer, FastJsonSerializer])]
            fn load<S: for<'de> Load<'de, $ty> + Default>(bencher: Bencher<'_, '_>) {
                let (format, payload) = (S::default(), payload(&JsonSerializer, &super::make::$shape()));
                bencher.counter(BytesCount::new(payload.len())).bench_local(|| -> $ty {
                    format.load(black_box(&payload)).expect("it was dumped from one")
                });
            }
        }
    )*};
}

shapes! {
    a_record: Record;
    b_records_10_kb: Vec<Record>;
    c_records_1_mb: Vec<Record>;
    d_strings_1_mb: Vec<String>;
    e_strings_with_escapes_1_mb: Vec<String>;
    f_strings_in_cyrillic_1_mb: Vec<String>;
    g_one_string_1_mb: String;
    h_floats_1_mb: Vec<f64>;
    i_integers_1_mb: Vec<u64>;
}

fn payload<T: ?Sized>(format: &impl Dump<T>, value: &T) -> Bytes {
    format.dump(value).map(Payload::into_bytes).expect("every one has a form in JSON")
}

/// The values; equal in each run.
mod make {
    use super::{MEGABYTE, Record};

    pub(crate) fn a_record() -> Record {
        record(7)
    }

    pub(crate) fn b_records_10_kb() -> Vec<Record> {
        (0..10_000 / 90).map(record).collect()
    }

    pub(crate) fn c_records_1_mb() -> Vec<Record> {
        (0..MEGABYTE as u64 / 90).map(record).collect()
    }

    pub(crate) fn d_strings_1_mb() -> Vec<String> {
        strings("The quick brown fox jumps over the lazy dog and back again. ")
    }

    pub(crate) fn e_strings_with_escapes_1_mb() -> Vec<String> {
        strings("C:\\fox\\\"quick\" brown\n\tjumps over\tthe lazy dog\n and back again. ")
    }

    pub(crate) fn f_strings_in_cyrillic_1_mb() -> Vec<String> {
        strings("Съешь ещё этих мягких французских булок, да выпей же чаю. ")
    }

    pub(crate) fn g_one_string_1_mb() -> String {
        d_strings_1_mb().concat()
    }

    pub(crate) fn h_floats_1_mb() -> Vec<f64> {
        random().take(MEGABYTE / 20).map(|number| number as f64 / u64::MAX as f64 * 1000.0).collect()
    }

    pub(crate) fn i_integers_1_mb() -> Vec<u64> {
        // Of every length.
        random().take(MEGABYTE / 11).map(|number| number >> (number % 64)).collect()
    }

    fn record(number: u64) -> Record {
        Record {
            id: 1_000_000 + number,
            name: format!("user {number}"),
            email: format!("user{number}@mail.org"),
            age: (number % 90) as u8,
            score: number as f64 / 8.0,
            active: number.is_multiple_of(2),
        }
    }

    /// Of 0 to 200 bytes each, a hundred in the mean.
    fn strings(text: &str) -> Vec<String> {
        let text = text.repeat(4);
        let lengths = random().map(|number| (number % 200) as usize);
        lengths
            .take(MEGABYTE / 100)
            .map(|length| text[..text.floor_char_boundary(length)].to_owned())
            .collect()
    }

    /// Numbers without a pattern: xorshift.
    fn random() -> impl Iterator<Item = u64> {
        std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |&last| {
            let mut next = last;
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            Some(next)
        })
    }
}
