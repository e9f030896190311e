//! The road through a broker, in one module whose name tells these tests from all others: `cargo xtask test over_rabbitmq::`
//! runs them alone.

#![cfg(unix)]

#[path = "rabbitmq/mod.rs"]
mod over_rabbitmq;
