//! Throws that failed → the log, which they must not fill.

use std::sync::Arc;

use crate::excerpt::beginning;
use crate::sparingly::Sparingly;

/// Characters of a route and of a message that are told.
const MAX_TEXT: usize = 100;

pub(super) struct FailedThrows {
    client_id: Arc<str>,
    failed: Sparingly,
}

impl FailedThrows {
    pub(super) fn new(client_id: Arc<str>) -> Self {
        Self { client_id, failed: Sparingly::new() }
    }

    pub(super) fn tell(&self, route: Option<&str>, message: &str) {
        let Some(failed) = self.failed.one_more() else { return };
        let client_id = &*self.client_id;
        let route = route.map(|route| beginning(route, MAX_TEXT));
        let error = beginning(message, MAX_TEXT);
        tracing::warn!(route = route.as_deref(), error = &*error, failed, client_id, "a throw failed");
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
