//! A message above the limit → what is told of it, the same on every road.

use super::{Fault, FaultKind, Kind};

/// What is wrong with it.
pub(crate) fn why(size: usize, limit: usize) -> String {
    format!("it has {size} bytes where {limit} are allowed, see `Limits::message_size`")
}

/// What whoever waits is told in its place: the sender of a request, or on this side the caller whom it should have answered.
/// `None` where nobody waits.
pub(crate) fn fault(kind: Kind, why: &str) -> Option<Fault> {
    let what = match kind {
        Kind::Request => "request",
        kind if kind.is_answer() => "answer",
        _ => return None,
    };
    Some(Fault::new(FaultKind::Resp, format!("the {what} was not taken: {why}"), None))
}
