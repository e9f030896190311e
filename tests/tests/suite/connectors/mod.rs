//! Roads go in, one after the other; the same suite runs over each.

mod calls;
mod duplex;
mod endings;
mod handshakes;
mod limits;
mod local;
#[cfg(unix)]
mod local_users;
mod reconnects;
mod roads;
mod states;
mod takeover;
