//! Throws whose handlers failed → the log, which they must not fill.

use std::sync::Arc;

use crate::excerpt::beginning;

/// So many are told one by one; after that every power of two.
const TOLD: u64 = 8;
/// Characters of a route and of a message that are told.
const MAX_TEXT: usize = 100;

pub(super) struct FailedThrows {
    client_id: Arc<str>,
    failed: u64,
}

impl FailedThrows {
    pub(super) fn new(client_id: Arc<str>) -> Self {
        Self { client_id, failed: 0 }
    }

    pub(super) fn tell(&mut self, route: Option<&str>, message: &str) {
        self.failed += 1;
        let Self { client_id, failed } = self;
        if *failed > TOLD && !failed.is_power_of_two() {
            return;
        }
        let route = route.map(|route| beginning(route, MAX_TEXT));
        let error = beginning(message, MAX_TEXT);
        tracing::warn!(
            client_id = &**client_id,
            route = route.as_deref(),
            error = &*error,
            failed,
            "the handler of a throw failed"
        );
    }

    /// These did not begin.
    pub(super) fn tell_of_dropped(&self, throws: usize) {
        let client_id = &*self.client_id;
        tracing::warn!(
            client_id,
            throws,
            "throws came and were not handled: their entity ended before they began"
        );
    }
}
