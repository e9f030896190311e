//! Links that are cut, stalled and slowed go in: the connector that does it does what it says, and what was under way
//! arrives once and in order all the same.

mod chaos;
mod connector;
mod resume;
