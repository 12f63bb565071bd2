//! What TLS is made of on a node: paths, never what is in them.

use std::path::PathBuf;
use std::time::Duration;

use windrose_model::HttpVersion;

/// The root key `tls`, and the bundles that apps name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where certificates and keys come from, in the order written.
    pub certificates: Vec<CertificateSource>,
    /// Whether TLS 1.2 is refused; default no.
    pub only_tls13: bool,
    /// From the first octet of a connection to the end of its handshake; default 10 s.
    pub handshake_timeout: Duration,
    /// Authorities for certificates of clients.
    pub client_cas: Vec<ClientCaFile>,
    /// TLS to endpoints.
    pub upstreams: Vec<UpstreamTlsFiles>,
}

/// Where certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// A chain and its key, in one file or two.
    Pair {
        /// The chain.
        cert: PathBuf,
        /// The key; the same file when none was named.
        key: PathBuf,
        /// Served where no other fits.
        default: bool,
    },
    /// All pairs of a folder.
    Folder(PathBuf),
}

/// Authorities for certificates of clients, named by an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCaFile {
    /// As [`ClientAuth::policy`](windrose_model::ClientAuth::policy).
    pub policy: u64,
    /// The bundle.
    pub ca: PathBuf,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// TLS to endpoints, as an app wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTlsFiles {
    /// As [`UpstreamTls::policy`](windrose_model::UpstreamTls::policy).
    pub policy: u64,
    /// The name sent.
    pub server_name: String,
    /// Names of which a certificate must have one; none: `server_name`.
    pub names: Vec<String>,
    /// Authorities; none: those of the system.
    pub ca: Option<PathBuf>,
    /// A certificate of ours and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
    /// Whether certificates are verified.
    pub verified: bool,
    /// What HTTP is spoken in inside, if it is.
    pub http: Option<HttpVersion>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            only_tls13: false,
            handshake_timeout: Duration::from_secs(10),
            client_cas: Vec::new(),
            upstreams: Vec::new(),
        }
    }
}
