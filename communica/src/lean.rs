//! What is short or missing for most peers, of which there may be many thousand.

use std::collections::VecDeque;

/// Appends, see [`make_room`].
#[inline]
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T) {
    make_room(queue);
    queue.push_back(item);
}

/// To be called before an item is appended. The first one gets room for itself alone, where a queue would make room for four.
#[inline]
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
}

/// What most peers never have: it gets room of its own when it is first needed.
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Seldom<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    pub(crate) fn get_or_make(&mut self, make: impl FnOnce() -> T) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(make()))
    }
}
