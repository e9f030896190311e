//! Typed calls between processes.
#![doc = ""]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod connector;
mod context;
mod driver;
mod entity;
mod error;
mod exchange;
mod limits;
mod random;
mod route;
mod serializer;
mod session;
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
pub use wire::{Batch, Item, Message, Metadata};
