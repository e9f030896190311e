//! PEM text → certificates and keys, or one sentence about what is wrong with it.

use std::fs;
use std::path::Path;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};

/// Why certificates or a key cannot be used: what is wrong, where, and what to do. It shows nothing of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// Text and where it comes from, in words.
type Source<'a> = (&'a [u8], &'a str);

/// A file's text and its name for errors.
pub(super) fn file(path: &Path) -> Result<(Vec<u8>, String), TlsError> {
    let name = path.display().to_string();
    match fs::read(path) {
        Ok(text) => Ok((text, name)),
        Err(error) => Err(TlsError(format!("{name} cannot be read: {error}"))),
    }
}

/// A chain and the key of its first certificate, if they belong together.
pub(super) fn identity(chain: Source<'_>, key: Source<'_>) -> Result<CertifiedKey, TlsError> {
    let certificates = certificates(chain)?;
    let (key_text, key_name) = key;
    let key = match PrivateKeyDer::from_pem_slice(key_text) {
        Ok(key) => key,
        Err(_) => return Err(no_key(key_text, key_name)),
    };
    CertifiedKey::from_der(certificates, key, &ring::default_provider()).map_err(|error| {
        TlsError(match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                "the key in {key_name} does not fit the first certificate in {}: \
                 that must be this side's own, with those of its authorities behind it",
                chain.1
            ),
            Error::InvalidCertificate(_) => {
                format!("the first certificate in {} is damaged: make it anew", chain.1)
            }
            _ => format!(
                "the key in {key_name} cannot be used: it has to be RSA with 2048 bits or more, \
                 ECDSA on P-256 or P-384, or Ed25519"
            ),
        })
    })
}

/// What the parser says of a key is not passed on: it may quote it.
fn no_key(text: &[u8], name: &str) -> TlsError {
    let has = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
    TlsError(if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        format!(
            "the key in {name} is encrypted: decrypt it with `openssl pkey`, and keep the file to yourself"
        )
    } else if has("PRIVATE KEY-----") {
        format!("the key in {name} is damaged: its PEM cannot be read")
    } else {
        format!("there is no key in {name}: it needs a `-----BEGIN PRIVATE KEY-----` in PEM")
    })
}

/// Adds certificates to those that are trusted.
pub(super) fn authorities(source: Source<'_>, trusted: &mut RootCertStore) -> Result<(), TlsError> {
    for (index, certificate) in certificates(source)?.into_iter().enumerate() {
        trusted.add(certificate).map_err(|_| {
            TlsError(format!("certificate {} in {} is damaged: make it anew", index + 1, source.1))
        })?;
    }
    Ok(())
}

/// At least one.
fn certificates((text, name): Source<'_>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsError(format!(
            "there is no certificate in {name}: it needs a `-----BEGIN CERTIFICATE-----` in PEM"
        ))),
        Err(_) => Err(TlsError(format!("a certificate in {name} is damaged: its PEM cannot be read"))),
    }
}
