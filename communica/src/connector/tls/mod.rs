//! Certificates and keys go in, connections come out that nobody can read, to a peer that proved who it is.

mod counted;
mod halves;
mod pem;
mod sides;
mod words;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::sign::CertifiedKey;

pub use pem::TlsError;
pub(super) use sides::Acceptor;

/// What TLS needs: who this side is, and whom it believes (feature `tls`). For [`TcpConnector::tls`](crate::TcpConnector::tls).
///
/// One value may serve both sides, and servers and clients may share it:
///
/// - a **server** needs an [`identity`](Self::identity), and lets in whoever wants to come;
/// - a **client** needs to [`trust`](Self::trust) the authority that made the server's certificate, or that very
///   certificate, and connects to nobody else;
/// - with [`demand_client_certificates`](Self::demand_client_certificates) (mTLS) the server trusts somebody too, and
///   every client needs an identity.
///
/// ```no_run
/// use communica::{TcpConnector, Tls};
///
/// # fn main() -> Result<(), communica::TlsError> {
/// let desk = Tls::new().identity_files("desk.pem", "desk.key")?;
/// let server_side = TcpConnector::new("0.0.0.0", 16161).tls(desk);
///
/// let till = Tls::new().trust_file("authority.pem")?;
/// let client_side = TcpConnector::new("desk.example.org", 16161).tls(till);
/// # Ok(())
/// # }
/// ```
///
/// With OpenSSL 3, an authority and a certificate that it vouches for are made so (`CA:FALSE` is needed):
///
/// ```sh
/// new="req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365"
/// openssl $new -subj /CN=authority -keyout authority.key -out authority.pem
/// openssl $new -subj /CN=desk -CA authority.pem -CAkey authority.key -addext basicConstraints=critical,CA:FALSE \
///     -addext subjectAltName=DNS:desk.example.org -keyout desk.key -out desk.pem
/// ```
///
/// TLS 1.3 and 1.2 are spoken, with the cryptography of ring; Python's side is `TcpConnector(…, ssl=context)`. The
/// system's authorities are not trusted unless they are given: on Debian they are in
/// `/etc/ssl/certs/ca-certificates.crt`. Certificates are not looked up in lists of revoked ones. Sessions are not
/// resumed: every connection proves anew who is at its ends. Keys show up in no log, error or `Debug`.
#[derive(Clone)]
pub struct Tls {
    identity: Option<Arc<CertifiedKey>>,
    trusted: Arc<RootCertStore>,
    demands: bool,
    server_name: Option<String>,
}

impl Tls {
    /// Nobody, who trusts nobody.
    #[must_use]
    pub fn new() -> Self {
        Self { identity: None, trusted: Arc::new(RootCertStore::empty()), demands: false, server_name: None }
    }

    /// Who this side is: a chain of certificates, its own first, and the key of that one, both in PEM.
    ///
    /// Keys may be RSA (2048 bits or more), ECDSA (P-256, P-384) or Ed25519, as PKCS#8, PKCS#1 or SEC1, and not
    /// encrypted.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn identity(self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        const WHAT: &str = "the text given to `Tls::identity`";
        self.identified(pem::identity((chain.as_ref(), WHAT), (key.as_ref(), WHAT)))
    }

    /// The same from two files, which may be one.
    ///
    /// # Errors
    /// As [`identity`](Self::identity).
    pub fn identity_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (chain_text, chain_name) = pem::file(chain.as_ref())?;
        let (key_text, key_name) = pem::file(key.as_ref())?;
        self.identified(pem::identity((&chain_text, &chain_name), (&key_text, &key_name)))
    }

    fn identified(self, identity: Result<CertifiedKey, TlsError>) -> Result<Self, TlsError> {
        Ok(Self { identity: Some(Arc::new(identity?)), ..self })
    }

    /// Whom this side believes: certificates (PEM) of authorities, or of peers that made their own. They are added to
    /// those given before.
    ///
    /// # Errors
    /// There is no certificate, or one that cannot be read.
    pub fn trust(self, certificates: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        self.trusting((certificates.as_ref(), "the text given to `Tls::trust`"))
    }

    /// The same from a file.
    ///
    /// # Errors
    /// As [`trust`](Self::trust).
    pub fn trust_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (text, name) = pem::file(path.as_ref())?;
        self.trusting((&text, &name))
    }

    fn trusting(mut self, certificates: (&[u8], &str)) -> Result<Self, TlsError> {
        pem::authorities(certificates, Arc::make_mut(&mut self.trusted))?;
        Ok(self)
    }

    /// A server lets in only clients that prove who they are, with a certificate of somebody it [trusts](Self::trust).
    /// Handlers find it in [`PeerInfo`](crate::PeerInfo). Clients do not use this.
    #[must_use]
    pub fn demand_client_certificates(self) -> Self {
        Self { demands: true, ..self }
    }

    /// The name or address that the server's certificate has to be for, and that the server is told (SNI). By default the
    /// connector's host. Servers do not use this.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self { server_name: Some(name.into()), ..self }
    }
}

impl Tls {
    fn chain(&self) -> &[CertificateDer<'static>] {
        self.identity.as_deref().map_or(&[], |identity| &identity.cert)
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

/// The same certificates and settings; a certificate has one key.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.chain() == other.chain()
            && self.trusted.roots == other.trusted.roots
            && self.demands == other.demands
            && self.server_name == other.server_name
    }
}

impl Eq for Tls {}

/// Certificates are only counted, and there is nothing of the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("identity", &self.chain().len())
            .field("trusted", &self.trusted.len())
            .field("demands_client_certificates", &self.demands)
            .field("server_name", &self.server_name)
            .finish()
    }
}
