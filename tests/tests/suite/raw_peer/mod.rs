//! A scripted peer speaks in plain bytes: whatever it says, the server goes on to serve the others.

mod chunks;
mod deaf;
mod frames;
mod hellos;
mod metadata;
pub(crate) mod peer;
mod servers;
