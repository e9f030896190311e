//! What a road knows of who is at the other end, for logs, handlers and whoever decides who may come in.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// What a connector knows of who is at the other end of a link, without asking them.
///
/// Handlers find that of the link that brought their message with `cx.peer().info()`.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Where they are, for logs.
    pub address: String,
    /// Their process, on local sockets where the system tells.
    pub pid: Option<u32>,
    /// Their user, on Unix sockets.
    pub uid: Option<u32>,
    /// Their main group, on Unix sockets.
    pub gid: Option<u32>,
    /// The certificates (DER) by which they proved who they are over TLS, their own first; empty if they did not.
    pub certificates: Arc<[Bytes]>,
}

#[cfg(feature = "tls")]
impl PeerInfo {
    /// The SHA-256 fingerprint of their own certificate, as 64 hex digits in lower case; `None` without a certificate.
    ///
    /// It is what `openssl x509 -noout -fingerprint -sha256` prints, without the colons.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.certificates.first()?);
        Some(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The names their own certificate is made out to: its DNS names and URIs, as they stand there. A wildcard stays one.
    ///
    /// An authority that this side trusts vouched for them, so an id can be bound to them. They outlive the certificate:
    /// its successor has the same.
    #[must_use]
    pub fn certificate_names(&self) -> Vec<String> {
        let Some(own) = self.certificates.first() else { return Vec::new() };
        let own = tokio_rustls::rustls::pki_types::CertificateDer::from(own.as_ref());
        let Ok(own) = webpki::EndEntityCert::try_from(&own) else { return Vec::new() };
        own.valid_dns_names().chain(own.valid_uri_names()).map(str::to_owned).collect()
    }
}

impl<A: Into<String>> From<A> for PeerInfo {
    fn from(address: A) -> Self {
        Self { address: address.into(), ..Self::default() }
    }
}

/// Certificates are only counted.
impl fmt::Debug for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerInfo")
            .field("address", &self.address)
            .field("pid", &self.pid)
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .field("certificates", &self.certificates.len())
            .finish()
    }
}
