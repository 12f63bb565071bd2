//! The PROXY protocol (HAProxy's `proxy-protocol.txt`, revision of 2020-03-05), versions 1 and 2:
//! who a connection is really from. Pure: octets in any pieces to a header, within a bound.
//!
//! A header is taken to its last octet and no further, so what follows stays in the socket for TLS
//! or HTTP. Strict where the text is: one space, decimal ports without sign or leading zero, no
//! reserved value. Deliberately absent: what TLVs say, except the checksum, which is verified; Unix
//! addresses and datagrams, which say nothing of a client that could be steered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Octets of a version 1 header, at most (section 2.1: 107 with the line's end).
const MAX_TEXT: usize = 107;
/// Octets of a version 2 header, at most; as in nginx. The format would allow 65,551, of which
/// TLVs with whole certificates would be the most.
pub const MAX_HEADER: usize = 4_096;

const TEXT_PREFIX: &[u8] = b"PROXY ";
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const BINARY_HEAD: usize = 16;

/// `PP2_TYPE_CRC32C` (section 2.2.3).
pub(crate) const CRC32C: u8 = 3;
/// `PP2_TYPE_AUTHORITY` (section 2.2.2).
pub(crate) const AUTHORITY: u8 = 2;

/// A header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    /// From whom and to where the connection is; `None`: it is its peer's own (`LOCAL`, `UNKNOWN`),
    /// or of a family that has no IP address.
    pub addresses: Option<Addresses>,
}

/// Both ends of a connection, as its header has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// Why there is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// The first octets are not those of a header.
    Missing,
    /// It is none of either version, or longer than [`MAX_HEADER`].
    Malformed,
    /// Its checksum is wrong.
    Checksum,
}

/// A header that is coming in.
#[derive(Debug, Default)]
pub struct HeaderReader {
    read: Vec<u8>,
}

impl HeaderReader {
    /// Takes of `octets` what belongs to the header: how many, and what it says once it is whole.
    /// Without an end all were taken.
    pub fn read(&mut self, octets: &[u8]) -> (usize, Option<Result<Header, HeaderFault>>) {
        let before = self.read.len();
        let end = match self.read.first().or_else(|| octets.first()) {
            None => None,
            Some(b'P') => self.text(octets),
            Some(b'\r') => self.binary(octets),
            Some(_) => Some(Err(HeaderFault::Missing)),
        };
        (self.read.len() - before, end)
    }

    /// Whether an octet has come.
    pub fn has_begun(&self) -> bool {
        !self.read.is_empty()
    }

    fn text(&mut self, octets: &[u8]) -> Option<Result<Header, HeaderFault>> {
        let room = &octets[..octets.len().min(MAX_TEXT - self.read.len())];
        let end = room.iter().position(|b| *b == b'\n');
        self.read
            .extend_from_slice(&room[..end.map_or(room.len(), |at| at + 1)]);
        if !agrees(&self.read, TEXT_PREFIX) {
            return Some(Err(HeaderFault::Missing));
        }
        if end.is_none() && self.read.len() < MAX_TEXT {
            return None;
        }
        Some(parse_text(&self.read).ok_or(HeaderFault::Malformed))
    }

    fn binary(&mut self, mut octets: &[u8]) -> Option<Result<Header, HeaderFault>> {
        loop {
            let wanted = match self.read.get(14..BINARY_HEAD) {
                Some(length) => {
                    BINARY_HEAD + usize::from(u16::from_be_bytes([length[0], length[1]]))
                }
                None => BINARY_HEAD,
            };
            if wanted > MAX_HEADER {
                return Some(Err(HeaderFault::Malformed));
            }
            if wanted == self.read.len() {
                return Some(parse_binary(&self.read));
            }
            if octets.is_empty() {
                return None;
            }
            let (taken, rest) = octets.split_at(octets.len().min(wanted - self.read.len()));
            self.read.extend_from_slice(taken);
            octets = rest;
            if !agrees(&self.read, &SIGNATURE) {
                return Some(Err(HeaderFault::Missing));
            }
        }
    }
}

