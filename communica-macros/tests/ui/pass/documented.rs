//! Everything that is made of a public, documented service is documented, and no lint is broken.
#![deny(missing_docs, warnings, unreachable_pub, unused_qualifications, rust_2018_idioms)]
#![deny(missing_debug_implementations, single_use_lifetimes, unused_lifetimes, let_underscore_drop)]

/// A calculator.
#[communica::service]
pub trait Calculator {
    /// Adds.
    async fn add(&self, a: i64, b: i64) -> i64;
    /// Shouts.
    async fn shout(&self, line: &str, more: Option<&str>) -> Result<String, Problem> {
        Ok(line.to_uppercase() + more.unwrap_or_default())
    }
    /// Knows.
    fn known(&self) -> bool;
}

/// A problem.
#[derive(Debug, communica::ServiceError)]
pub enum Problem {
    /// Without fields.
    Plain,
    /// With fields.
    Fields {
        /// Where.
        at: u8,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

/// Nobody calls or serves it here, which is no reason for a warning.
#[communica::service]
trait Private {
    async fn unused(&self, value: u8);
}

impl Private for () {
    async fn unused(&self, _value: u8) {}
}

fn main() {}
