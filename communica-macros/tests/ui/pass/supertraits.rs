//! A service may ask for more of what implements it, and still be shared.
#![deny(warnings)]
#![allow(missing_docs)]

use std::fmt::Debug;
use std::sync::Arc;

#[communica::service]
pub trait Desk: Debug + Send + Sync + PartialEq<Self> {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service]
pub trait Inline {
    fn add(&self, a: u8) -> u8;
}

#[derive(Debug, PartialEq)]
struct Host;

impl Desk for Host {
    async fn add(&self, a: u8) -> u8 {
        a
    }
}

impl Inline for Host {
    fn add(&self, a: u8) -> u8 {
        a
    }
}

fn main() {
    let host = Arc::new(Host);
    let _ = Desk::into_routes(Arc::clone(&host));
    let shared: Arc<dyn Inline + Send + Sync> = host;
    let _ = shared.into_routes();
}
