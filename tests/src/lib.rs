//! Tests go in with what they say, processes come out that do it: peers in Rust and in Python, each in its own
//! process, on its own socket, killed when the test is over.
//!
//! # Layout
//! - [`Stage`]: where a test plays: a folder and an address of its own
//! - [`Peer`]: one process, told what to do by lines of JSON
//! - [`broker`]: a RabbitMQ broker of the tests' own
//! - [`log`]: what the library logs, on stderr
//! - [`chaos`]: numbered messages over links that are cut, and the books on what came of them
//! - [`soak`]: a server among clients that come and go, and what its process holds
//! - [`itself`], [`flags`]: programs that start themselves again, and what they are told
//! - [`why_not()`]: what keeps a client from connecting
//! - [`python`]: the interpreter that has the Python library
//!
//! The peers themselves are `tests/src/bin/peer` and `tests/python/peer.py`.

#[cfg(unix)]
pub mod broker;
pub mod chaos;
pub mod flags;
pub mod itself;
pub mod log;
mod peer;
pub mod python;
pub mod scratch;
pub mod soak;
mod stage;
mod tls;
mod why_not;

pub use peer::{Failure, Peer};
pub use scratch::Scratch;
pub use stage::{Entity, Format, Language, Road, Role, Stage};
pub use tls::TlsSide;
pub use why_not::why_not;

use std::time::Duration;

/// Where a processor is imitated, everything takes so many times as long; 1, unless `COMMUNICA_PATIENCE` says more.
///
/// # Panics
/// It says something else than a number.
#[must_use]
pub fn patience() -> u32 {
    std::env::var("COMMUNICA_PATIENCE").map_or(1, |factor| factor.parse().expect("a number"))
}

/// So many seconds, or as long as these take here.
#[must_use]
pub fn patiently(seconds: u64) -> Duration {
    Duration::from_secs(seconds) * patience()
}

/// No test takes longer, on a busy machine: 90 s.
const SECONDS: u64 = 90;

/// Runs a test, which must end in time. Its processes are killed if it does not.
///
/// # Panics
/// The time is over.
pub async fn in_time<T>(test: impl Future<Output = T>) -> T {
    // It lives while this panics: what its processes wrote is shown when it is dropped.
    let mut test = std::pin::pin!(test);
    let time = patiently(SECONDS);
    tokio::time::timeout(time, test.as_mut())
        .await
        .unwrap_or_else(|_| panic!("the test did not end within {time:?}"))
}
