//! Clients of this process that had a link, and whether their queues are gone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By client id: clones of one connector may be for different clients.
#[derive(Debug, Default)]
pub(super) struct Former(Mutex<HashMap<String, bool>>);

impl Former {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This client had a link.
    pub(super) fn was_here(&self, client: &str) -> bool {
        self.lock().contains_key(client)
    }

    /// The queues of its last link are gone.
    pub(super) fn queues_lost(&self, client: &str) {
        self.lock().insert(client.to_owned(), true);
    }

    /// It has a link. True if its queues were lost, and there was no other link since.
    pub(super) fn connected(&self, client: &str) -> bool {
        self.lock().insert(client.to_owned(), false).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_client_lost_is_nothing_to_another() {
        let former = Former::default();
        assert!(!former.connected("a") && !former.connected("b") && !former.was_here("c"));
        former.queues_lost("a");
        assert!(!former.connected("b"));
        assert!(former.connected("a") && !former.connected("a"), "it is told once");
    }
}
