//! What an app asks of TLS. Certificates, keys and authorities are the node's: here are only numbers
//! that stand for them.

use std::time::Duration;

/// An app's wishes for TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Secure {
    /// Whether clients are asked for a certificate, and must show one.
    pub client_auth: Option<ClientAuth>,
    /// Requests in the clear are sent to this port of the same host, over HTTPS.
    pub redirect_http: Option<u16>,
    /// `Strict-Transport-Security` (RFC 6797) in responses over HTTPS.
    pub hsts: Option<Hsts>,
}

/// Certificates of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAuth {
    /// Stands for the authorities, by the path of their bundle, and for `required`: a connection
    /// made under another policy is not for this app.
    pub policy: u64,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// `Strict-Transport-Security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hsts {
    /// Its `max-age`, in whole seconds.
    pub max_age: Duration,
    /// `includeSubDomains`.
    pub include_subdomains: bool,
}
