//! Requests of another server than the one that a client belongs to → the queues that their answers go to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::types::ShortString;

/// So many are remembered: more than may wait and run at once. Of more, the oldest is forgotten.
const REMEMBERED: usize = 32_768;

/// A client keeps it over its links: an answer may be due on a later one, and may have to be sent again there. So nothing
/// leaves when it was used.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// By the id of the request.
    queues: HashMap<String, ShortString>,
    oldest_first: VecDeque<String>,
}

impl Elsewhere {
    fn lock(&self) -> MutexGuard<'_, Places> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to this request goes to that queue.
    pub(super) fn remember(&self, id: &str, queue: ShortString) {
        let mut places = self.lock();
        if places.queues.insert(id.to_owned(), queue).is_some() {
            return;
        }
        places.oldest_first.push_back(id.to_owned());
        if places.oldest_first.len() > REMEMBERED {
            if let Some(oldest) = places.oldest_first.pop_front() {
                places.queues.remove(&oldest);
            }
        }
    }

    /// Where the answer to this request goes, if not the usual way.
    pub(super) fn queue_for(&self, id: &str) -> Option<ShortString> {
        let places = self.lock();
        if places.queues.is_empty() { None } else { places.queues.get(id).cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_and_an_answer_finds_its_way_again_and_again() {
        let elsewhere = Elsewhere::default();
        for number in 0..=REMEMBERED {
            for _ in 0..2 {
                elsewhere.remember(&number.to_string(), format!("q{number}").into());
            }
        }
        assert_eq!(elsewhere.queue_for("0"), None);
        for _ in 0..2 {
            assert_eq!(elsewhere.queue_for("1"), Some("q1".into()));
        }
        assert_eq!(elsewhere.queue_for(&REMEMBERED.to_string()), Some(format!("q{REMEMBERED}").into()));
        assert_eq!(elsewhere.lock().queues.len(), REMEMBERED);
        assert_eq!(elsewhere.lock().oldest_first.len(), REMEMBERED);
    }
}
