//! See `communica/src/fuzzing/metadata.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::metadata(input));
