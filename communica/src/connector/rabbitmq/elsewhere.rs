//! Requests of another server than the one that a client belongs to → the queues that their answers go to.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::types::ShortString;

use super::ids::short;

/// So many are remembered without an answer, of all clients of one connector: far more than handlers run by default, but fewer than
/// may wait and run where all of them are at their bounds. And so many
/// whose answer was sent, so that these never push out one that still runs. Of more, the oldest is forgotten.
const REMEMBERED: usize = 32_768;

/// A client keeps it over its links: an answer may be due on a later one, and may have to be sent again there. So nothing
/// leaves when it was used.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// By the id of the request.
    by_id: HashMap<String, Place>,
    /// Ids of requests by number, the oldest first: without an answer …
    asked: BTreeMap<u64, String>,
    /// … and those whose answer was sent.
    answered: BTreeMap<u64, String>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    queue: ShortString,
    number: u64,
}

impl Elsewhere {
    fn lock(&self) -> MutexGuard<'_, Places> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to this request goes to that queue.
    pub(super) fn remember(&self, id: &str, queue: ShortString) {
        let (id, mut places) = (&*short(id), self.lock());
        if let Some(place) = places.by_id.get_mut(id) {
            place.queue = queue;
            return;
        }
        let number = places.next;
        places.next += 1;
        places.by_id.insert(id.to_owned(), Place { queue, number });
        places.asked.insert(number, id.to_owned());
        let oldest = if places.asked.len() > REMEMBERED { places.asked.pop_first() } else { None };
        if let Some((_, id)) = oldest {
            places.by_id.remove(&id);
        }
    }

    /// Where the answer to this request, which is sent now, goes if not the usual way.
    pub(super) fn queue_for(&self, id: &str) -> Option<ShortString> {
        let Places { by_id, asked, answered, .. } = &mut *self.lock();
        let Place { queue, number } = by_id.get(&*short(id))?;
        let (queue, number) = (queue.clone(), *number);
        if let Some(id) = asked.remove(&number) {
            answered.insert(number, id);
            let oldest = if answered.len() > REMEMBERED { answered.pop_first() } else { None };
            if let Some((_, id)) = oldest {
                by_id.remove(&id);
            }
        }
        Some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(number: usize) -> ShortString {
        format!("q{number}").into()
    }

    #[test]
    fn the_oldest_is_forgotten_and_an_answer_finds_its_way_again_and_again() {
        let elsewhere = Elsewhere::default();
        for number in 0..=REMEMBERED {
            for _ in 0..2 {
                elsewhere.remember(&number.to_string(), queue(number));
            }
        }
        assert_eq!(elsewhere.queue_for("0"), None);
        for _ in 0..2 {
            assert_eq!(elsewhere.queue_for("1"), Some(queue(1)));
        }
        assert_eq!(elsewhere.queue_for(&REMEMBERED.to_string()), Some(queue(REMEMBERED)));
        let places = elsewhere.lock();
        assert_eq!(
            (places.by_id.len(), places.asked.len(), places.answered.len()),
            (REMEMBERED, REMEMBERED - 2, 2)
        );
    }

    #[test]
    fn long_ids_are_not_kept_as_they_are() {
        let elsewhere = Elsewhere::default();
        let ids = ["x", "y"].map(|last| "i".repeat(60_000) + last);
        for (number, id) in ids.iter().enumerate() {
            elsewhere.remember(id, queue(number));
        }
        {
            let places = elsewhere.lock();
            assert!(places.by_id.keys().chain(places.asked.values()).all(|id| id.len() < 300));
        }
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(elsewhere.queue_for(id), Some(queue(number)));
        }
    }

    #[test]
    fn what_was_answered_pushes_out_nothing_that_still_runs() {
        let elsewhere = Elsewhere::default();
        elsewhere.remember("runs", queue(0));
        for number in 1..=REMEMBERED + 1 {
            let id = number.to_string();
            elsewhere.remember(&id, queue(number));
            assert_eq!(elsewhere.queue_for(&id), Some(queue(number)));
        }
        assert_eq!(elsewhere.queue_for("runs"), Some(queue(0)));
        assert_eq!(elsewhere.queue_for("1"), None);
        assert_eq!(elsewhere.lock().by_id.len(), REMEMBERED);
    }
}
