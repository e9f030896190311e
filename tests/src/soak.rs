//! Minutes go in: a server, and clients that come, go, are cut off and killed. Out comes what the server's process held
//! meanwhile, and whether it held ever more.
//!
//! # Layout
//! - [`process`]: what the server's and the clients' processes do
//! - `samples`: memory, handles, threads and tasks of the server, again and again
//! - `direct`: starts them, kills some, and judges

#[cfg(target_os = "linux")]
mod direct;
mod guest;
pub mod process;
mod samples;

#[cfg(target_os = "linux")]
pub use direct::direct;
pub use samples::{Sample, Samples, left};
