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
/// Bytes that this process keeps at most. What is in use again counts, or a peer could have buffer after buffer, one for each of
/// its links, by announcing what it never sends.
const MOST: usize = 128 << 20;
/// What nobody wanted for so long goes back to the system.
const KEPT: Duration = Duration::from_secs(1);

static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), in_use: 0, watched: false });

/// Where a large message is put together. Its memory comes back here when nobody holds it any more.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// So many of them were kept before.
    kept: usize,
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that can be put in without asking for more memory.
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Moves to memory that has room for so many more bytes, and not for many more, if some is kept.
    pub(crate) fn move_to_spare(&mut self, more: usize) -> bool {
        let room = self.bytes.len() + more;
        if room < SMALLEST / 2 {
            return false;
        }
        let Some(mut bytes) = spare().take(room) else { return false };
        bytes.extend_from_slice(&self.bytes);
        let kept = bytes.capacity();
        *self = Self { bytes, kept };
        true
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.bytes.reserve(more);
    }

    pub(crate) fn put(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// What stands in it.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.bytes.capacity() < SMALLEST {
            return std::mem::take(&mut self.bytes).into();
        }
        if self.bytes.len() < self.bytes.capacity() / 2 {
            // Much less came than was announced.
            return Bytes::copy_from_slice(&self.bytes);
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.kept == 0 && self.bytes.capacity() < SMALLEST {
            return;
        }
        let mut spare = spare();
        spare.in_use -= self.kept;
        let refused = spare.put(std::mem::take(&mut self.bytes), Instant::now());
        if !spare.watched {
            // Messages are dropped anywhere, also where there is no runtime, and giving back takes milliseconds.
            let watch = thread::Builder::new().name("communica-spare".to_owned()).spawn(give_back);
            spare.watched = watch.is_ok();
        }
        let unwatched = if spare.watched { Vec::new() } else { std::mem::take(&mut spare.buffers) };
        drop(spare);
        drop((refused, unwatched));
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
    /// Bytes of what was kept and was taken again.
    in_use: usize,
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
        let (_, buffer) = self.buffers.remove(at);
        self.in_use += buffer.capacity();
        Some(buffer)
    }

    /// Keeps it if there is room, in place of older ones if need be. Returns what is to be dropped, elsewhere.
    fn put(&mut self, mut buffer: Vec<u8>, now: Instant) -> Vec<(Instant, Vec<u8>)> {
        buffer.clear();
        self.buffers.push((now, buffer));
        let mut all = self.in_use + self.buffers.iter().map(|(_, buffer)| buffer.capacity()).sum::<usize>();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn spare(sizes: &[usize], now: Instant) -> Spare {
        let mut spare = Spare { buffers: Vec::new(), in_use: 0, watched: false };
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

    #[test]
    fn what_is_in_use_again_counts() {
        let now = Instant::now();
        let mut spare = spare(&[MOST / 2, MOST / 2], now);
        let (one, _other) = (spare.take(MOST / 2).unwrap(), spare.take(MOST / 2).unwrap());
        assert_eq!(spare.put(vec![0; MIB], now).len(), 1, "it may be had without end");
        spare.in_use -= one.capacity();
        assert!(spare.put(one, now).is_empty());
        assert_eq!(sizes(&spare), [MOST / 2 / MIB]);
    }

    /// With this many bytes of memory for one.
    fn buffer(size: usize, bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::default();
        buffer.reserve(size);
        buffer.put(bytes);
        buffer
    }

    /// One after the other stands in the same memory, and in the end it is gone, with the thread that saw to it.
    #[test]
    fn memory_comes_back_and_goes() {
        const SIZE: usize = 77 * MIB;
        let bytes = buffer(SIZE, &vec![7; SIZE]).into_bytes();
        let (at, part) = (bytes.as_ptr(), bytes.slice(5..7));
        drop(bytes);
        let mut next = buffer(2, &[1, 2]);
        assert!(!next.move_to_spare(SIZE - 2), "a part of it is held");
        drop(part);
        assert!(next.move_to_spare(SIZE - 2));
        assert_eq!((next.bytes.as_ptr(), &*next.bytes, next.room()), (at, &[1, 2][..], SIZE - 2));
        // Its message never came whole.
        drop(next);
        let mut again = Buffer::default();
        assert!(again.move_to_spare(SIZE));
        drop(again);
        let deadline = Instant::now() + Duration::from_secs(20);
        while super::spare().watched {
            assert!(Instant::now() < deadline, "it is still kept");
            thread::sleep(KEPT / 10);
        }
        assert!(!Buffer::default().move_to_spare(SIZE));
    }

    #[test]
    fn a_buffer_that_is_mostly_empty_is_not_given_away() {
        let size = 3 * MIB + 1;
        assert_eq!(buffer(size, &[7]).into_bytes(), [7][..]);
        assert!(Buffer::default().move_to_spare(size));
    }
}
