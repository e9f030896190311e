//! The memory of a large message that nobody holds any more → the next one.
//!
//! The system makes and zeroes each page it hands out, and unmaps each it gets back, which takes longer than to copy what
//! stands there; and an allocator keeps nothing of this size. So it is kept for a moment, for whoever is next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Less is left to the allocator.
const SMALLEST: usize = 1 << 20;
/// Bytes that this process keeps at most.
const MOST: usize = 128 << 20;
/// What nobody wanted for so long goes back to the system.
const KEPT: Duration = Duration::from_secs(1);

static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), watched: false });

/// An empty buffer with so much room, and not much more, if one is kept.
pub(crate) fn take(room: usize) -> Option<Vec<u8>> {
    if room < SMALLEST / 2 { None } else { spare().take(room) }
}

/// What stands in the buffer, whose memory comes back when nobody holds it any more.
pub(crate) fn lend(buffer: Vec<u8>) -> Bytes {
    if buffer.capacity() < SMALLEST {
        return buffer.into();
    }
    if buffer.len() < buffer.capacity() / 2 {
        // Much less came than was announced.
        let bytes = Bytes::copy_from_slice(&buffer);
        drop(Lent(buffer));
        return bytes;
    }
    Bytes::from_owner(Lent(buffer))
}

struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = spare();
        let refused = spare.put(std::mem::take(&mut self.0), Instant::now());
        if !spare.watched {
            // Messages are dropped anywhere, also where there is no runtime, and giving back takes milliseconds.
            let watch = thread::Builder::new().name("communica-spare".to_owned()).spawn(give_back);
            spare.watched = watch.is_ok();
        }
        let refused = if spare.watched { refused } else { spare.take_all() };
        drop(spare);
        drop(refused);
    }
}

/// Gives back what nobody wanted, until nothing is kept.
fn give_back() {
    loop {
        thread::sleep(KEPT);
        let mut spare = spare();
        let unwanted = spare.unwanted(Instant::now());
        spare.watched = !spare.buffers.is_empty();
        let watched = spare.watched;
        drop(spare);
        drop(unwanted);
        if !watched {
            return;
        }
    }
}

fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept, and since when, the longest first.
struct Spare {
    buffers: Vec<(Instant, Vec<u8>)>,
    /// A thread sees to it that it goes back to the system.
    watched: bool,
}

impl Spare {
    /// The smallest that will do. One of more than twice the room is for others.
    fn take(&mut self, room: usize) -> Option<Vec<u8>> {
        let fits = |(_, (_, buffer)): &(usize, &(Instant, Vec<u8>))| {
            (room..=room.saturating_mul(2)).contains(&buffer.capacity())
        };
        let found =
            self.buffers.iter().enumerate().filter(fits).min_by_key(|(_, (_, buffer))| buffer.capacity());
        let (at, _) = found?;
        Some(self.buffers.remove(at).1)
    }

    /// Keeps it if there is room, in place of older ones if need be. Returns what is to be dropped, elsewhere.
    fn put(&mut self, mut buffer: Vec<u8>, now: Instant) -> Vec<(Instant, Vec<u8>)> {
        buffer.clear();
        self.buffers.push((now, buffer));
        let mut all: usize = self.buffers.iter().map(|(_, buffer)| buffer.capacity()).sum();
        let too_many = self.buffers.iter().take_while(|(_, buffer)| {
            let over = all > MOST;
            all -= buffer.capacity();
            over
        });
        let too_many = too_many.count();
        self.buffers.drain(..too_many).collect()
    }

    fn unwanted(&mut self, now: Instant) -> Vec<(Instant, Vec<u8>)> {
        let old = self.buffers.iter().take_while(|(since, _)| now.saturating_duration_since(*since) >= KEPT);
        let old = old.count();
        self.buffers.drain(..old).collect()
    }

    fn take_all(&mut self) -> Vec<(Instant, Vec<u8>)> {
        std::mem::take(&mut self.buffers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn spare(sizes: &[usize], now: Instant) -> Spare {
        let mut spare = Spare { buffers: Vec::new(), watched: false };
        for &size in sizes {
            assert!(spare.put(vec![1; size], now).is_empty());
        }
        spare
    }

    fn sizes(spare: &Spare) -> Vec<usize> {
        spare.buffers.iter().map(|(_, buffer)| buffer.capacity() / MIB).collect()
    }

    #[test]
    fn the_smallest_that_will_do_is_taken() {
        let mut spare = spare(&[8 * MIB, 3 * MIB, 4 * MIB], Instant::now());
        let taken = spare.take(3 * MIB - 1).unwrap();
        assert!(taken.is_empty());
        assert_eq!(taken.capacity(), 3 * MIB);
        assert_eq!(sizes(&spare), [8, 4]);
    }

    #[test]
    fn one_that_is_too_small_or_much_too_large_is_left() {
        let mut spare = spare(&[2 * MIB, 8 * MIB], Instant::now());
        assert_eq!(spare.take(3 * MIB), None);
        assert_eq!(spare.take(4 * MIB).unwrap().capacity(), 8 * MIB);
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut spare = spare(&[MOST / 2, MOST / 2], Instant::now());
        let refused = spare.put(vec![0; MIB], Instant::now());
        assert_eq!(refused.len(), 1);
        assert_eq!(sizes(&spare), [MOST / 2 / MIB, 1]);
        let refused = spare.put(vec![0; MOST + 1], Instant::now());
        assert_eq!(refused.len(), 3);
        assert!(spare.buffers.is_empty());
    }

    #[test]
    fn what_nobody_wants_goes_back() {
        let now = Instant::now();
        let mut spare = spare(&[MIB], now);
        spare.put(vec![0; 2 * MIB], now + KEPT / 2);
        assert!(spare.unwanted(now + KEPT / 4).is_empty());
        assert_eq!(spare.unwanted(now + KEPT).len(), 1);
        assert_eq!(sizes(&spare), [2]);
        assert_eq!(spare.unwanted(now + KEPT * 2).len(), 1);
    }

    /// One after the other stands in the same memory, and in the end it is gone, with the thread that saw to it.
    #[test]
    fn a_lent_buffer_comes_back_and_goes() {
        const SIZE: usize = 77 * MIB;
        let lent = lend(vec![7; SIZE]);
        let (at, part) = (lent.as_ptr(), lent.slice(5..7));
        drop(lent);
        assert_eq!(take(SIZE), None, "a part of it is held");
        drop(part);
        let again = take(SIZE).unwrap();
        assert_eq!(again.as_ptr(), at);
        drop(Lent(again));
        let deadline = Instant::now() + Duration::from_secs(20);
        while super::spare().watched {
            assert!(Instant::now() < deadline, "it is still kept");
            thread::sleep(KEPT / 10);
        }
        assert_eq!(take(SIZE), None);
    }

    #[test]
    fn a_buffer_that_is_mostly_empty_is_not_given_away() {
        let mut buffer = Vec::with_capacity(3 * MIB + 1);
        buffer.push(7);
        assert_eq!(lend(buffer), [7][..]);
        assert!(take(3 * MIB + 1).is_some());
    }
}
