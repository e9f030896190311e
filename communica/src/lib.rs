#![cfg_attr(all(feature = "macros", feature = "json", feature = "local"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "macros", feature = "json", feature = "local")),
    doc = "Typed calls between processes."
)]
//!
//! # Layout
//!
//! A message's path is `wire ⇄ connector ⇄ driver ⇄ session ⇄ route ⇄ serializer ⇄ handler`; users hold entities.
//! What is public of each:
//!
//! - entities: [`RouteServer`], [`RouteClient`], [`SimpleServer`], [`SimpleClient`], and the peers they call;
//! - routes: [`RouteTable`], [`Handler`], [`Context`];
//! - connectors: [`Connector`] and its implementations, [`Link`] and what it is made of;
//! - serializers: [`Serializer`], [`Dump`], [`Load`] and the formats;
//! - [`Limits`], and the errors: [`Error`], [`CallError`], [`Fault`].
//!
//! Everything runs on tokio. Logs go to `tracing`.

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "fuzzing/mod.rs"]
pub mod __fuzzing;
#[doc(hidden)]
#[path = "private.rs"]
#[allow(missing_docs)]
pub mod __private;
mod clock;
mod company;
mod connector;
mod context;
mod driver;
mod entity;
mod error;
mod excerpt;
mod exchange;
mod lean;
#[cfg_attr(not(feature = "stream"), allow(dead_code))]
mod limits;
mod panics;
mod random;
mod route;
mod running;
mod serializer;
mod session;
#[cfg_attr(not(feature = "stream"), allow(dead_code))]
mod spare;
mod sparingly;
mod turns;
// The codec is whole whatever roads are on; without streams, parts of it are for nobody.
#[cfg_attr(not(feature = "stream"), allow(dead_code, unused_imports))]
mod wire;

pub use bytes::Bytes;
#[cfg(feature = "macros")]
pub use communica_macros::{ServiceError, service};
pub use connector::*;
pub use context::Context;
pub use entity::*;
pub use error::*;
pub use limits::Limits;
pub use route::{Handler, Reply, RouteTable, reply};
pub use serializer::*;
pub use wire::{Batch, Feature, Item, Message, Metadata, Receipt, Stamp};

// These come with `connector::*` and `serializer::*` already. Of a name that stands here, in the open, the compiler says
// which feature it needs.
#[cfg(feature = "local")]
pub use connector::LocalConnector;
#[cfg(feature = "memory")]
pub use connector::MemoryConnector;
#[cfg(feature = "rabbitmq")]
pub use connector::RmqConnector;
#[cfg(feature = "tcp")]
pub use connector::TcpConnector;
#[cfg(feature = "stream")]
pub use connector::stream;
#[cfg(feature = "faults")]
pub use connector::{FaultConnector, Faults};
#[cfg(feature = "tls")]
pub use connector::{Tls, TlsError};
#[cfg(feature = "fast-json")]
pub use serializer::FastJsonSerializer;
#[cfg(feature = "json")]
pub use serializer::JsonSerializer;
#[cfg(feature = "msgpack")]
pub use serializer::MsgPackSerializer;
#[cfg(feature = "postcard")]
pub use serializer::PostcardSerializer;
#[cfg(feature = "validated")]
pub use serializer::{BrokenRules, Validated, ValidatedSerializer};
