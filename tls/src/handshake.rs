//! One handshake: read what the client asks for, choose settings by the host it names, go through
//! with it. Its deadline is the caller's.

use std::io;

use rustls::{AlertDescription, Error, HandshakeKind, PeerIncompatible};
use rustls::{ProtocolVersion, server::Acceptor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;

use crate::identity::ClientIdentity;
use crate::session::Session;
use crate::store::{HTTP2, Store};

/// Why there is no TLS connection; a closed set, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client left, or the connection broke.
    Closed,
    /// No certificate is there for the host it names, or for none, and no default.
    NoCertificate,
    /// The host is not served under the settings it had a moment ago.
    NoPolicy,
    /// No version of TLS in common.
    Version,
    /// Nothing else in common: cipher suite, group, signature, protocol inside.
    Parameters,
    /// The client had to show a certificate and did not.
    ClientCertificateMissing,
    /// The client's certificate is not trusted.
    ClientCertificate,
    /// The client does not trust our certificate.
    Distrusted,
    /// The client refused for another reason.
    Alert,
    /// What it sent is no TLS.
    Garbage,
}

/// A handshake that failed.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake failed: {source}")]
pub struct HandshakeError {
    /// Its kind.
    pub refusal: Refusal,
    /// What the library says.
    pub source: io::Error,
}

/// Goes through a handshake. `policy` says under which policy a host asks for certificates of
/// clients; the host is lower-case.
///
/// # Errors
/// There is no connection. The client was sent an alert where that was possible.
pub async fn accept(
    store: &Store,
    stream: TcpStream,
    policy: impl FnOnce(Option<&str>) -> Option<u64>,
) -> Result<(crate::Stream, Session), HandshakeError> {
    let start = hello(stream).await?;
    let hello = start.client_hello();
    let name = hello.server_name().map(|name| name.to_ascii_lowercase());
    let generation = store.load();
    let shown = generation.index.candidates(name.as_deref()).to_vec();
    if shown.is_empty() {
        let mut stream = start.io;
        // Best effort: who does not read it sees the connection end.
        let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
        let _ = stream.shutdown().await;
        return Err(Refusal::NoCertificate.into());
    }
    let policy = policy(name.as_deref());
    let Some(config) = generation.config(policy) else {
        return Err(Refusal::NoPolicy.into());
    };
    drop(generation);
    // Boxed: handshakes are rare, and their state is large.
    let stream = Box::pin(start.into_stream(config)).await?;
    let connection = stream.get_ref().1;
    let session = Session {
        name: name.map(Into::into),
        shown,
        policy,
        client: connection
            .peer_certificates()
            .and_then(|chain| ClientIdentity::read(chain.first()?)),
        tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
        http2: connection.alpn_protocol() == Some(HTTP2),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    Ok((stream, session))
}

/// Reads a ClientHello. One of TLS 1.1 or older is told so: the library looks at its extensions
/// first, and would only say that one is missing.
async fn hello(mut stream: TcpStream) -> Result<StartHandshake<TcpStream>, HandshakeError> {
    let mut acceptor = Acceptor::default();
    let mut octets = vec![0; PIECE];
    let mut begin = Vec::with_capacity(BEGIN);
    loop {
        let came = stream.read(&mut octets).await?;
        if came == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut rest = &octets[..came];
        begin.extend(rest.iter().take(BEGIN - begin.len()));
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
        }
        let (error, mut alert) = match acceptor.accept() {
            Ok(None) => continue,
            Ok(Some(accepted)) => return Ok(StartHandshake::from_parts(accepted, stream)),
            Err(failed) => failed,
        };
        let mut told = Vec::new();
        let old = is_old(&begin);
        if old {
            told.extend(PROTOCOL_VERSION);
        } else {
            alert.write_all(&mut told)?;
        }
        // Best effort: who does not read it sees the connection end.
        let _ = stream.write_all(&told).await;
        let _ = stream.shutdown().await;
        return Err(match old {
            true => HandshakeError {
                refusal: Refusal::Version,
                source: io::Error::other(error),
            },
            false => io::Error::new(io::ErrorKind::InvalidData, error).into(),
        });
    }
}

/// What is read at once of a ClientHello.
const PIECE: usize = 4 * 1024;
/// Octets of a record up to the version in the ClientHello in it.
const BEGIN: usize = 11;

/// Whether a connection begins with a ClientHello of TLS 1.1 or older (RFC 5246 section 7.4.1.2).
fn is_old(begin: &[u8]) -> bool {
    matches!(begin, [22, 3, _, _, _, 1, _, _, _, 3, 0..=2])
}

/// A fatal alert `protocol_version` (RFC 5246 section 7.2.2).
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// A fatal alert `unrecognized_name` (RFC 6066 section 3), before anything is encrypted.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

impl From<Refusal> for HandshakeError {
    fn from(refusal: Refusal) -> Self {
        let text = match refusal {
            Refusal::NoCertificate => "no certificate for the host that the client names",
            _ => "the host has other settings now",
        };
        Self {
            refusal,
            source: io::Error::other(text),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(source: io::Error) -> Self {
        let cause = source.get_ref().and_then(|inner| inner.downcast_ref());
        Self {
            refusal: cause.map_or(Refusal::Closed, kind),
            source,
        }
    }
}

fn kind(error: &Error) -> Refusal {
    match error {
        Error::NoCertificatesPresented => Refusal::ClientCertificateMissing,
        Error::InvalidCertificate(_) => Refusal::ClientCertificate,
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered,
        ) => Refusal::Version,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Refusal::Parameters,
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked,
        ) => Refusal::Distrusted,
        Error::AlertReceived(_) => Refusal::Alert,
        Error::General(_) => Refusal::NoCertificate,
        _ => Refusal::Garbage,
    }
}
