//! What was published → how much of it the broker has.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use super::line::Posting;

#[derive(Default)]
pub(super) struct Unconfirmed {
    /// What was not confirmed, in the order of publishing; and how many of the session's messages are in it.
    waiting: VecDeque<(Posting, u64)>,
    confirmed: u64,
}

impl Unconfirmed {
    pub(super) fn push(&mut self, posting: Posting, messages: u64) {
        self.waiting.push_back((posting, messages));
    }

    /// Everything was confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// So many messages the broker has.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Takes in what was confirmed. True if nothing is left to be.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut confirmed = 0;
        let looked = loop {
            let Some((posting, messages)) = self.waiting.front_mut() else { break Ok(true) };
            let Poll::Ready(done) = posting.as_mut().poll(cx) else { break Ok(false) };
            if let Err(error) = done {
                // It is told with the next look, if something else is to be told first.
                *posting = Box::pin(std::future::ready(Err(io::Error::new(error.kind(), error.to_string()))));
                break Err(error);
            }
            confirmed += *messages;
            self.waiting.pop_front();
        };
        // Of those that the broker confirmed with one word lapin may take any for the one that no queue took. So of these none is
        // known to be there; the next link brings those again that are.
        if !looked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.confirmed += confirmed;
        }
        looked
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::Waker;

    use super::*;

    fn unconfirmed(ends: impl IntoIterator<Item = Option<Result<(), io::ErrorKind>>>) -> Unconfirmed {
        let mut some = Unconfirmed::default();
        for end in ends {
            let posting: Posting = match end {
                Some(end) => Box::pin(ready(end.map_err(io::Error::from))),
                None => Box::pin(pending()),
            };
            some.push(posting, 2);
        }
        some
    }

    fn look(some: &mut Unconfirmed) -> (Result<bool, io::ErrorKind>, u64) {
        let looked = some.look(&mut Context::from_waker(Waker::noop()));
        (looked.map_err(|error| error.kind()), some.confirmed())
    }

    #[test]
    fn what_is_confirmed_counts_up_to_the_first_that_is_not() {
        let mut some = unconfirmed([Some(Ok(())), Some(Ok(())), None, Some(Ok(()))]);
        assert_eq!(look(&mut some), (Ok(false), 4));
        assert!(!some.is_empty());
        let mut all = unconfirmed([Some(Ok(())), Some(Ok(()))]);
        assert_eq!(look(&mut all), (Ok(true), 4));
        assert!(all.is_empty());
    }

    #[test]
    fn what_was_confirmed_before_a_refusal_counts_and_the_refusal_is_told_again() {
        let refused = io::ErrorKind::InvalidInput;
        let mut some = unconfirmed([Some(Ok(())), Some(Err(refused)), Some(Ok(()))]);
        for _ in 0..2 {
            assert_eq!(look(&mut some), (Err(refused), 2));
        }
    }

    /// Any of them may be the one.
    #[test]
    fn nothing_counts_that_was_confirmed_together_with_what_no_queue_took() {
        let lost = io::ErrorKind::NotFound;
        let mut some = unconfirmed([Some(Ok(())), Some(Ok(())), Some(Err(lost)), Some(Ok(()))]);
        for _ in 0..2 {
            assert_eq!(look(&mut some), (Err(lost), 0));
        }
    }
}
