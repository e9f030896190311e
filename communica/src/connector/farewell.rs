//! Streams that are done with go in; their peers learn why before they are closed.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::LinkError;
use crate::limits::Limits;
use crate::wire::hello;

/// How long a peer may take to hear a farewell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

impl Patience {
    /// A part of the handshake's time, so that the reason gets into the log before that is over.
    pub(super) fn within(limits: &Limits) -> Self {
        Self(Self::default().0.min(limits.handshake_time / 4))
    }
}

/// Ends a stream without destroying what is on the way to the peer: what the peer still sends is read and dropped,
/// since a socket that is closed with bytes unread answers with a reset.
pub(super) async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, patience: Patience) {
    let parting = async {
        if stream.shutdown().await.is_ok() {
            let mut dropped = [0; 1024];
            while matches!(stream.read(&mut dropped).await, Ok(1..)) {}
        }
    };
    // It is over either way.
    let _ = timeout(patience.0, parting).await;
}

/// Refuses a peer in the handshake and tells it why. What comes back is for the log.
pub(super) async fn turn_away(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    kind: io::ErrorKind,
    reason: &str,
    patience: Patience,
) -> LinkError {
    // A peer that does not listen is refused all the same.
    let refusal = hello::encode_refusal(reason);
    if matches!(timeout(patience.0, stream.write_all(&refusal)).await, Ok(Ok(()))) {
        say(stream, patience).await;
    }
    io::Error::new(kind, reason.to_owned()).into()
}
