//! Settings → rustls's own for each side → connections after TLS's own handshake.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::super::farewell;
use super::Tls;
use super::counted::Counted;
use super::halves::{self, ReadHalf, Stream, WriteHalf};
use super::words::{self, Side};

impl Tls {
    /// What keeps a client that connects to `host` from ever succeeding.
    pub(in crate::connector) fn check_client(&self, host: &str) -> Result<(), String> {
        self.client(host).map(drop).map_err(|error| error.to_string())
    }

    fn client(&self, host: &str) -> io::Result<(ServerName<'static>, TlsConnector)> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server = ServerName::try_from(name.to_owned()).map_err(|_| {
            invalid(format!(
                "{name:?} is neither a host name nor an address, so no certificate can be for it: \
                 set the name of the server's with `Tls::server_name`"
            ))
        })?;
        if self.trusted.is_empty() {
            return Err(invalid(
                "this client trusts nobody, so it can accept no server: \
                 give the certificate of the server's authority to `Tls::trust`",
            ));
        }
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(invalid)?;
        let builder = builder.with_root_certificates(self.trusted.clone());
        let mut config = match &self.identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.clone())))
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok((server, Arc::new(config).into()))
    }

    /// The server's side of these settings.
    pub(in crate::connector) fn acceptor(&self) -> io::Result<Acceptor> {
        let identity = self.identity.clone().ok_or_else(|| {
            invalid("a server with TLS needs a certificate and its key: give them to `Tls::identity`")
        })?;
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(invalid)?;
        let builder = if self.demands {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(self.trusted.clone(), provider()).build();
            let verifier = verifier.map_err(|_| {
                invalid(
                    "this server demands certificates of its clients and trusts nobody, so it can accept none: \
                     give the certificate of the clients' authority to `Tls::trust`",
                )
            })?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Acceptor(Arc::new(config).into()))
    }

    /// Proves to the server who this is, and makes it do the same.
    pub(in crate::connector) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
        patience: farewell::Patience,
    ) -> io::Result<Opened> {
        let (name, connector) = self.client(host)?;
        match connector.connect(name, Counted::new(stream)).into_fallible().await {
            Ok(stream) => Ok(Opened::new(TlsStream::Client(stream), Side::Client)),
            Err((error, stream)) => {
                farewell::say(stream, patience).await;
                Err(words::of_handshake(Side::Client, error))
            }
        }
    }
}

/// The server's side of TLS: takes connections in.
#[derive(Clone)]
pub(in crate::connector) struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Proves to the client who this is, and makes it do the same if that was demanded.
    pub(in crate::connector) async fn accept(
        &self,
        stream: TcpStream,
        patience: farewell::Patience,
    ) -> io::Result<Opened> {
        match self.0.accept(Counted::new(stream)).into_fallible().await {
            Ok(stream) => Ok(Opened::new(TlsStream::Server(stream), Side::Server)),
            Err((error, stream)) => {
                // A reset would destroy the alert that tells the client why.
                farewell::say(stream, patience).await;
                Err(words::of_handshake(Side::Server, error))
            }
        }
    }
}

/// A connection after TLS's own handshake.
pub(in crate::connector) struct Opened {
    pub(in crate::connector) read: ReadHalf,
    pub(in crate::connector) write: WriteHalf,
    /// Of the peer, its own first.
    pub(in crate::connector) certificates: Arc<[Bytes]>,
}

impl Opened {
    fn new(stream: Stream<TcpStream>, side: Side) -> Self {
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificates = certificates.iter().map(|der| Bytes::copy_from_slice(der)).collect();
        let (read, write) = halves::split(stream, side);
        Self { read, write, certificates }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
