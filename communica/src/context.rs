//! What a handler may know about the call it handles.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::entity::Peer;
use crate::wire::{METADATA, Metadata};

/// Who calls, and how: the first argument of a handler that asks for it.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use communica::{Context, RouteTable};
///
/// let routes = RouteTable::new().route("greet", |cx: Context, name: String| async move {
///     let tenant: Option<String> = cx.value("tenant");
///     format!("Hello {name}, you are {} of {tenant:?}", cx.client_id())
/// });
/// # drop(routes);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    peer: Peer,
    metadata: Metadata,
    deadline: Option<Instant>,
}

impl Context {
    pub(crate) fn new(peer: Peer, metadata: Metadata, deadline: Option<Instant>) -> Self {
        Self { peer, metadata, deadline }
    }

    /// A copy that a handler may keep for long: it holds no buffer of the link.
    pub(crate) fn detached(self) -> Self {
        Self { metadata: self.metadata.detached(), ..self }
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

    /// When the caller stops waiting, as it said when it sent the call: on this side's clock, from when the message was
    /// read. `None` if it waits without a limit. The handler of a request is stopped then; that of a throw runs on.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A value that the caller sent along under this key, if there is one and it is a `T`. See
    /// [`CallOptions::metadata`](crate::CallOptions::metadata).
    #[must_use]
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let mut values: BTreeMap<String, Box<RawValue>> = self.metadata.member(METADATA)?;
        serde_json::from_str(values.remove(key)?.get()).ok()
    }

    /// All that was sent beside the payload.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
