//! Queues that are short for most peers, of which there may be many thousand.

use std::collections::VecDeque;

/// Appends. The first item gets room for itself alone, where a queue would make room for four.
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
    queue.push_back(item);
}
