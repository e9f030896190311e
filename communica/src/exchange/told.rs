//! What becomes of handlers → the log.

use std::any::Any;
use std::time::Duration;

use super::Exchange;
use crate::error::{Fault, FaultKind};
use crate::excerpt::excerpt;
use crate::wire::Metadata;

impl Exchange {
    #[cold]
    pub(super) fn tell_that_it_held_up(&self, metadata: &Metadata, time: Duration) {
        tracing::warn!(
            client_id = self.client_id(),
            route = metadata.route().as_deref(),
            ?time,
            "a handler, with loading its arguments and dumping its result, held up its connection: what blocks or computes for so \
             long belongs into `#[route(blocking)]` or tokio's `spawn_blocking`, and large bytes into `BytesSerializer` (told once for \
             each route)"
        );
    }

    pub(super) fn tell_of_failure(&self, metadata: &Metadata, fault: &Fault) {
        if fault.is_for_log() {
            let (client_id, route) = (self.client_id(), metadata.route());
            tracing::error!(client_id, route = route.as_deref(), error = fault.message(), "a handler failed");
        }
    }

    pub(super) fn panicked(&self, metadata: &Metadata, panic: &(dyn Any + Send)) -> Fault {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        // It may quote what the peer sent.
        let text = excerpt(text);
        let (client_id, route) = (self.client_id(), metadata.route());
        tracing::error!(client_id, route = route.as_deref(), panic = text, "a handler panicked");
        Fault::new(FaultKind::Unknown, format!("the handler panicked: {text}"), None)
    }
}
