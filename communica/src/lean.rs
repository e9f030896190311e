//! What is short or missing for most peers, of which there may be many thousand.

use std::cell::RefCell;
use std::collections::VecDeque;

/// Appends. The first item gets room for itself alone, where a queue would make room for four.
#[inline]
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T) {
    make_room(queue);
    queue.push_back(item);
}

#[inline]
fn make_room<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
}

/// The room of queues that are empty most of the time, for all of a thread: each would have its own, of which none is in a cache when it is
/// needed.
pub(crate) struct Spares<T>(RefCell<Vec<VecDeque<T>>>);

impl<T> Spares<T> {
    /// So much is kept.
    const QUEUES: usize = 4;
    /// A queue that had more keeps its room.
    const ITEMS: usize = 64;

    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// To be called before an item is appended.
    #[inline]
    pub(crate) fn lend(&self, queue: &mut VecDeque<T>) {
        if queue.capacity() == 0 {
            *queue = self.0.borrow_mut().pop().unwrap_or_default();
            make_room(queue);
        }
    }

    /// To be called when items were taken out.
    #[inline]
    pub(crate) fn take_back(&self, queue: &mut VecDeque<T>) {
        let mut kept = self.0.borrow_mut();
        if queue.is_empty() && (1..=Self::ITEMS).contains(&queue.capacity()) && kept.len() < Self::QUEUES {
            kept.push(std::mem::take(queue));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One that was used and is empty again.
    fn used(spares: &Spares<u8>, items: usize) -> VecDeque<u8> {
        let mut queue = VecDeque::new();
        for _ in 0..items {
            spares.lend(&mut queue);
            queue.push_back(0);
        }
        spares.take_back(&mut queue);
        assert_eq!(queue.len(), items, "what is in use is not taken back");
        queue.clear();
        queue
    }

    #[test]
    fn queues_use_the_same_room_one_after_the_other() {
        let spares = Spares::new();
        let mut first = used(&spares, 5);
        let capacity = first.capacity();
        spares.take_back(&mut first);
        assert_eq!(first.capacity(), 0);
        let mut second = VecDeque::new();
        spares.lend(&mut second);
        assert_eq!(second.capacity(), capacity);
        spares.lend(&mut first);
        assert_eq!(first.capacity(), 1, "there is none left");
    }

    #[test]
    fn the_room_that_is_kept_has_a_bound() {
        let spares = Spares::new();
        let mut large = used(&spares, Spares::<u8>::ITEMS + 1);
        spares.take_back(&mut large);
        assert!(large.capacity() > Spares::<u8>::ITEMS);
        let mut queues: Vec<_> = (0..=Spares::<u8>::QUEUES).map(|_| used(&spares, 1)).collect();
        queues.iter_mut().for_each(|queue| spares.take_back(queue));
        assert_eq!(queues.iter().filter(|queue| queue.capacity() > 0).count(), 1);
        assert_eq!(spares.0.borrow().len(), Spares::<u8>::QUEUES);
    }
}
