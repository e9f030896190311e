//! The bytes of one value, in memory that is used again.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// Larger buffers are given back to the allocator.
const KEEP_BYTES: usize = 64 * 1024;
/// Buffers kept per thread: as many as there are answers made before they are queued (`AT_ONCE` in `session/jobs.rs`).
const KEEP_BUFFERS: usize = 32;
/// A new buffer has room for a small message, which would else make it grow again and again.
const FIRST_ROOM: usize = 128;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// One value in the format of a serializer.
pub struct Payload(Repr);

enum Repr {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Payload {
    /// An empty buffer to dump into; make a payload of it with `into()`. Its memory comes from a payload of this
    /// thread that is no longer needed, if there is one.
    #[must_use]
    pub fn buffer() -> Vec<u8> {
        // `try_with`: a value may be dumped while its thread ends.
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        spare.unwrap_or_else(|| Vec::with_capacity(FIRST_ROOM))
    }

    /// The bytes, shared from now on. Nothing is copied.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        match std::mem::replace(&mut self.0, Repr::Shared(Bytes::new())) {
            Repr::Owned(bytes) => bytes.into(),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::Owned(bytes))
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Shared(bytes))
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Owned(bytes) => bytes,
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let Repr::Owned(bytes) = &mut self.0 else { return };
        if bytes.capacity() == 0 || bytes.capacity() > KEEP_BYTES {
            return;
        }
        let mut bytes = std::mem::take(bytes);
        bytes.clear();
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < KEEP_BUFFERS {
                spare.push(bytes);
            }
        });
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}
