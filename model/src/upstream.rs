//! How connections to an app's endpoints begin, beneath HTTP or TCP. Names, files and trust of TLS are
//! the node's: here is a number that stands for them, and what people want to read.

use std::fmt;

/// What is spoken to endpoints before their own protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Every connection begins with a PROXY header that says whose it is; none: without.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS, behind the header.
    pub tls: Option<UpstreamTls>,
    /// What HTTP is spoken in. Says nothing where endpoints are spoken to in TCP.
    pub http: HttpVersion,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 (RFC 9113): over TLS by ALPN, in the clear by prior knowledge.
    Http2,
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// A block of octets, with a checksum and the name that the client asked for by TLS.
    V2,
}

/// TLS to endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamTls {
    /// Stands for everything that was written: names, authorities, certificate, version.
    pub policy: u64,
    /// The name sent and, unless others were written, the one that certificates must have.
    pub server_name: Box<str>,
    /// Whether certificates of endpoints are verified.
    pub verified: bool,
}

/// The same as the data path compares it: a connection made in one manner is never used in another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Manner {
    /// As [`Upstream::proxy_protocol`].
    pub proxy_protocol: Option<ProxyProtocol>,
    /// As [`UpstreamTls::policy`].
    pub tls: Option<u64>,
    /// As [`Upstream::http`].
    pub http: HttpVersion,
}

impl Upstream {
    /// As the data path compares it.
    pub fn manner(&self) -> Manner {
        Manner {
            proxy_protocol: self.proxy_protocol,
            tls: self.tls.as_ref().map(|tls| tls.policy),
            http: self.http,
        }
    }

    /// Whether it is HTTP/1.1, or the endpoint's own protocol, from the first octet.
    pub const fn is_plain(&self) -> bool {
        let http1 = matches!(self.http, HttpVersion::Http1);
        self.proxy_protocol.is_none() && self.tls.is_none() && http1
    }
}

impl fmt::Display for Upstream {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return f.write_str("nothing");
        }
        let mut then = "";
        if let Some(version) = self.proxy_protocol {
            let version = match version {
                ProxyProtocol::V1 => 1,
                ProxyProtocol::V2 => 2,
            };
            write!(f, "a PROXY header, version {version}")?;
            then = ", then ";
        }
        if let Some(tls) = &self.tls {
            f.write_str(then)?;
            then = ", then ";
            let trust = match tls.verified {
                true => "its certificate verified",
                false => "its certificate NOT verified",
            };
            write!(f, "TLS for {}, {trust}", tls.server_name)?;
        }
        if self.http == HttpVersion::Http2 {
            write!(f, "{then}HTTP/2")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_an_endpoint_hears_first() {
        let says_in = |http, proxy_protocol, verified: Option<bool>| {
            let tls = verified.map(|verified| UpstreamTls {
                policy: 1,
                server_name: "a.test".into(),
                verified,
            });
            let upstream = Upstream {
                proxy_protocol,
                tls,
                http,
            };
            assert_eq!(upstream.is_plain(), upstream == Upstream::default());
            upstream.to_string()
        };
        let says = |header, verified| says_in(HttpVersion::Http1, header, verified);
        assert_eq!(says_in(HttpVersion::Http2, None, None), "HTTP/2");
        assert_eq!(
            says_in(HttpVersion::Http2, Some(ProxyProtocol::V1), Some(true)),
            "a PROXY header, version 1, then TLS for a.test, its certificate verified, then HTTP/2"
        );
        assert_eq!(says(None, None), "nothing");
        assert_eq!(
            says(Some(ProxyProtocol::V1), None),
            "a PROXY header, version 1"
        );
        assert_eq!(
            says(Some(ProxyProtocol::V2), Some(true)),
            "a PROXY header, version 2, then TLS for a.test, its certificate verified"
        );
        assert_eq!(
            says(None, Some(false)),
            "TLS for a.test, its certificate NOT verified"
        );
    }
}
