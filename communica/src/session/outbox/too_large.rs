//! What waits and is more than the peer takes: its limit in, what was dropped out.

use std::collections::{HashMap, HashSet};

use super::Outbox;
use super::lost::with_answers;
use crate::wire::{FRAME_HEAD, Metadata, Part};

/// A message that was dropped.
pub(in crate::session) struct TooLarge {
    pub(in crate::session) seq: u64,
    /// Bytes of its payload.
    pub(in crate::session) size: usize,
}

impl Outbox {
    /// Drops what was queued before this peer could say that it takes no payload above so many bytes. It would end the
    /// link over it, and each link after that. Answers become errors.
    pub(in crate::session) fn drop_above(&mut self, limit: usize) -> Vec<TooLarge> {
        self.seal();
        self.drop_withdrawn();
        self.split_above(limit);
        let small = self.parts.iter().filter(|part| part.seq.is_some() && part.len() > limit);
        let small = small.filter_map(|part| Some(TooLarge { seq: part.seq?, size: payload_len(part)? }));
        let large = self.large.sizes().map(|(seq, size)| TooLarge { seq, size });
        let dropped: Vec<_> = small.chain(large).filter(|message| message.size > limit).collect();
        let mut small = self.remove_parts(&dropped.iter().map(|message| message.seq).collect());
        for TooLarge { seq, size } in &dropped {
            let metadata = small.remove(seq).or_else(|| self.large.remove(*seq)?.chunks.metadata());
            self.dropped(
                *seq,
                metadata,
                &format!("it has {size} bytes where the peer accepts {limit}"),
                limit,
            );
        }
        dropped
    }

    /// Takes small messages out of the queue. They may be many.
    fn remove_parts(&mut self, numbers: &HashSet<u64>) -> HashMap<u64, Metadata> {
        let mut removed = HashMap::new();
        for part in std::mem::take(&mut self.parts) {
            match part.seq.filter(|seq| numbers.contains(seq)) {
                None => self.parts.push_back(part),
                Some(seq) => removed.extend(self.uncount(seq, &part).map(|metadata| (seq, metadata))),
            }
        }
        removed
    }

    /// Cuts parts in which such a message may be into one for each message.
    fn split_above(&mut self, limit: usize) {
        let is_cut = |part: &Part| part.messages > 1 && part.len() > limit;
        if self.parts.iter().any(is_cut) {
            for part in std::mem::take(&mut self.parts) {
                if is_cut(&part) {
                    self.parts.extend(part.split().map(with_answers));
                } else {
                    self.parts.push_back(part);
                }
            }
        }
    }
}

fn payload_len(part: &Part) -> Option<usize> {
    part.len().checked_sub(FRAME_HEAD + part.metadata()?.as_bytes().len())
}
