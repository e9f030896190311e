//! Sides in processes of their own: stopped in their tracks, killed, started anew, asked to end by the system.

mod children;
#[cfg(unix)]
mod frozen;
mod restarts;
mod runner;
#[cfg(unix)]
mod signals;
