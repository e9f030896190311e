//! What a handler may know about the call it handles.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::connector::PeerInfo;
use crate::entity::Peer;
use crate::exchange::Exchange;
use crate::wire::{Kind, METADATA, Metadata};

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
    given_up: GivenUp,
}

/// The call that a handler is run for. Most handlers ask for no context: none is made before one does.
#[derive(Clone, Copy)]
pub struct HandledCall<'a> {
    pub(crate) exchange: &'a Arc<Exchange>,
    /// Who was at the other end of the link that brought it.
    pub(crate) sender: Option<&'a Arc<PeerInfo>>,
    pub(crate) metadata: &'a Metadata,
    pub(crate) deadline: Option<Instant>,
}

impl HandledCall<'_> {
    /// A throw has nobody who would read what its handler gives back.
    pub(crate) fn wants_answer(&self) -> bool {
        self.metadata.kind() != Kind::Throw
    }

    pub(crate) fn context(self) -> Context {
        Context {
            peer: Peer::of_handler(self.exchange.clone(), self.sender.cloned()),
            metadata: self.metadata.clone(),
            deadline: self.deadline,
            given_up: GivenUp::default(),
        }
    }
}

/// Whether anybody waits for a handler that nothing stops. Nothing where there is none.
#[derive(Clone, Debug, Default)]
pub struct GivenUp(pub(crate) Option<Arc<AtomicBool>>);

impl Context {
    /// The same for a handler that may block.
    pub(crate) fn with_given_up(self, given_up: GivenUp) -> Self {
        Self { given_up, ..self }
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

    /// Nobody waits for this handler any more: the caller gave up, its time is over, it is gone; or this side is over, and its process
    /// may wait for the handler to end. For methods with `#[route(blocking)]`, which nothing stops: one that takes long looks now and
    /// then, and returns early, with anything: it is dropped. Other handlers are stopped instead, at what they next wait for; there it is
    /// always false. That of a throw has no caller who could give up.
    ///
    /// ```
    /// use communica::Context;
    ///
    /// #[communica::service]
    /// trait Prices {
    ///     #[route(blocking)]
    ///     fn best(&self, cx: &Context, rounds: u64) -> u64;
    /// }
    ///
    /// struct Desk;
    ///
    /// impl Prices for Desk {
    ///     fn best(&self, cx: &Context, rounds: u64) -> u64 {
    ///         (0..rounds).take_while(|round| round % 1024 != 0 || !cx.is_given_up()).max().unwrap_or_default()
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.given_up.0.as_ref().is_some_and(|given_up| given_up.load(Ordering::Relaxed))
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
