//! What a handler may know about the call it handles.

use std::borrow::Cow;

use crate::entity::Peer;
use crate::wire::Metadata;

/// Who calls, and how: the first argument of a handler that asks for it.
#[derive(Clone, Debug)]
pub struct Context {
    peer: Peer,
    metadata: Metadata,
}

impl Context {
    pub(crate) fn new(peer: Peer, metadata: Metadata) -> Self {
        Self { peer, metadata }
    }

    /// The caller, to call back.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Id of the client at the other end; on the client's side, its own.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.peer.client_id()
    }

    /// The route the message was sent to; `None` in Simple entities.
    #[must_use]
    pub fn route(&self) -> Option<Cow<'_, str>> {
        self.metadata.route()
    }

    /// All that was sent beside the payload.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
