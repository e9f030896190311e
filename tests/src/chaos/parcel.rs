//! A seed and a number → one message, what its handler does, and what the answer must be. Both sides work it out.

use serde::{Deserialize, Serialize};

use super::plan::CHUNK;

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The client.
    Up,
    /// The server.
    Down,
}

/// One message as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parcel {
    pub(super) lane: u32,
    pub(super) number: u32,
    /// What it was made of; whoever has the seed knows it.
    luck: u64,
    text: String,
}

/// What comes back for a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    sum: u64,
    text: String,
}

impl Parcel {
    pub(super) fn new(seed: u64, sender: Direction, lane: u32, number: u32) -> Self {
        let place = u64::from(lane) << 33 | u64::from(number) << 1 | u64::from(sender == Direction::Up);
        let luck = mix(seed ^ mix(place));
        Self { lane, number, luck, text: text(luck) }
    }

    /// It asks for an answer.
    pub(super) fn is_request(&self) -> bool {
        self.luck & 1 == 1
    }

    /// It stands in one piece on every road, and so keeps its place.
    pub(super) fn is_small(&self) -> bool {
        self.text.len() < CHUNK / 2
    }

    /// Milliseconds for which its handler waits.
    pub(super) fn pause(&self) -> Option<u64> {
        (self.luck >> 8 & 31 == 0).then_some(self.luck >> 16 & 3)
    }

    /// Its sender waits so many microseconds for the answer, and gives it up then. It need not come.
    pub(super) fn patience(&self) -> Option<u64> {
        (self.is_request() && self.luck >> 12 & 15 == 0).then_some(self.luck >> 18 & 4095)
    }

    /// Its handler asks the sender something before it answers.
    pub(super) fn asks_back(&self) -> bool {
        self.is_request() && self.luck >> 24 & 15 == 0
    }

    pub(super) fn receipt(&self) -> Receipt {
        let answer = mix(self.luck);
        let sum = self.text.bytes().fold(answer, |sum, byte| sum.rotate_left(5) ^ u64::from(byte));
        Receipt { sum, text: text(answer) }
    }

    /// About what it and its answer take on the wire.
    pub(super) fn wire_len(&self) -> u64 {
        let answer = if self.is_request() { 120 + text_len(mix(self.luck)) } else { 0 };
        120 + (self.text.len() + answer) as u64
    }
}

/// Short most of the time, and above the chunk size now and then.
fn text(luck: u64) -> String {
    let len = text_len(luck);
    let mut text = format!("{luck:016x}").repeat(len / 16 + 1);
    text.truncate(len);
    text
}

fn text_len(luck: u64) -> usize {
    let chance = luck >> 32;
    if chance & 127 == 0 {
        CHUNK + (chance >> 7) as usize % (6 * CHUNK)
    } else {
        (chance >> 7) as usize % 100
    }
}

/// Scatters numbers that are close to each other (the mixer of splitmix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
