//! Why a connection is refused, or a link ends, where the other side has to know what it means: the words that are sent.

/// What a server says to a connection whose client id came again; the client does not come back then, or the two
/// would push each other out for ever.
pub(crate) const REPLACED: &str = "another connection with the same client id took over";

/// What a server says to a connection that waited for its turn when a newer one with its client id came, which may be
/// this client's own, as with a broker's work: so it tries again, and learns then if its place was taken.
pub(crate) const SUPERSEDED: &str = "a newer connection with the same client id came first";

/// What a server says to newcomers while it stops. Another one may take its place.
pub(crate) const STOPPING: &str = "the server is stopping";

/// Why a link ends whose peer is served by another process now.
pub(crate) const MOVED: &str = "the client is served by another server now";

/// Why a link ends whose queues another session of this server reads now: a process of the Python library has an id of its own,
/// and its successor another.
pub(crate) const SUCCEEDED: &str = "another process of the client has its queues now";

/// Whether what the store has for the peer is somebody else's after a link that ended for this reason.
pub(crate) fn is_elsewhere(reason: Option<&str>) -> bool {
    matches!(reason, Some(MOVED | SUCCEEDED))
}
