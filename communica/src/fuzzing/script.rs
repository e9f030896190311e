//! Bytes → choices. When the bytes are used up, every choice is the first.

pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// Below `end`, which is at most 256.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(super) fn u32(&mut self) -> u32 {
        let bytes = self.take(4);
        bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Up to so many bytes.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }
}

/// Cuts `bytes` into pieces of these sizes, over and over; 0 counts as 256.
pub(super) fn cut<'a>(bytes: &'a [u8], sizes: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next().filter(|size| *size > 0).map_or(256, usize::from);
        let (piece, left) = rest.split_at(size.min(rest.len()));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}
