//! A server or a client of ours in a process of its own goes under attack; whether it holds is measured from outside:
//! its memory at the most, its log, and somebody well-behaved who is served the whole time.

mod bystander;
mod client;
#[cfg_attr(target_os = "linux", path = "fortress/memory.rs")]
#[cfg_attr(not(target_os = "linux"), path = "fortress/memory_unknown.rs")]
mod memory;
mod process;
mod server;

pub(crate) use client::ClientFortress;
pub(crate) use server::ServerFortress;

use serde_json::{Value, json};

pub(crate) const MIB: usize = 1 << 20;

/// Small limits, so that an attack meets them.
pub(crate) fn limits() -> Value {
    json!({
        "message_size": 4 * MIB, "running": 64, "waiting": [1000, MIB], "queued": [1000, MIB], "unacknowledged": [1000, MIB], "peers": 200,
        "handshakes": 64, "handshake_ms": 1000, "stall_ms": 2000, "forget_ms": 60_000,
    })
}
