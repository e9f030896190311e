//! A scripted peer speaks in plain bytes: whatever it says, the server goes on to serve the others.

#[cfg(target_os = "linux")]
mod beyond;
mod cancel;
mod chunks;
mod deaf;
#[cfg(target_os = "linux")]
mod floods;
#[cfg(target_os = "linux")]
mod fortress;
mod frames;
mod hellos;
#[cfg(target_os = "linux")]
mod hostile_servers;
mod metadata;
#[cfg(target_os = "linux")]
mod nonsense;
pub(crate) mod peer;
mod room;
mod servers;
mod silence;
mod stop;
