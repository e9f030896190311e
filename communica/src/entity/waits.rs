//! Who waits before a call can begin → a list of them, while they wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::peer::Inflight;

#[derive(Default)]
pub(crate) struct Waits(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: BTreeMap<u64, (Option<String>, Instant)>,
}

/// One of them, until it is dropped.
pub(crate) struct Waiter<'a>(&'a Waits, u64);

impl Waits {
    pub(crate) fn enter(&self, route: Option<&str>) -> Waiter<'_> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        waiting.calls.insert(number, (route.map(str::to_owned), Instant::now()));
        Waiter(self, number)
    }

    /// `client_id`: of the client that they wait for, if they wait for one.
    pub(crate) fn list(&self, client_id: &str) -> Vec<Inflight> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = waiting.calls.values().map(|(route, since)| Inflight {
            route: route.clone(),
            client_id: client_id.to_owned(),
            age: since.elapsed(),
            is_sent: false,
        });
        calls.collect()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&self.1);
    }
}
