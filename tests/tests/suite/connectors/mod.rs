//! Roads go in, one after the other; the same suite runs over each.

mod authorize;
mod calls;
mod cancel;
mod deadlines;
mod duplex;
mod endings;
mod handshakes;
mod limits;
#[cfg(unix)]
mod local;
#[cfg(target_os = "linux")]
mod local_depth;
#[cfg(windows)]
mod local_pipes;
#[cfg(unix)]
mod local_users;
mod post;
mod reconnects;
mod roads;
mod silence;
mod states;
mod takeover;
mod waits;
