//! Why there is no TLS connection to an endpoint; a closed set, for counting.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginFault {
    /// The endpoint closed, or the connection broke.
    Closed,
    /// No authority that is trusted signed its certificate.
    Untrusted,
    /// The certificate is for other names.
    Name,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// It wants another certificate of us, or any.
    ClientCertificate,
    /// No version of TLS, cipher suite or group in common.
    Version,
    /// It does not speak HTTP/2, which is asked for.
    Protocol,
    /// It refused for another reason.
    Alert,
    /// What it sent is no TLS.
    Garbage,
    /// The settings are not in force any more.
    NoPolicy,
}

/// A handshake with an endpoint that failed.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake failed: {source}")]
pub struct OriginError {
    /// Its kind.
    pub fault: OriginFault,
    /// What the library says.
    pub source: io::Error,
}

impl From<io::Error> for OriginError {
    fn from(source: io::Error) -> Self {
        let cause = source.get_ref().and_then(|inner| inner.downcast_ref());
        Self {
            fault: cause.map_or(OriginFault::Closed, fault),
            source,
        }
    }
}

fn fault(error: &Error) -> OriginFault {
    match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => OriginFault::Name,
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => OriginFault::Expired,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => OriginFault::Untrusted,
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked,
        ) => OriginFault::ClientCertificate,
        Error::NoApplicationProtocol
        | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => OriginFault::Protocol,
        Error::PeerIncompatible(_)
        | Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        ) => OriginFault::Version,
        Error::AlertReceived(_) => OriginFault::Alert,
        _ => OriginFault::Garbage,
    }
}
