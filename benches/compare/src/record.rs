//! What is echoed: 90 bytes of JSON, a different record for each call.

use serde::{Deserialize, Serialize};

/// Ids have seven digits.
const FIRST: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub active: bool,
    pub score: f64,
}

impl Record {
    pub fn sample() -> Self {
        Self {
            id: FIRST,
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            active: true,
            score: 98.6,
        }
    }

    /// Makes it the record of a call, by its number. It stays as long as it is.
    pub fn renumber(&mut self, number: u64) {
        self.id = FIRST + number % FIRST;
    }
}
