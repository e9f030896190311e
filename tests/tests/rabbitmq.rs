//! The road through a broker, in one module so that its name tells these tests from all others: they wait more than they
//! work, and `cargo xtask test` runs others beside them.

#![cfg(unix)]

#[path = "rabbitmq/mod.rs"]
mod over_rabbitmq;
