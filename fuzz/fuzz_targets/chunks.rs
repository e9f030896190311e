//! See `communica/src/fuzzing/chunks.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::chunks(input));
