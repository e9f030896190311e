//! What a broker brought and nobody can use → the log, which whoever may publish must not fill.

use crate::sparingly::Sparingly;

/// By this process, over all brokers.
static DROPPED: Sparingly = Sparingly::new();

pub(super) fn tell_of_dropped(queue: &str, client: Option<&str>, why: &str) {
    if let Some(dropped) = DROPPED.one_more() {
        tracing::warn!(queue, client, why, dropped, "dropped a message");
    }
}
