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
}

impl Upstream {
    /// As the data path compares it.
    pub fn manner(&self) -> Manner {
        Manner {
            proxy_protocol: self.proxy_protocol,
            tls: self.tls.as_ref().map(|tls| tls.policy),
        }
    }

    /// Whether it is the endpoint's own protocol from the first octet.
    pub const fn is_plain(&self) -> bool {
        self.proxy_protocol.is_none() && self.tls.is_none()
    }
}

impl fmt::Display for Upstream {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proxy_protocol {
            Some(ProxyProtocol::V1) => f.write_str("a PROXY header, version 1")?,
            Some(ProxyProtocol::V2) => f.write_str("a PROXY header, version 2")?,
            None if self.tls.is_none() => f.write_str("nothing")?,
            None => {}
        }
        if let Some(tls) = &self.tls {
            if self.proxy_protocol.is_some() {
                f.write_str(", then ")?;
            }
            let trust = match tls.verified {
                true => "its certificate verified",
                false => "its certificate NOT verified",
            };
            write!(f, "TLS for {}, {trust}", tls.server_name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_an_endpoint_hears_first() {
        let says = |proxy_protocol, verified: Option<bool>| {
            let tls = verified.map(|verified| UpstreamTls {
                policy: 1,
                server_name: "a.test".into(),
                verified,
            });
            let upstream = Upstream {
                proxy_protocol,
                tls,
            };
            assert_eq!(upstream.is_plain(), upstream == Upstream::default());
            upstream.to_string()
        };
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