/// Whether as much as there is of a beginning is as it should be.
fn agrees(read: &[u8], beginning: &[u8]) -> bool {
    let n = read.len().min(beginning.len());
    read[..n] == beginning[..n]
}

/// A line of version 1 (section 2.1).
fn parse_text(line: &[u8]) -> Option<Header> {
    let line = std::str::from_utf8(line).ok()?;
    let line = line.strip_suffix("\r\n")?.strip_prefix("PROXY ")?;
    let mut words = line.split(' ');
    let addresses = match words.next()? {
        // Whatever else it says is to be ignored.
        "UNKNOWN" => None,
        family @ ("TCP4" | "TCP6") => {
            let address = |text: &str| -> Option<IpAddr> {
                match family {
                    "TCP4" => text.parse().ok().map(IpAddr::V4),
                    _ => text.parse().ok().map(IpAddr::V6),
                }
            };
            let (source, destination) = (address(words.next()?)?, address(words.next()?)?);
            let (from, to) = (port(words.next()?)?, port(words.next()?)?);
            if words.next().is_some() {
                return None;
            }
            Some(Addresses::new((source, from), (destination, to)))
        }
        _ => return None,
    };
    Some(Header {
        version: 1,
        addresses,
    })
}

/// Digits only, none of them a leading zero.
fn port(text: &str) -> Option<u16> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    plain.then(|| text.parse().ok())?
}

/// A block of version 2 (section 2.2).
fn parse_binary(block: &[u8]) -> Result<Header, HeaderFault> {
    let local = match block[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(HeaderFault::Malformed),
    };
    let none = Header {
        version: 2,
        addresses: None,
    };
    if local {
        // The whole block is to be discarded, its family ignored.
        return Ok(none);
    }
    let body = &block[BINARY_HEAD..];
    let family = block[13] >> 4;
    let transport = block[13] & 0xf;
    let size = match family {
        0 => {
            return if transport <= 2 {
                Ok(none)
            } else {
                Err(HeaderFault::Malformed)
            };
        }
        1 => 12,
        2 => 36,
        3 => 216,
        _ => return Err(HeaderFault::Malformed),
    };
    let (addresses, tlvs) = body.split_at_checked(size).ok_or(HeaderFault::Malformed)?;
    if transport > 2 {
        return Err(HeaderFault::Malformed);
    }
    verify(block, tlvs)?;
    let ports = &addresses[size - 4..];
    let from = u16::from_be_bytes([ports[0], ports[1]]);
    let to = u16::from_be_bytes([ports[2], ports[3]]);
    let addresses = match (family, transport) {
        (1, 1) => {
            let at = |n: usize| -> IpAddr {
                Ipv4Addr::new(
                    addresses[n],
                    addresses[n + 1],
                    addresses[n + 2],
                    addresses[n + 3],
                )
                .into()
            };
            Some(Addresses::new((at(0), from), (at(4), to)))
        }
        (2, 1) => {
            let at = |n: usize| -> IpAddr {
                let mut octets = [0; 16];
                octets.copy_from_slice(&addresses[n..n + 16]);
                Ipv6Addr::from(octets).into()
            };
            Some(Addresses::new((at(0), from), (at(16), to)))
        }
        _ => None,
    };
    Ok(Header {
        version: 2,
        addresses,
    })
}

/// Walks the TLVs; a checksum among them must be right.
fn verify(block: &[u8], mut tlvs: &[u8]) -> Result<(), HeaderFault> {
    while let Some((head, rest)) = tlvs.split_at_checked(3) {
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let (value, rest) = rest
            .split_at_checked(length)
            .ok_or(HeaderFault::Malformed)?;
        if head[0] == CRC32C {
            let told: [u8; 4] = value.try_into().map_err(|_| HeaderFault::Malformed)?;
            let at = block.len() - rest.len() - told.len();
            // Counted over the whole header with zeros in its own place.
            if checksum([&block[..at], &[0; 4], rest]) != u32::from_be_bytes(told) {
                return Err(HeaderFault::Checksum);
            }
        }
        tlvs = rest;
    }
    if tlvs.is_empty() {
        Ok(())
    } else {
        Err(HeaderFault::Malformed)
    }
}

