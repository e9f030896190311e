//! A socket that breaks in the middle of what TLS writes.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

/// Takes so many bytes more, and then none.
struct Breaks {
    inner: DuplexStream,
    left: Arc<AtomicUsize>,
}

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Breaks {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.left.store(left - left.min(bytes.len()), Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, &bytes[..left.min(bytes.len())])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The client's writing half, and what its socket takes from now on.
async fn half() -> (WriteHalf<Breaks>, Arc<AtomicUsize>, impl Sized) {
    let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (ours, theirs) = duplex(1 << 20);
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let socket = Counted::new(Breaks { inner: ours, left: left.clone() });
    let connector = TlsConnector::from(Arc::new(client));
    let (client, server) = tokio::join!(
        connector.connect("localhost".try_into().unwrap(), socket),
        TlsAcceptor::from(Arc::new(server)).accept(theirs),
    );
    let (read, write) = split(TlsStream::Client(client.unwrap()), Side::Client);
    (write, left, (read, server.unwrap()))
}

async fn write_once(half: &mut WriteHalf<Breaks>, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *half).poll_write(cx, bytes)).await
}

#[tokio::test]
async fn what_may_be_with_the_peer_counts_as_sent() {
    let (mut half, left, _peer) = half().await;
    left.store(20_000, Ordering::Relaxed);
    assert_eq!(write_once(&mut half, &[7; 50_000]).await.unwrap(), 50_000);
    let kind = half.flush().await.map_err(|error| error.kind());
    assert_eq!(kind, Err(io::ErrorKind::ConnectionReset), "it is told with what comes next");
}

#[tokio::test]
async fn what_did_not_go_out_does_not_count() {
    let (mut half, left, _peer) = half().await;
    assert_eq!(write_once(&mut half, &[7; 100]).await.unwrap(), 100);
    half.flush().await.unwrap();
    left.store(0, Ordering::Relaxed);
    let kind = write_once(&mut half, &[7; 100]).await.map_err(|error| error.kind());
    assert_eq!(kind, Err(io::ErrorKind::ConnectionReset));
}
