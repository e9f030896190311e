//! A client that wants to come in → let in, or refused with a reason.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use subtle::ConstantTimeEq;

use crate::connector::PeerInfo;
use crate::panics::caught;
use crate::wire::hello::Token;

/// A client that knocks, as far as it is known before it is let in. See
/// [`RouteServer::authorize`](crate::RouteServer::authorize).
pub struct Applicant<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) token: Option<&'a Token>,
    pub(crate) peer: &'a PeerInfo,
    pub(crate) hello: &'a Bytes,
}

impl Applicant<'_> {
    /// The id that it wants to be known by. Whoever is let in with it gets what waits for this id, so compare it with
    /// what is certain: the user, or the certificate. Of two clients of Python's library it also gets the answers to what the
    /// earlier one asked, since they may be the same one.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.client_id
    }

    /// What the connector knows of who it is: address, process and user, certificate.
    #[must_use]
    pub fn peer(&self) -> &PeerInfo {
        self.peer
    }

    /// It showed this token. Takes the same time wherever a wrong one differs. Clients of Python's library have none.
    #[must_use]
    pub fn has_token(&self, token: &str) -> bool {
        self.token.is_some_and(|shown| bool::from(shown.0.as_bytes().ct_eq(token.as_bytes())))
    }

    /// The JSON object with which it introduced itself. It holds the token.
    #[must_use]
    pub fn hello(&self) -> &Bytes {
        self.hello
    }
}

impl fmt::Debug for Applicant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, token, peer, hello: _ } = self;
        f.debug_struct("Applicant")
            .field("client_id", client_id)
            .field("has_token", &token.is_some())
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

type Check = dyn Fn(&Applicant<'_>) -> Result<(), String> + Send + Sync;

/// Who may come in. Everybody, if nobody said otherwise.
#[derive(Clone, Default)]
pub(crate) struct Authorize(Option<Arc<Check>>);

impl Authorize {
    pub(crate) fn new(check: impl Fn(&Applicant<'_>) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(check)))
    }

    pub(crate) fn check(&self, applicant: &Applicant<'_>) -> Result<(), String> {
        let Some(check) = &self.0 else { return Ok(()) };
        caught(|| check(applicant)).unwrap_or_else(|| {
            tracing::error!(?applicant, "the authorize hook panicked, so the client was refused");
            Err("the server could not check who this is".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_only_as_a_whole() {
        let token = Token("secret".to_owned());
        let (peer, hello) = (PeerInfo::default(), Bytes::new());
        let with = |token| Applicant { client_id: "c", token, peer: &peer, hello: &hello };
        assert!(with(Some(&token)).has_token("secret"));
        for wrong in ["", "secre", "secrets", "Secret"] {
            assert!(!with(Some(&token)).has_token(wrong), "{wrong:?}");
        }
        assert!(!with(None).has_token("") && !with(None).has_token("secret"));
        assert!(!format!("{:?}", with(Some(&token))).contains("secret"));
    }
}
