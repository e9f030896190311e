//! Processes of the Python library and ours go in, in every combination; what one says the other must understand.

#[path = "python/chunks.rs"]
mod chunks;
#[path = "python/everything.rs"]
mod everything;
#[path = "python/matrix.rs"]
mod matrix;
#[path = "python/recordings.rs"]
mod recordings;
#[path = "python/restart.rs"]
mod restart;
#[path = "python/typed.rs"]
mod typed;
