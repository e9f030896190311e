//! A scripted peer speaks in plain bytes: whatever it says, the server goes on to serve the others.

mod beyond;
mod cancel;
mod chunks;
mod deaf;
mod floods;
mod fortress;
mod frames;
mod hellos;
mod hostile_servers;
mod metadata;
mod nonsense;
pub(crate) mod peer;
mod room;
mod servers;
mod silence;
mod stop;
mod takeovers;
mod too_large;
