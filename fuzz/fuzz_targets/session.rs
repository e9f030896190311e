//! See `communica/src/fuzzing/session.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::session(input));
