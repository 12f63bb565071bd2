//! What is known of a TLS connection once its handshake is through.

use std::sync::Arc;

use crate::certificate::Certificate;
use crate::identity::ClientIdentity;

/// A connection's TLS, as HTTP needs to know it.
#[derive(Debug)]
pub struct Session {
    /// The host that the client named (SNI), lower-case.
    pub(crate) name: Option<Box<str>>,
    /// The certificates of which it was shown one.
    pub(crate) shown: Vec<Arc<Certificate>>,
    pub(crate) policy: Option<u64>,
    pub(crate) client: Option<ClientIdentity>,
    pub(crate) tls13: bool,
    pub(crate) resumed: bool,
    pub(crate) http2: bool,
}

impl Session {
    /// Whether a request for this host may come over this connection (RFC 9110 section 15.5.20): the
    /// client named it, or the certificate covers it. Lower-case, without port and final dot.
    pub fn is_for(&self, host: &str) -> bool {
        self.name.as_deref() == Some(host)
            || (!self.shown.is_empty() && self.shown.iter().all(|c| c.facts.covers(host)))
    }

    /// The host that the client named (SNI), lower-case.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The policy under which the client was asked for a certificate.
    pub fn policy(&self) -> Option<u64> {
        self.policy
    }

    /// Who the client proved to be.
    pub fn client(&self) -> Option<&ClientIdentity> {
        self.client.as_ref()
    }

    /// Whether HTTP/2 was agreed upon (ALPN `h2`).
    pub fn is_http2(&self) -> bool {
        self.http2
    }

    /// TLS 1.3, not 1.2.
    pub fn is_tls13(&self) -> bool {
        self.tls13
    }

    /// Whether the handshake went on from an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }
}
