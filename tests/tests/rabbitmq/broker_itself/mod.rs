//! What the other tests stand on: the broker does what they ask of it, and is gone afterwards.

mod deeds;
mod endings;
