//! See `communica/src/fuzzing/frames.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::frames(input));
