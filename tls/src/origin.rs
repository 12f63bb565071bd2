//! TLS to endpoints: settings made of names and files, and one handshake under them. Its deadline is
//! the caller's.
//!
//! Certificates are verified unless that was switched off in so many words: nothing that is missing
//! switches it off. Sessions are resumed, for as long as names, files and trust stay the same.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use xxhash_rust::xxh3::Xxh3;

use crate::certificate::{Certificate, Facts};
use crate::error::{Fault, PairError};
use crate::origin_error::{OriginError, OriginFault};
use crate::pair::{self, Place, certificates, octets};
use crate::source::{Inside, MinVersion, ToEndpoints};
use crate::trust::{AnyName, Unverified};

/// A TLS connection to an endpoint.
pub type OriginStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Names of protocols (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Settings for connections to endpoints.
pub struct Origin {
    wanted: ToEndpoints,
    /// Of all files they are made of.
    digest: u128,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// What endpoints that ask are shown.
    pub(crate) identity: Option<Arc<Certificate>>,
    /// When the certificate ends that an endpoint showed last, in seconds since 1970; 0: none did.
    ends: AtomicU64,
}

/// How a handshake went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// TLS 1.3, not 1.2.
    pub tls13: bool,
    /// It went on from an earlier session.
    pub resumed: bool,
}

impl Origin {
    /// Goes through a handshake over a connection that stands.
    ///
    /// # Errors
    /// There is no connection; nothing of what it was meant for has been sent.
    pub async fn connect(
        &self,
        stream: TcpStream,
    ) -> Result<(OriginStream, Handshake), OriginError> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await?;
        let connection = stream.get_ref().1;
        if self.wanted.inside == Inside::Http2 && connection.alpn_protocol() != Some(HTTP2) {
            return Err(OriginFault::protocol());
        }
        let handshake = Handshake {
            tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        if !handshake.resumed
            && let Some(leaf) = connection.peer_certificates().and_then(<[_]>::first)
            && let Ok(facts) = Facts::read(leaf)
            && let Ok(ends) = facts.not_after.duration_since(UNIX_EPOCH)
        {
            self.ends.store(ends.as_secs(), Relaxed);
        }
        Ok((stream, handshake))
    }

    /// Whether it was made of this wish, whatever the files say by now.
    pub(crate) fn is_of(&self, wanted: &ToEndpoints) -> bool {
        self.wanted == *wanted
    }

    /// When the certificate ends that an endpoint showed last.
    pub fn seen_to_end(&self) -> Option<SystemTime> {
        let seconds = self.ends.load(Relaxed);
        (seconds > 0).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What settings are made with; the authorities of the system are read once, if they are wanted.
pub(crate) struct Workshop<'w> {
    provider: &'w Arc<CryptoProvider>,
    now: SystemTime,
    system: Option<Trusted>,
}

/// Authorities, and the digest of what they were read from.
#[derive(Clone)]
struct Trusted(Arc<RootCertStore>, u128);

impl<'w> Workshop<'w> {
    pub(crate) fn new(provider: &'w Arc<CryptoProvider>, now: SystemTime) -> Self {
        Self {
            provider,
            now,
            system: None,
        }
    }

    /// The settings; those of before if nothing has changed.
    pub(crate) fn make(
        &mut self,
        wanted: &ToEndpoints,
        before: Option<&Arc<Origin>>,
    ) -> Result<Arc<Origin>, PairError> {
        let trusted = match (&wanted.ca, wanted.verified) {
            (_, false) => None,
            (Some(ca), true) => Some(bundle(ca)?),
            (None, true) => Some(self.system()?),
        };
        let place = wanted.identity.as_ref().map(|(cert, key)| Place {
            cert,
            key: Some(key),
            // It is shown, not served: no name of it is looked at.
            default: true,
        });
        let texts = place.map(pair::read).transpose()?;
        let mut digest = Xxh3::new();
        digest.update(
            &trusted
                .as_ref()
                .map_or(0, |trusted| trusted.1)
                .to_be_bytes(),
        );
        digest.update(&texts.as_ref().map_or(0, |texts| texts.digest).to_be_bytes());
        let digest = digest.digest128();
        if let Some(before) = before
            && before.digest == digest
            && before.wanted == *wanted
        {
            return Ok(Arc::clone(before));
        }
        let identity = match (place, &texts) {
            (Some(place), Some(texts)) => {
                let parsed = pair::parse(place, texts, self.provider, self.now)?;
                Some(Arc::new(parsed))
            }
            _ => None,
        };
        let name = name(&wanted.server_name)?;
        let config = self.config(wanted, trusted, identity.as_deref(), &name)?;
        Ok(Arc::new(Origin {
            wanted: wanted.clone(),
            digest,
            config: Arc::new(config),
            name,
            identity,
            ends: AtomicU64::new(0),
        }))
    }

