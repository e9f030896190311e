//! Servers and clients in memory: handlers, peers, faults, order and bounds.

mod anybody;
mod blocking;
mod bounds;
mod callers;
mod ends;
mod faults;
mod flood;
mod gated;
mod goodbyes;
mod handlers;
mod log;
mod long;
mod looking;
mod lost_throws;
mod nested;
mod no_runtime;
mod order;
mod outages;
#[cfg(unix)]
mod owners;
mod peers;
mod places;
mod runs;
mod secrets;
mod senders;
mod simple;
mod tables;
mod watch;
