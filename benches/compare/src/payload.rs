//! Bytes without a format, for those who can carry them: a few blocks that differ, so that an answer tells which one
//! it is an echo of. Of the huge ones there is one, not to fill the memory.

use bytes::Bytes;

/// Bytes of a record of ours in JSON.
pub const SMALL: usize = 90;
pub const LARGE: usize = 1 << 20;
/// What passes while small calls are made.
pub const HUGE: usize = 64 << 20;

const BLOCKS: u64 = 4;
/// So many bytes are compared: few, since small calls may wait for it where both share a thread.
const LOOKS: usize = 251;

#[derive(Clone)]
pub struct Payloads {
    blocks: Vec<Bytes>,
}

impl Payloads {
    pub fn of(size: usize) -> Self {
        let blocks = if size < HUGE { BLOCKS } else { 1 };
        let block = |first: u64| (0..size as u64).map(|at| (first + at % 251) as u8).collect();
        Self { blocks: (0..blocks).map(block).collect() }
    }

    /// What goes out with a call.
    pub fn get(&self, number: u64) -> &Bytes {
        &self.blocks[number as usize % self.blocks.len()]
    }

    /// An echo has the right length, and the right bytes wherever it is looked at.
    pub fn check(&self, number: u64, answer: &[u8]) {
        let sent = self.get(number);
        assert_eq!(answer.len(), sent.len());
        // Not a multiple of what repeats in a block.
        let stride = (answer.len() / LOOKS) | 1;
        assert!(answer.iter().step_by(stride).eq(sent.iter().step_by(stride)), "other bytes came back");
        assert_eq!(answer.last(), sent.last());
    }
}
