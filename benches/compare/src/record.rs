//! What is echoed: 90 bytes of JSON, a different record for each call.

use serde::{Deserialize, Serialize};

/// Ids have seven digits.
const FIRST: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, garde::Validate)]
pub struct Record {
    #[garde(range(min = FIRST, max = 2 * FIRST))]
    pub id: u64,
    #[garde(length(min = 1, max = 100))]
    pub name: String,
    #[garde(length(min = 3, max = 100))]
    pub email: String,
    #[garde(skip)]
    pub active: bool,
    #[garde(range(min = 0.0, max = 100.0))]
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

    /// Makes it the record of a call, by its number.
    pub fn renumber(&mut self, number: u64) {
        self.id = id(number);
    }
}

/// Its text is as long as that of any other.
pub fn id(number: u64) -> u64 {
    FIRST + number % FIRST
}
