//! What was sent, perhaps for nothing: what came to the peer in, what has to be sent again out.

use std::collections::HashSet;

use super::{CancelBehind, Outbox, TRIES};
use crate::session::sent::Entry;
use crate::wire::Chunks;

impl Outbox {
    /// The peer that has so many messages is there again: it gets the others now. False if they are not known any more.
    pub(in crate::session) fn resume(&mut self, came: u64) -> bool {
        if !self.sent.came(came) {
            return false;
        }
        let mut cancels = std::mem::take(&mut self.cancels_behind);
        cancels.retain(|cancel| self.sent.holds_large(cancel.request));
        let mut rest = self.sent.take_rest();
        // What small messages say must not overtake what it is about.
        for CancelBehind { seq, bytes, request, id } in cancels {
            let before = rest.len();
            rest.retain(|entry| !matches!(entry, Entry::Part(part) if part.seq == Some(seq)));
            if rest.len() == before {
                self.withdraw(seq, bytes);
            }
            self.late_cancels.push((request, id));
        }
        self.put_back(rest.into_iter());
        true
    }

    /// What was sent is not kept any more, but for what may be repeated: that is queued again.
    pub(in crate::session) fn start_over(&mut self, came: u64) {
        self.sent.restart(came);
        if !self.repeatable.is_empty() {
            let unsent = self.unsent();
            let again: Vec<u64> =
                self.repeatable.keys().copied().filter(|seq| !unsent.contains(seq)).collect();
            let mut entries = Vec::new();
            for seq in again {
                let tries = self.repeated.entry(seq).or_default();
                *tries += 1;
                if *tries >= TRIES {
                    // It may be what ends the links, after it was sent whole.
                    self.repeatable.remove(&seq);
                    self.repeated.remove(&seq);
                } else {
                    entries.extend(self.repeatable.get(&seq).cloned());
                }
            }
            self.put_back(entries.into_iter());
        }
    }

    /// So many messages came to the peer. False if that cannot be.
    pub(in crate::session) fn came(&mut self, count: u64) -> bool {
        self.sent.came(count)
    }

    /// Large messages that the peer has, to be dropped.
    pub(in crate::session) fn take_done(&mut self) -> Vec<Chunks> {
        self.sent.take_done()
    }

    /// So many messages came to the peer.
    pub(in crate::session) fn came_so_far(&self) -> u64 {
        self.sent.came_so_far()
    }

    /// Some of what was sent is to be repeated, should the link be lost.
    pub(in crate::session) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// An earlier link took this request whole.
    pub(in crate::session) fn was_repeated(&self, seq: u64) -> bool {
        self.repeated.contains_key(&seq)
    }

    /// The request may be repeated, or waits to be sent for the first time.
    pub(in crate::session) fn is_repeatable(&self, seq: u64) -> bool {
        self.repeatable.contains_key(&seq)
    }

    /// The request with this number is not to be repeated any more.
    pub(in crate::session) fn never_repeat(&mut self, seq: u64) {
        if !(self.repeatable.is_empty() && self.repeated.is_empty()) {
            self.repeatable.remove(&seq);
            self.repeated.remove(&seq);
        }
    }

    /// Numbers of what never left: no link, nor an earlier one, took it whole.
    pub(in crate::session) fn never_sent(&self) -> HashSet<u64> {
        let mut unsent = self.unsent();
        unsent.retain(|seq| !self.repeated.contains_key(seq));
        unsent
    }

    /// Numbers of what waits to be sent.
    fn unsent(&self) -> HashSet<u64> {
        let mut unsent: HashSet<u64> = self.large.unsent().collect();
        unsent.extend(self.tail_seq..self.tail_seq + self.tail_messages);
        for part in &self.parts {
            unsent.extend(part.clone().split().filter_map(|message| message.seq));
        }
        unsent
    }
}
