//! What a request says about who sent it: `X-Forwarded-*`, `X-Request-Id`, and the client address
//! that steering goes by.
//!
//! Only trusted peers are believed. `Forwarded` (RFC 7239) is not written; from strangers it is
//! removed, so that a backend cannot be fooled by it.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::filter::Origin;
use crate::names;
use crate::settings::Settings;
use crate::survey::{Field, Survey};

/// The other end of a client connection, with what is written about it in each request.
#[derive(Debug)]
pub(crate) struct Peer {
    /// IPv4-mapped IPv6 as IPv4.
    pub(crate) address: IpAddr,
    /// Whether what it says about others is believed.
    pub(crate) trusted: bool,
    address_text: HeaderValue,
    port_text: HeaderValue,
    /// `http` or `https`.
    scheme: HeaderValue,
}

impl Peer {
    /// `port` is ours: where the client came in, over TLS or in the clear.
    pub(crate) fn new(address: IpAddr, port: u16, tls: bool, settings: &Settings) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            trusted: settings.trusts(address),
            address_text: text(&address.to_string()),
            port_text: HeaderValue::from(port),
            scheme: HeaderValue::from_static(if tls { "https" } else { "http" }),
        }
    }

    /// The client's address: the peer's, or behind trusted peers the right-most one in
    /// `X-Forwarded-For` that is not itself trusted. What cannot be read ends the walk.
    pub(crate) fn client(
        &self,
        headers: &HeaderMap,
        survey: Survey,
        settings: &Settings,
    ) -> IpAddr {
        let mut client = self.address;
        if !self.trusted || !survey.has(Field::ForwardedFor) {
            return client;
        }
        let values: Vec<_> = headers.get_all(names::X_FORWARDED_FOR).iter().collect();
        let hops = values
            .iter()
            .rev()
            .flat_map(|value| value.as_bytes().rsplit(|b| *b == b','));
        for hop in hops {
            let Some(address) = hop_address(hop) else {
                break;
            };
            client = address;
            if !settings.trusts(address) {
                break;
            }
        }
        client
    }

    /// How the client reached us, or the trusted peer in front.
    pub(crate) fn origin<'a>(&'a self, headers: &'a HeaderMap, survey: Survey) -> Origin<'a> {
        let said = |field, name| {
            let said = (self.trusted && survey.has(field)).then(|| headers.get(name));
            said.flatten()?.to_str().ok()
        };
        let scheme = said(Field::ForwardedProto, names::X_FORWARDED_PROTO);
        let port = said(Field::ForwardedPort, names::X_FORWARDED_PORT)
            .filter(|port| port.parse::<u16>().is_ok());
        Origin {
            scheme: scheme
                .filter(|s| matches!(*s, "http" | "https"))
                .or_else(|| self.scheme.to_str().ok())
                .unwrap_or("http"),
            port: port
                .or_else(|| self.port_text.to_str().ok())
                .unwrap_or("80"),
        }
    }

    /// Writes the fields that tell a backend who asked. `id` is used unless a trusted peer gave one;
    /// the one in force is returned.
    pub(crate) fn write(
        &self,
        headers: &mut HeaderMap,
        survey: Survey,
        id: impl FnOnce() -> HeaderValue,
    ) -> HeaderValue {
        let keeps = |field| self.trusted && survey.has(field);
        if keeps(Field::ForwardedFor) {
            self.append(headers);
        } else {
            headers.insert(names::X_FORWARDED_FOR, self.address_text.clone());
        }
        if !keeps(Field::ForwardedProto) {
            headers.insert(names::X_FORWARDED_PROTO, self.scheme.clone());
        }
        if !keeps(Field::ForwardedHost)
            && let Some(host) = headers.get(header::HOST).cloned()
        {
            headers.insert(names::X_FORWARDED_HOST, host);
        }
        if !keeps(Field::ForwardedPort) {
            headers.insert(names::X_FORWARDED_PORT, self.port_text.clone());
        }
        if !self.trusted && survey.has(Field::Forwarded) {
            headers.remove(header::FORWARDED);
        }
        if let Some(id) = self.given_id(headers, survey) {
            return id.clone();
        }
        let id = id();
        headers.insert(names::X_REQUEST_ID, id.clone());
        id
    }

    /// The request id that a trusted peer gave.
    pub(crate) fn given_id<'h>(
        &self,
        headers: &'h HeaderMap,
        survey: Survey,
    ) -> Option<&'h HeaderValue> {
        let given = self.trusted && survey.has(Field::RequestId);
        given.then(|| headers.get(names::X_REQUEST_ID)).flatten()
    }

    /// One line with all hops: some backends read only the first or the last.
    fn append(&self, headers: &mut HeaderMap) {
        let mut line = Vec::with_capacity(64);
        for value in headers.get_all(names::X_FORWARDED_FOR) {
            line.extend_from_slice(value.as_bytes());
            line.extend_from_slice(b", ");
        }
        line.extend_from_slice(self.address_text.as_bytes());
        let line = HeaderValue::from_maybe_shared(Bytes::from(line));
        let line = line.unwrap_or_else(|_| self.address_text.clone());
        headers.insert(names::X_FORWARDED_FOR, line);
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = hop
        .parse::<IpAddr>()
        .or_else(|_| hop.parse::<std::net::SocketAddr>().map(|s| s.ip()))
        .or_else(|_| {
            let inner = hop.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            inner.unwrap_or("").parse::<IpAddr>()
        })
        .ok()?;
    Some(address.to_canonical())
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(trust: &[&str]) -> Settings {
        Settings {
            forwarded_trust: trust.iter().map(|t| t.parse().unwrap()).collect(),
            ..Settings::default()
        }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_trusted() {
        let trust = &["10.0.0.0/8", "2001:db8::/32"];
        let check = |peer: &str, lines: &[&'static str], expected: &str| {
            let settings = settings(trust);
            let mut map = HeaderMap::new();
            for line in lines {
                map.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            let peer = Peer::new(peer.parse().unwrap(), 80, false, &settings);
            let client = peer.client(&map, Survey::of(&map), &settings);
            assert_eq!(client.to_string(), expected, "{lines:?}");
        };
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check(
            "10.0.0.1",
            &["203.0.113.9, 198.51.100.7, 10.2.3.4"],
            "198.51.100.7",
        );
        check(
            "10.0.0.1",
            &["203.0.113.9", "198.51.100.7:4711"],
            "198.51.100.7",
        );
        check("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1");
        check("10.0.0.1", &["198.51.100.7, junk, 10.2.2.2"], "10.2.2.2");
        check("10.0.0.1", &["junk"], "10.0.0.1");
        check("2001:db8::1", &["[2a00::5]:80, [2001:db8::7]"], "2a00::5");
    }

    #[test]
    fn strangers_are_not_believed_and_trusted_peers_are_appended_to() {
        let check = |peer: &str, expected: &[(&str, &str)]| {
            let settings = settings(&["10.0.0.0/8"]);
            let mut map = headers(&[
                ("host", "a.example"),
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "2.2.2.2"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "b.example"),
                ("x-forwarded-port", "443"),
                ("x-request-id", "given"),
                ("forwarded", "for=1.1.1.1"),
            ]);
            let survey = Survey::of(&map);
            let peer = Peer::new(peer.parse().unwrap(), 8080, false, &settings);
            let id = peer.write(&mut map, survey, || HeaderValue::from_static("new"));
            assert_eq!(Some(&id), map.get("x-request-id"));
            for (name, value) in expected {
                let got: Vec<_> = map
                    .get_all(*name)
                    .iter()
                    .map(|v| v.to_str().unwrap())
                    .collect();
                assert_eq!(got.join("|"), *value, "{name}");
            }
        };
        check(
            "192.0.2.1",
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "a.example"),
                ("x-forwarded-port", "8080"),
                ("x-request-id", "new"),
                ("forwarded", ""),
            ],
        );
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "b.example"),
                ("x-forwarded-port", "443"),
                ("x-request-id", "given"),
                ("forwarded", "for=1.1.1.1"),
            ],
        );
    }
}
