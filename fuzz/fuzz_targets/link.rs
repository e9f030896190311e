//! See `communica/src/fuzzing/link.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::link(input));
