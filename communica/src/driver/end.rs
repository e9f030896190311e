//! How a link ended → what it means for messages, and in words.

use std::io::ErrorKind;

use crate::connector::{LinkError, REPLACED};
use crate::session::Lost;

/// How a link ended.
#[derive(Debug)]
pub(crate) enum LinkEnd {
    /// This side ended it, with everything said.
    Here,
    /// The peer ended it on purpose.
    Peer(Option<String>),
    /// It broke, or the peer spoke nonsense.
    Broken(LinkError),
}

impl LinkEnd {
    /// The other side was gone all of a sudden, as it happens when a process ends.
    pub(crate) fn is_cut(&self) -> bool {
        use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let Self::Broken(LinkError::Io(error)) = self else { return false };
        matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
    }

    /// What it means for messages. `for_good`: it was not to make room for another link of the same peer.
    pub(super) fn lost(&self, for_good: bool) -> Lost {
        match self {
            Self::Here if !for_good => Lost::Cut,
            Self::Peer(Some(reason)) if reason == REPLACED => Lost::Replaced,
            Self::Here | Self::Peer(_) => Lost::Over,
            Self::Broken(LinkError::Io(error)) => match error.kind() {
                // Something that was sent is not accepted.
                ErrorKind::InvalidInput => Lost::Refused,
                _ => Lost::Cut,
            },
            Self::Broken(_) => Lost::Over,
        }
    }

    pub(super) fn why(&self) -> String {
        match self {
            Self::Here => "it was closed here".to_owned(),
            Self::Peer(Some(reason)) => format!("the peer closed it: {reason}"),
            Self::Peer(None) => "the peer closed it".to_owned(),
            Self::Broken(error) => error.to_string(),
        }
    }
}
