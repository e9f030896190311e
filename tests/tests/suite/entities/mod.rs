//! Servers and clients in memory: handlers, peers, faults, order and bounds.

mod blocking;
mod bounds;
mod ends;
mod faults;
mod flood;
mod gated;
mod goodbyes;
mod handlers;
mod long;
mod nested;
mod order;
#[cfg(unix)]
mod owners;
mod peers;
mod places;
mod secrets;
mod runs;
mod senders;
mod simple;
mod tables;
