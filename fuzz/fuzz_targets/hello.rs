//! See `communica/src/fuzzing/hello.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| communica::__fuzzing::hello(input));
