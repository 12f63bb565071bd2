//! PROXY headers to backends (HAProxy's `proxy-protocol.txt`, revision of 2020-03-05): who a
//! connection is from, said before its first octet.
//!
//! Version 2 has a CRC-32C always and the name the client asked for by TLS, where it did
//! (`PP2_TYPE_AUTHORITY`). Deliberately absent: what the client's TLS was like (`PP2_TYPE_SSL`).

use std::net::{IpAddr, SocketAddr};

use windrose_model::ProxyProtocol;

use crate::connection::Ends;
use crate::proxy_protocol::{AUTHORITY, CRC32C, SIGNATURE, checksum};

/// Version 2 and `PROXY`.
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// Type, length and value of a checksum.
const CHECKSUM: usize = 3 + 4;

/// The header of a connection between these ends, for a client that asked for `name` by TLS.
pub(crate) fn header(version: ProxyProtocol, ends: &Ends, name: Option<&str>) -> Vec<u8> {
    let (from, to) = alike(ends.client, ends.at);
    match version {
        ProxyProtocol::V1 => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let (source, destination) = (from.ip(), to.ip());
            let ports = (from.port(), to.port());
            let line = format!(
                "PROXY {family} {source} {destination} {} {}\r\n",
                ports.0, ports.1
            );
            line.into_bytes()
        }
        ProxyProtocol::V2 => block(from, to, name),
    }
}

/// Both of one family: IPv4 beside IPv6 is written as mapped into it.
fn alike(from: SocketAddr, to: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let mapped = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
        IpAddr::V6(_) => at,
    };
    let (from, to) = (canonical(from), canonical(to));
    if from.is_ipv4() == to.is_ipv4() {
        (from, to)
    } else {
        (mapped(from), mapped(to))
    }
}

fn block(from: SocketAddr, to: SocketAddr, name: Option<&str>) -> Vec<u8> {
    let mut block = SIGNATURE.to_vec();
    block.extend([PROXY, if from.is_ipv4() { TCP4 } else { TCP6 }, 0, 0]);
    let begin = block.len();
    for at in [from, to] {
        match at.ip() {
            IpAddr::V4(ip) => block.extend(ip.octets()),
            IpAddr::V6(ip) => block.extend(ip.octets()),
        }
    }
    block.extend(from.port().to_be_bytes());
    block.extend(to.port().to_be_bytes());
    // Names are at most 253 octets long: what is longer is none.
    if let Some(name) = name.filter(|name| name.len() <= 255) {
        block.extend([AUTHORITY, 0, name.len().to_le_bytes()[0]]);
        block.extend(name.as_bytes());
    }
    let length = u16::try_from(block.len() - begin + CHECKSUM).unwrap_or(u16::MAX);
    block[begin - 2..begin].copy_from_slice(&length.to_be_bytes());
    block.extend([CRC32C, 0, 4, 0, 0, 0, 0]);
    // Counted over the whole header with zeros in its own place (section 2.2.3).
    let sum = checksum([&*block]);
    let at = block.len() - 4;
    block[at..].copy_from_slice(&sum.to_be_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy_protocol::HeaderReader;

    fn ends(client: &str, at: &str) -> Ends {
        Ends {
            peer: "192.0.2.200:1".parse().unwrap(),
            client: client.parse().unwrap(),
            at: at.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_by_the_parser_for_headers_that_come_in() {
        for (client, at) in [
            ("198.51.100.7:40000", "203.0.113.1:443"),
            ("[2001:db8::7]:40000", "[2001:db8::1]:443"),
            ("[::ffff:198.51.100.7]:1", "[::ffff:203.0.113.1]:65535"),
            ("198.51.100.7:40000", "[2001:db8::1]:443"),
            (
                "[2001:db8:1:2:3:4:5:6]:65535",
                "[2001:db8:1:2:3:4:5:7]:65535",
            ),
        ] {
            let ends = ends(client, at);
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                for name in [None, Some("shop.example.com"), Some(&*"x".repeat(300))] {
                    let header = header(version, &ends, name);
                    let (taken, read) = HeaderReader::default().read(&header);
                    assert_eq!(taken, header.len());
                    let told = read.unwrap().unwrap().addresses.unwrap();
                    let canonical =
                        |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
                    assert_eq!(told.source, canonical(ends.client), "{version:?}");
                    assert_eq!(told.destination, canonical(ends.at), "{version:?}");
                }
            }
        }
    }

    #[test]
    fn version_2_says_the_name_and_sums_itself_up() {
        let header = header(
            ProxyProtocol::V2,
            &ends("198.51.100.7:40000", "203.0.113.1:443"),
            Some("a.test"),
        );
        let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1c\xc6\x33\x64\x07\xcb\0\x71\x01\x9c\x40\x01\xbb\x02\0\x06a.test\x03\0\x04";
        assert_eq!(&header[..expected.len()], expected);
        assert_eq!(header.len(), expected.len() + 4);
        let mut broken = header;
        broken[16] ^= 1;
        assert!(HeaderReader::default().read(&broken).1.unwrap().is_err());
    }
}
