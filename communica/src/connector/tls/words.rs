//! What TLS says went wrong → one sentence that says it to a human, and what to do.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    fn us(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    fn them(self) -> &'static str {
        match self {
            Self::Client => "server",
            Self::Server => "client",
        }
    }
}

/// An error of a handshake that did not come to its end.
pub(super) fn of_handshake(side: Side, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            let advice = match side {
                Side::Client => "does it speak TLS there?",
                Side::Server => "it may not accept this server's certificate",
            };
            let what = format!("the {} hung up during the TLS handshake: {advice}", side.them());
            io::Error::new(error.kind(), what)
        }
        _ => of_stream(side, error),
    }
}

/// An error of reading or writing.
pub(super) fn of_stream(side: Side, error: io::Error) -> io::Error {
    let kind = error.kind();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => io::Error::new(kind, sentence(side, inner)),
        None if kind == io::ErrorKind::UnexpectedEof => {
            io::Error::new(kind, "the connection was cut: it ended without the goodbye of TLS")
        }
        None => error,
    }
}

fn sentence(side: Side, error: &Error) -> String {
    let (us, them) = (side.us(), side.them());
    match error {
        Error::InvalidCertificate(error) => wrong_certificate(side, error),
        Error::NoCertificatesPresented => {
            "the client has no certificate, and this server demands one: the client needs a `Tls::identity`"
                .to_owned()
        }
        Error::AlertReceived(alert) => alerted(side, *alert),
        Error::InvalidMessage(_) if side == Side::Client => {
            "the server does not speak TLS on this port: take another port, or connect without `TcpConnector::tls`"
                .to_owned()
        }
        Error::PeerIncompatible(why) => {
            format!("this {us} and the {them} have no way of TLS in common, 1.3 or 1.2: {why:?}")
        }
        other => format!("TLS broke off: {other}"),
    }
}

/// What this side holds against the other's certificate.
fn wrong_certificate(side: Side, error: &CertificateError) -> String {
    let them = side.them();
    match error {
        CertificateError::UnknownIssuer => format!(
            "nobody whom this {} trusts vouches for the {them}'s certificate: \
             give the certificate of its authority to `Tls::trust`",
            side.us()
        ),
        CertificateError::BadSignature => format!(
            "the {them}'s certificate was not signed by the authority of that name whom this {} trusts: \
             was the authority made anew, or is the certificate forged?",
            side.us()
        ),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the {them}'s certificate expired {} ago: it needs a new one, or a clock is wrong",
            between(*not_after, *time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the {them}'s certificate is not valid yet, but in {}: is a clock wrong?",
            between(*time, *not_before)
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            if names.is_empty() {
                return format!("the {them}'s certificate names no host: make one with a subjectAltName");
            }
            format!(
                "the {them}'s certificate is for {} and not for {}: \
                 connect to a name it is for, or set that name with `Tls::server_name`",
                names.join(", "),
                expected.to_str()
            )
        }
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => format!(
            "the {them}'s certificate is not made for a {them}: \
             it needs the extended key usage {them}Auth, or none"
        ),
        CertificateError::Other(other) if is_an_authority(other.0.as_ref()) => format!(
            "the {them}'s certificate is that of an authority, which may not be a {them}'s own: \
             it needs one with basicConstraints CA:FALSE (openssl makes CA:TRUE unless told)"
        ),
        other => format!("the {them}'s certificate is not accepted: {other}"),
    }
}

/// rustls writes `DnsName("desk")` and `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn is_an_authority(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// What the other side holds against this one, mostly against its certificate.
fn alerted(side: Side, alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let (us, them) = (side.us(), side.them());
    let why = match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            return format!("the {them} demands a certificate of this {us}: give one to `Tls::identity`");
        }
        Alert::UnknownCA => {
            "it trusts nobody who vouches for it, and has to be given its authority".to_owned()
        }
        Alert::CertificateExpired => "it says that its time is over or yet to come".to_owned(),
        Alert::CertificateRevoked => "it says that it was revoked".to_owned(),
        Alert::DecryptError => "it says that its authority did not sign it".to_owned(),
        Alert::BadCertificate | Alert::CertificateUnknown if side == Side::Server => {
            format!("it may be for another name than the one it connected to ({alert:?})")
        }
        Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::UnsupportedCertificate
        | Alert::AccessDenied => format!("it says {alert:?}"),
        Alert::ProtocolVersion => {
            return format!("this {us} and the {them} have no version of TLS in common, 1.3 or 1.2");
        }
        other => return format!("the {them} broke TLS off: it says {other:?}"),
    };
    format!("the {them} does not accept this {us}'s certificate: {why}")
}

/// A time in the largest unit that fits, such as `3 days`.
fn between(earlier: UnixTime, later: UnixTime) -> String {
    let time = Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs()));
    let (count, unit) = match time.as_secs() {
        seconds if seconds >= 2 * 86_400 => (seconds / 86_400, "days"),
        seconds if seconds >= 2 * 3600 => (seconds / 3600, "hours"),
        seconds => (seconds, "seconds"),
    };
    format!("{count} {unit}")
}
