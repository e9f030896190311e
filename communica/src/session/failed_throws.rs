//! Throws whose handlers failed → the log, which they must not fill.

use crate::excerpt::beginning;

/// So many are told one by one; after that every power of two.
const TOLD: u64 = 8;
/// Characters of a route and of a message that are told.
const MAX_TEXT: usize = 100;

#[derive(Default)]
pub(super) struct FailedThrows(u64);

impl FailedThrows {
    pub(super) fn tell(&mut self, route: Option<&str>, message: &str) {
        self.0 += 1;
        if self.0 > TOLD && !self.0.is_power_of_two() {
            return;
        }
        let route = route.map(|route| beginning(route, MAX_TEXT));
        let failed = self.0;
        let error = beginning(message, MAX_TEXT);
        tracing::warn!(route = route.as_deref(), error = &*error, failed, "the handler of a throw failed");
    }
}