/// The CRC-32C of pieces in a row.
pub(crate) fn checksum<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> u32 {
    !pieces.into_iter().fold(!0, crc32c)
}

/// Takes octets into a CRC-32C (RFC 3720 appendix B.4) that begins and ends inverted.
fn crc32c(sum: u32, octets: &[u8]) -> u32 {
    octets.iter().fold(sum, |sum, octet| {
        CRC_TABLE[usize::from(sum.to_le_bytes()[0] ^ octet)] ^ (sum >> 8)
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        let mut sum = n as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0x82F6_3B78
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[n] = sum;
        n += 1;
    }
    table
};

impl Addresses {
    /// IPv4 in IPv6 as IPv4.
    fn new(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Self {
        let canonical = |(ip, port): (IpAddr, u16)| SocketAddr::new(ip.to_canonical(), port);
        Self {
            source: canonical(source),
            destination: canonical(destination),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a header says in pieces of any size, and how many octets it had.
    fn read(octets: &[u8]) -> (usize, Option<Result<Header, HeaderFault>>) {
        let whole = HeaderReader::default().read(octets);
        for size in 1..octets.len() {
            let mut reader = HeaderReader::default();
            let (mut taken, mut end) = (0, None);
            for piece in octets.chunks(size) {
                let (some, said) = reader.read(piece);
                taken += some;
                end = said;
                if end.is_some() {
                    break;
                }
                assert_eq!(some, piece.len());
            }
            assert_eq!(end, whole.1, "in pieces of {size}");
            if matches!(end, Some(Ok(_))) {
                assert_eq!(taken, whole.0, "in pieces of {size}");
            }
        }
        whole
    }

    fn says(octets: &[u8], version: u8, addresses: Option<(&str, &str)>) {
        let followed = [octets, b"GET / HTTP/1.1\r\n"].concat();
        let (taken, end) = read(&followed);
        let addresses = addresses.map(|(source, destination)| Addresses {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        });
        assert_eq!(end, Some(Ok(Header { version, addresses })), "{octets:?}");
        assert_eq!(taken, octets.len());
    }

    fn fails(octets: &[u8], fault: HeaderFault) {
        assert_eq!(
            read(octets).1,
            Some(Err(fault)),
            "{:?}",
            octets.escape_ascii().to_string()
        );
    }

    fn block(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb];

    #[test]
    fn a_line_names_both_ends() {
        says(
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
            1,
            Some(("192.0.2.1:56324", "198.51.100.2:443")),
        );
        says(
            b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n",
            1,
            Some(("[2001:db8::1]:0", "[2001:db8::2]:65535")),
        );
        // The longest of its family.
        says(
            b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            1,
            Some((
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            )),
        );
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        says(
            b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n",
            1,
            Some(("192.0.2.1:1", "198.51.100.2:2")),
        );
    }

    #[test]
    fn an_unknown_connection_is_its_peers_own() {
        says(b"PROXY UNKNOWN\r\n", 1, None);
        says(b"PROXY UNKNOWN ffff::1 whatever 65535\r\n", 1, None);
    }

    #[test]
    fn what_is_no_line_of_version_1_is_malformed() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1\t198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY UNKNOWN\n",
        ] {
            fails(line.as_bytes(), HeaderFault::Malformed);
        }
        fails(b"PROXY UNKNOWN \xff\r\n", HeaderFault::Malformed);
        let long = format!("PROXY UNKNOWN {}", "x".repeat(200));
        fails(long.as_bytes(), HeaderFault::Malformed);
        assert!(HeaderReader::default().read(long.as_bytes()).0 <= MAX_TEXT);
    }

    #[test]
    fn other_protocols_are_known_by_their_first_octets() {
        for other in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PUT / HTTP/1.1\r\n",
            b"POST / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"\r\n\r\n\r\n",
            b"PROXYTCP4",
            b"PRI * HTTP/2.0",
        ] {
            fails(other, HeaderFault::Missing);
        }
    }

    #[test]
    fn a_beginning_says_nothing_yet() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
        let v4 = block(0x21, 0x11, &V4);
        for whole in [&line[..], &v4] {
            for end in 0..whole.len() {
                assert_eq!(read(&whole[..end]).1, None);
            }
        }
    }

    #[test]
    fn a_block_names_both_ends() {
        let v4 = Some(("192.0.2.1:4660", "198.51.100.2:443"));
        says(&block(0x21, 0x11, &V4), 2, v4);
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 1;
        v6[16..18].copy_from_slice(&[0x20, 0x01]);
        v6[31] = 2;
        v6[32..].copy_from_slice(&[0, 80, 1, 187]);
        says(
            &block(0x21, 0x21, &v6),
            2,
            Some(("[2001::1]:80", "[2001::2]:443")),
        );
        // With TLVs that nobody knows.
        let tlvs = [&V4[..], &[0xee, 0, 3, 1, 2, 3, 4, 0, 0]].concat();
        says(&block(0x21, 0x11, &tlvs), 2, v4);
    }

    #[test]
    fn local_unspecified_unix_and_datagrams_are_the_peers_own() {
        says(&block(0x20, 0, b""), 2, None);
        // Whatever family a LOCAL has, and whatever follows it.
        says(&block(0x20, 0x11, &V4), 2, None);
        says(&block(0x20, 0xff, b"anything"), 2, None);
        says(&block(0x21, 0x00, b""), 2, None);
        says(&block(0x21, 0x00, b"ignored"), 2, None);
        says(&block(0x21, 0x31, &[b'/'; 216]), 2, None);
        says(&block(0x21, 0x12, &V4), 2, None);
        says(&block(0x21, 0x10, &V4), 2, None);
    }

    #[test]
    fn what_is_no_block_of_version_2_is_malformed() {
        for wrong in [
            block(0x11, 0x11, &V4),
            block(0x31, 0x11, &V4),
            block(0x22, 0x11, &V4),
            block(0x21, 0x13, &V4),
            block(0x21, 0x03, b""),
            block(0x21, 0x41, &[0; 300]),
            block(0x21, 0x11, &V4[..11]),
            block(0x21, 0x21, &[0; 35]),
            block(0x21, 0x31, &[0; 215]),
            // A TLV that is cut, in its head and in its value.
            block(0x21, 0x11, &[&V4[..], &[4, 0]].concat()),
            block(0x21, 0x11, &[&V4[..], &[4, 0, 2, 0]].concat()),
            // A checksum of another size.
            block(0x21, 0x11, &[&V4[..], &[3, 0, 2, 0, 0]].concat()),
        ] {
            fails(&wrong, HeaderFault::Malformed);
        }
        let long = block(0x21, 0x11, &[0; MAX_HEADER]);
        let (taken, end) = HeaderReader::default().read(&long);
        assert_eq!(
            (taken, end),
            (BINARY_HEAD, Some(Err(HeaderFault::Malformed)))
        );
    }

    #[test]
    fn a_checksum_is_verified() {
        let mut header = block(
            0x21,
            0x11,
            &[&V4[..], &[3, 0, 4, 0, 0, 0, 0], &[4, 0, 1, 9]].concat(),
        );
        let at = header.len() - 8;
        let sum = !crc32c(!0, &header);
        header[at..at + 4].copy_from_slice(&sum.to_be_bytes());
        says(&header, 2, Some(("192.0.2.1:4660", "198.51.100.2:443")));
        header[17] ^= 1;
        fails(&header, HeaderFault::Checksum);
        // RFC 3720 appendix B.4: 32 octets of zeros.
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8A91_36AA);
    }
}
