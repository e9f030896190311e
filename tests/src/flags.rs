//! `--name value` words → values, for the programs of this crate.

use std::fmt::Display;
use std::str::FromStr;

/// What is left of the command line.
#[derive(Debug)]
pub struct Flags(Vec<String>);

impl Flags {
    /// Of this process.
    #[must_use]
    pub fn given() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The first word, if it is no flag.
    pub fn word(&mut self) -> Option<String> {
        let is_word = self.0.first().is_some_and(|word| !word.starts_with("--"));
        is_word.then(|| self.0.remove(0))
    }

    /// The value of a flag; `None` if it was not given.
    ///
    /// # Errors
    /// The value is missing or none of this type.
    pub fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        if at + 1 >= self.0.len() {
            return Err(format!("{name} needs a value"));
        }
        let value = self.0.drain(at..at + 2).next_back().unwrap_or_default();
        value.parse().map(Some).map_err(|error| format!("{name} {value}: {error}"))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub fn end(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("nobody knows what to do with {:?}", self.0)) }
    }
}

/// A seed that was not given: different every time, so that many runs see many things.
#[must_use]
pub fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short, since people copy it.
    now.map_or(1, |now| now.as_micros() as u64 % 1_000_000_000)
}