    fn config(
        &self,
        wanted: &ToEndpoints,
        trusted: Option<Trusted>,
        identity: Option<&Certificate>,
        name: &ServerName<'static>,
    ) -> Result<ClientConfig, PairError> {
        let of = |e| PairError::new("upstream.tls", Fault::Setup(e));
        let versions: &[_] = match wanted.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12],
            MinVersion::Tls13 => &[&TLS13],
        };
        let verifier: Arc<dyn ServerCertVerifier> = match trusted {
            Some(Trusted(roots, _)) => {
                let provider = Arc::clone(self.provider);
                let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
                let inner = inner.map_err(|e| of(rustls::Error::General(e.to_string())))?;
                let names: Result<Vec<_>, _> = wanted.names.iter().map(|n| self::name(n)).collect();
                let names = Some(names?).filter(|names| !names.is_empty());
                let names = names.unwrap_or_else(|| vec![name.clone()]);
                Arc::new(AnyName { inner, names })
            }
            None => Arc::new(Unverified(Arc::clone(self.provider))),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(self.provider))
            .with_protocol_versions(versions)
            .map_err(of)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            Some(identity) => {
                let pair = SingleCertAndKey::from(Arc::clone(&identity.key));
                builder.with_client_cert_resolver(Arc::new(pair))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = match wanted.inside {
            Inside::Octets => Vec::new(),
            Inside::Http1 => vec![HTTP1.to_vec()],
            Inside::Http2 => vec![HTTP2.to_vec()],
        };
        Ok(config)
    }

    /// The authorities of the system, as its administrator keeps them: a root that was taken out there
    /// is not trusted here, which a list built into the binary could not promise.
    fn system(&mut self) -> Result<Trusted, PairError> {
        if let Some(system) = &self.system {
            return Ok(system.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let mut digest = Xxh3::new();
        found.certs.iter().for_each(|cert| digest.update(cert));
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(PairError::new(
                PathBuf::from("upstream.tls"),
                Fault::NoSystemAuthority,
            ));
        }
        let trusted = Trusted(Arc::new(roots), digest.digest128());
        Ok(self.system.insert(trusted).clone())
    }
}

fn bundle(ca: &PathBuf) -> Result<Trusted, PairError> {
    let of = |fault| PairError::new(ca, fault);
    let text = octets(ca)?;
    let bundle = certificates(&text).map_err(of)?;
    if bundle.is_empty() {
        return Err(of(Fault::NoCertificate));
    }
    let mut roots = RootCertStore::empty();
    for authority in bundle {
        roots.add(authority).map_err(|_| of(Fault::NoAuthority))?;
    }
    Ok(Trusted(Arc::new(roots), xxhash_rust::xxh3::xxh3_128(&text)))
}

fn name(text: &str) -> Result<ServerName<'static>, PairError> {
    ServerName::try_from(text.to_owned())
        .map_err(|_| PairError::new("upstream.tls", Fault::NoName(text.to_owned())))
}

impl OriginFault {
    /// The endpoint did not choose what is to be spoken.
    fn protocol() -> OriginError {
        OriginError {
            fault: Self::Protocol,
            source: std::io::Error::other("the endpoint did not choose HTTP/2 (ALPN h2)"),
        }
    }

    /// Of the node's own making: the settings are gone.
    pub(crate) fn no_policy() -> OriginError {
        OriginError {
            fault: Self::NoPolicy,
            source: std::io::Error::other("the endpoint has other settings now"),
        }
    }
}
