//! What a lost link gives back: its batch in, the front of the queue out, but for a message that breaks links.

use super::large::Large;
use super::{Outbox, TRIES};
use crate::error::{Fault, FaultKind};
use crate::session::sent::Entry;
use crate::wire::{Batch, Kind, Metadata, Part};

impl Outbox {
    /// Puts back what a link did not take. What it took stays known, if it is to be repeated. Returns the number of a
    /// message that is given up.
    pub(in crate::session) fn link_lost(&mut self, batch: Batch) -> Option<u64> {
        self.seal();
        // A goodbye belongs to the link it was meant for.
        self.parts.retain(|part| part.seq.is_some());
        let is_done = self.large.front().is_some_and(|large| large.chunks.is_done());
        if batch.holds_chunk() && is_done && self.resumes {
            // Its last piece did not go out after all.
            self.sent.take_back(1);
        }
        if !batch.holds_chunk() {
            // Whatever else is left of it, the chunk in it went out.
            let late = std::mem::take(&mut self.withdrawn_late);
            self.filled_was_sent();
            self.withdrawn_late = late;
        }
        let large = self.large.front().filter(|large| !large.chunks.is_whole()).map(|large| large.seq);
        // A peer that resumes has said what it accepts; such a link breaks for other reasons.
        let given_up = self.count_try(large.or(batch.begun()).filter(|_| !self.resumes));
        let late = std::mem::take(&mut self.withdrawn_late);
        self.handed_out = false;
        self.no_more_handed();
        let unsent: Vec<_> = batch.into_unsent().collect();
        if self.resumes {
            self.sent.take_back(unsent.len() as u64);
        }
        let again = unsent.into_iter().filter(|part| part.seq.is_none_or(|seq| !late.contains(&seq)));
        self.put_back(again.map(Entry::Part));
        if let Some(seq) = self.large.restart() {
            self.late_cancels.retain(|(large, _)| *large != seq);
        }
        if let Some(seq) = given_up {
            let why = "links broke while it was sent, so it may be larger than the peer takes";
            self.give_up(seq, &format!("{TRIES} {why}"), usize::MAX);
        }
        given_up
    }

    /// What goes out next, in this order.
    pub(super) fn put_back(&mut self, entries: impl DoubleEndedIterator<Item = Entry>) {
        self.seal();
        for entry in entries.rev() {
            match entry {
                Entry::Part(part) => {
                    let part = with_answers(part);
                    self.queued.add(part.len());
                    self.answers.add_many(part.answers.0, part.answers.1);
                    self.parts.push_front(part);
                }
                Entry::Large(seq, mut chunks) => {
                    chunks.restart();
                    let is_answer = is_answer(chunks.metadata().as_ref());
                    self.large.push_front(Large::new(seq, chunks, is_answer));
                }
            }
        }
    }

    /// Counts the links that broke over one message. `Some` when it is enough.
    pub(super) fn count_try(&mut self, under_way: Option<u64>) -> Option<u64> {
        let seq = under_way?;
        let tries = match self.broke_over {
            Some((same, tries)) if same == seq => tries + 1,
            _ => 1,
        };
        self.broke_over = Some((seq, tries));
        (tries >= TRIES).then_some(seq)
    }

    /// Drops a message; an answer becomes an error that says so, of as many bytes as the peer takes.
    pub(super) fn give_up(&mut self, seq: u64, why: &str, limit: usize) {
        let metadata = match self.large.remove(seq) {
            Some(large) => large.chunks.metadata(),
            None => self.remove_part(seq),
        };
        self.dropped(seq, metadata, why, limit);
    }

    /// A message is out of the queue. See [`give_up`](Self::give_up).
    pub(super) fn dropped(&mut self, seq: u64, metadata: Option<Metadata>, why: &str, limit: usize) {
        self.repeatable.remove(&seq);
        self.late_cancels.retain(|(large, _)| *large != seq);
        let Some(metadata) = metadata else { return };
        match metadata.kind() {
            Kind::Request => {}
            Kind::Throw => tracing::error!(route = metadata.route().as_deref(), "dropped a throw: {why}"),
            _ => {
                let fault = Fault::new(FaultKind::Resp, format!("the answer could not be sent: {why}"), None);
                self.push_answer(&metadata, Kind::Resp, fault.to_bytes_within(limit).into());
            }
        }
    }

    fn remove_part(&mut self, seq: u64) -> Option<Metadata> {
        let at = self.parts.iter().position(|part| part.seq == Some(seq))?;
        let part = self.parts.remove(at)?;
        self.uncount(seq, &part)
    }

    /// A small message is out of the queue, and what it counted: while nothing is queued, nothing else would put that
    /// right.
    pub(super) fn uncount(&mut self, seq: u64, part: &Part) -> Option<Metadata> {
        // What was taken back does not count any more.
        if !self.withdrawn.remove(&seq) {
            self.queued.take(part.len());
        }
        self.answers.take_many(part.answers.0, part.answers.1);
        part.metadata()
    }
}

/// A part of one message that was cut out of another, which knew whether it is an answer.
pub(super) fn with_answers(mut part: Part) -> Part {
    part.answers = if is_answer(part.metadata().as_ref()) { (1, part.len()) } else { (0, 0) };
    part
}

fn is_answer(metadata: Option<&Metadata>) -> bool {
    metadata.is_some_and(|metadata| metadata.kind().is_answer())
}
