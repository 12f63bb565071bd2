//! What an operator wants of TLS, as paths and choices.

use std::path::PathBuf;

/// Everything that a node's TLS is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where certificates and keys come from.
    pub certificates: Vec<Source>,
    /// The oldest version spoken.
    pub min_version: MinVersion,
    /// Whether HTTP/2 is offered before HTTP/1.1.
    pub http2: bool,
    /// Who may sign certificates of clients, by policy.
    pub client_cas: Vec<ClientCa>,
    /// TLS to endpoints, by policy.
    pub to_endpoints: Vec<ToEndpoints>,
}

/// Where certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A chain and its key. Anything wrong with it refuses the whole.
    Pair {
        /// PEM: the certificate, then what leads to its root.
        cert: PathBuf,
        /// PEM: PKCS#8, PKCS#1 or SEC 1.
        key: PathBuf,
        /// Served to clients that name no host, or one that no certificate covers.
        default: bool,
    },
    /// Every `NAME.crt`, `NAME.pem` or `NAME.cer` of a folder with its `NAME.key`, or with the key in
    /// the same file. A pair that is unusable is left out, and the one it would replace goes on.
    Folder(PathBuf),
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246), and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446) alone.
    Tls13,
}

/// A policy for certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCa {
    /// What hosts name it by; equal numbers are equal policies.
    pub policy: u64,
    /// PEM: the authorities that may sign.
    pub ca: PathBuf,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// A policy for connections to endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToEndpoints {
    /// What apps name it by; equal numbers are equal policies.
    pub policy: u64,
    /// Sent, unless it is an address.
    pub server_name: String,
    /// Names and addresses of which a certificate must have one; empty: `server_name`.
    pub names: Vec<String>,
    /// PEM: the authorities that are trusted; none: those of the system.
    pub ca: Option<PathBuf>,
    /// Whether certificates are verified at all.
    pub verified: bool,
    /// PEM: a certificate of ours and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The oldest version spoken.
    pub min_version: MinVersion,
    /// What is spoken inside.
    pub inside: Inside,
}

/// What is spoken inside TLS to endpoints; HTTP is told by ALPN (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// Whatever client and endpoint agree on.
    Octets,
    /// HTTP/1.1. An endpoint may leave out that it is chosen.
    Http1,
    /// HTTP/2. An endpoint that does not choose it is not spoken to.
    Http2,
}
