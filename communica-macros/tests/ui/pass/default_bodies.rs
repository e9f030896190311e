//! Default bodies of every kind break no lint.
#![forbid(unreachable_code, unreachable_patterns)]
#![deny(warnings, unused_qualifications, single_use_lifetimes)]
#![deny(rust_2018_idioms, missing_docs, unreachable_pub, unused_results, unused_must_use)]

use std::convert::Infallible;

/// What no caller gets.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub enum Never {}

/// What a caller gets.
#[must_use]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Given(u8);

/// A service that needs nothing to be written.
#[communica::service]
pub trait Desk {
    /// Nothing.
    async fn empty(&self) {}
    /// Nothing, with something to do.
    async fn busy(&self) {
        self.empty().await;
    }
    /// Ends nowhere.
    async fn endless(&self) -> u8 {
        loop {
            self.empty().await;
        }
    }
    /// Says so.
    async fn never(&self) -> Never {
        loop {
            self.empty().await;
        }
    }
    /// Is not written yet.
    async fn unwritten(&self) -> String {
        todo!()
    }
    /// Returns early.
    async fn early(&self, some: bool) -> Box<[u8]> {
        if some {
            return Box::new([1]);
        }
        Box::new([1, 2])
    }
    /// Gives what must be used.
    async fn given(&self) -> Given {
        Given(1)
    }
    /// Gives what cannot fail.
    async fn sure(&self) -> Result<u8, communica::AnyError> {
        let sure: Result<u8, Infallible> = Ok(1);
        Ok(sure?)
    }
    /// Gives a type with many parts.
    async fn parts(&self) -> Result<Vec<(Option<Box<[Vec<u8>]>>, String)>, communica::AnyError> {
        Ok(vec![(Some(Box::new([vec![1]])), String::new())])
    }
}

impl Desk for () {}

fn main() {
    let _ = ().into_routes();
}
