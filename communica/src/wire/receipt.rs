//! A message from a store → the moment when the store may forget it.

use std::fmt;

/// What comes with a message that a store (a broker's queue) keeps until it is settled.
///
/// It is settled when the message is done with: a throw when its handler has finished, a request when its answer is in
/// the store, an answer when its caller has it. Dropped before that, it says nothing, and the store brings the
/// message again, here or to somebody else.
pub struct Receipt {
    key: Option<String>,
    /// `None`: the store has forgotten the message.
    settle: Option<Box<dyn FnOnce() + Send>>,
    on_arrival: bool,
    is_first: bool,
}

impl Receipt {
    /// `key`: the same for every copy of one message and for no other message of this peer, so that copies are
    /// recognised; `None` where the store cannot tell. `settle`: called at most once, from any thread. It must be quick,
    /// must not block, and must not call back into this library.
    pub fn new(key: Option<String>, settle: impl FnOnce() + Send + 'static) -> Self {
        Self { key, settle: Some(Box::new(settle)), on_arrival: false, is_first: false }
    }

    /// The same of a message that is settled when it was taken in: should this process die, it is lost.
    #[must_use]
    pub fn settled_on_arrival(self) -> Self {
        Self { on_arrival: true, ..self }
    }

    /// Of a message that its store forgot when it was brought, or will not bring again: there is nothing to settle. Copies are
    /// recognised all the same.
    #[must_use]
    pub fn forgotten(key: Option<String>) -> Self {
        Self { key, settle: None, on_arrival: false, is_first: false }
    }

    /// The same of a message that nobody was brought before, as its store knows for sure: should it be refused, its caller is told that it
    /// was not begun, and it is settled before that.
    #[must_use]
    pub fn brought_first(self) -> Self {
        Self { is_first: true, ..self }
    }

    pub(crate) fn is_first(&self) -> bool {
        self.is_first
    }

    /// It was taken in.
    pub(crate) fn arrived(self) -> Self {
        match self.settle {
            Some(settle) if self.on_arrival => {
                settle();
                Self { settle: None, ..self }
            }
            settle => Self { settle, ..self },
        }
    }

    /// The store waits for the message to be settled.
    pub(crate) fn is_awaited(&self) -> bool {
        self.settle.is_some()
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(crate) fn settle(self) {
        if let Some(settle) = self.settle {
            settle();
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("key", &self.key).finish_non_exhaustive()
    }
}
