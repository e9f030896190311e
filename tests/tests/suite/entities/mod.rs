//! Servers and clients in memory: handlers, peers, faults, order and bounds.

mod bounds;
mod faults;
mod flood;
mod gated;
mod handlers;
mod long;
mod order;
#[cfg(unix)]
mod owners;
mod peers;
mod places;
mod secrets;
mod simple;
mod tables;
