//! One suite over all formats: what goes through them, and what nobody should send.

mod bytes;
#[cfg(all(feature = "fast-json", feature = "json"))]
mod fast_json;
#[cfg(any(feature = "json", feature = "fast-json", feature = "msgpack", feature = "postcard"))]
mod formats;
#[cfg(any(feature = "json", feature = "fast-json"))]
mod read_json;
#[cfg(any(feature = "json", feature = "fast-json", feature = "msgpack", feature = "postcard"))]
mod samples;
#[cfg(feature = "validated")]
mod validated;
