//! Bytes of a fuzzer go in; nothing comes out, or a panic that says what did not hold.
//!
//! A function per target of `fuzz/`, which sees nothing else of the library's inside. Tests feed it the corpora. It
//! is there for fuzzers (which set `cfg(fuzzing)`) and tests alone, so it is no part of the public API.

mod chunks;
#[cfg(test)]
mod corpora;
mod frames;
mod hello;
mod link;
mod metadata;
mod script;
mod session;

pub use chunks::chunks;
pub use frames::frames;
pub use hello::hello;
pub use link::link;
pub use metadata::metadata;
pub use session::session;
