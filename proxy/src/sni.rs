//! The name in a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), read as it comes:
//! over several segments and several records, within a bound, nothing kept but the message.
//!
//! What is unknown is skipped: extensions by chance (RFC 8701), Encrypted ClientHello, whose outer
//! name is the one we see. Deliberately absent: any judgement of the rest of the message, and TLS
//! itself.

/// Octets of a ClientHello, at most. With post-quantum keys it has about 1,800.
pub const MAX_HELLO: usize = 16 * 1024;
/// Octets looked at: the message, its record headers, and then some.
const MAX_READ: usize = MAX_HELLO + 2 * 1024;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// Octets of a record's header, and of a handshake message's.
const RECORD_HEAD: usize = 5;
const MESSAGE_HEAD: usize = 4;

/// What the first octets of a connection turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello; the name it asks for, in lower case without a final dot, if any.
    Tls(Option<String>),
    /// No TLS record.
    NotTls,
    /// TLS, but not a ClientHello as the RFC has it, or one that is too long.
    Malformed,
}

/// A ClientHello that is coming in.
#[derive(Debug, Default)]
pub struct HelloReader {
    /// Of the record at hand.
    head: [u8; RECORD_HEAD],
    head_len: usize,
    /// Octets of the record at hand that are still to come.
    left: usize,
    message: Vec<u8>,
    read: usize,
}

impl HelloReader {
    /// Takes what came in. `None` while the message is not whole.
    pub fn read(&mut self, mut octets: &[u8]) -> Option<Hello> {
        while let Some(&octet) = octets.first() {
            if self.read >= MAX_READ {
                return Some(Hello::Malformed);
            }
            if self.left == 0 {
                self.head[self.head_len] = octet;
                self.head_len += 1;
                self.read += 1;
                octets = &octets[1..];
                if let Some(end) = self.head() {
                    return Some(end);
                }
                continue;
            }
            let taken = self.left.min(octets.len());
            self.message.extend_from_slice(&octets[..taken]);
            self.left -= taken;
            self.read += taken;
            octets = &octets[taken..];
            if let Some(end) = self.message() {
                return Some(end);
            }
        }
        None
    }

    /// Looks at as much of a record's header as there is.
    fn head(&mut self) -> Option<Hello> {
        let first = self.message.is_empty();
        let bad = if first {
            Hello::NotTls
        } else {
            Hello::Malformed
        };
        match self.head_len {
            1 if self.head[0] != HANDSHAKE => Some(bad),
            // SSL 3.0 and every TLS have 3 here.
            2 if self.head[1] != 3 => Some(bad),
            RECORD_HEAD => {
                self.head_len = 0;
                self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                // Handshake records are never empty (RFC 8446 section 5.1).
                (self.left == 0 || self.left > 1 << 14).then_some(Hello::Malformed)
            }
            _ => None,
        }
    }

    /// Looks at as much of the message as there is.
    fn message(&self) -> Option<Hello> {
        let message = &self.message;
        if message[0] != CLIENT_HELLO {
            return Some(Hello::Malformed);
        }
        let head = message.get(..MESSAGE_HEAD)?;
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        if length > MAX_HELLO {
            return Some(Hello::Malformed);
        }
        let body = message.get(MESSAGE_HEAD..MESSAGE_HEAD + length)?;
        Some(match name(body) {
            Some(name) => Hello::Tls(name),
            None => Hello::Malformed,
        })
    }
}

/// The name in a ClientHello; `None` if it is malformed.
fn name(body: &[u8]) -> Option<Option<String>> {
    let mut body = Octets(body);
    // Version and random.
    body.take(2 + 32)?;
    // Session id, cipher suites, compression methods.
    body.prefixed(1)?;
    body.prefixed(2)?;
    body.prefixed(1)?;
    if body.0.is_empty() {
        // Extensions came with TLS 1.2.
        return Some(None);
    }
    let mut extensions = Octets(body.prefixed(2)?);
    if !body.0.is_empty() {
        return None;
    }
    let mut found = None;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let data = extensions.prefixed(2)?;
        if kind == usize::from(SERVER_NAME) {
            // At most one of a type (RFC 8446 section 4.2).
            if found.is_some() {
                return None;
            }
            found = Some(server_name(data)?);
        }
    }
    Some(found)
}

/// `ServerNameList`: one host name, which is all that was ever defined.
fn server_name(data: &[u8]) -> Option<String> {
    let mut data = Octets(data);
    let mut list = Octets(data.prefixed(2)?);
    if !data.0.is_empty() || list.number(1)? != usize::from(HOST_NAME) {
        return None;
    }
    let name = list.prefixed(2)?;
    if !list.0.is_empty() || name.len() > 254 {
        return None;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if name.is_empty() || !name.iter().all(legal) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(name.to_ascii_lowercase())
}

struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        let octets = self.take(width)?;
        Some(octets.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// What follows its own length, of so many octets.
    fn prefixed(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }
}

/// A fatal alert in a record of its own (RFC 8446 section 6).
pub(crate) const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

/// The name asked for is not served here (RFC 6066 section 3).
pub(crate) const UNRECOGNIZED_NAME: u8 = 112;
/// A message that cannot be read.
pub(crate) const DECODE_ERROR: u8 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(width: usize, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        [&length[4 - width..], data].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &prefixed(2, data)].concat()
    }

    fn sni(name: &str) -> Vec<u8> {
        let entry = [&[0][..], &prefixed(2, name.as_bytes())].concat();
        extension(0, &prefixed(2, &entry))
    }

    fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
        let body = [
            &[3, 3][..],
            &[7; 32],
            &prefixed(1, &[1; 32]),
            // A cipher suite by chance among them (RFC 8701).
            &prefixed(2, &[0x1a, 0x1a, 0x13, 0x01]),
            &prefixed(1, &[0]),
            &prefixed(2, &extensions.concat()),
        ]
        .concat();
        [&[1][..], &prefixed(3, &body)].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |piece: &[u8]| [&[22, 3, 1][..], &prefixed(2, piece)].concat();
        message.chunks(size).flat_map(record).collect()
    }

    fn read(octets: &[u8]) -> Option<Hello> {
        HelloReader::default().read(octets)
    }

    fn tls(name: &str) -> Option<Hello> {
        Some(Hello::Tls(Some(name.to_owned())))
    }

    #[test]
    fn the_name_is_found_among_extensions_nobody_knows() {
        let grease = extension(0x2a2a, &[]);
        let ech = extension(0xfe0d, &[9; 200]);
        let message = hello(&[
            grease,
            ech,
            sni("Shop.Example.COM."),
            extension(43, &[2, 3, 4]),
        ]);
        assert_eq!(read(&records(&message, 1 << 14)), tls("shop.example.com"));
    }

    #[test]
    fn it_may_come_in_any_pieces_and_any_records() {
        let message = hello(&[extension(51, &[5; 1_200]), sni("a.example")]);
        for size in [1, 2, 3, 7, 100, 5_000] {
            let octets = records(&message, size);
            for step in [1, 2, 5, 1_000] {
                let mut reader = HelloReader::default();
                let mut got = None;
                for (n, piece) in octets.chunks(step).enumerate() {
                    assert_eq!(got, None, "whole before piece {n}");
                    got = reader.read(piece);
                }
                assert_eq!(got, tls("a.example"), "records of {size}, pieces of {step}");
            }
        }
    }

    #[test]
    fn a_hello_may_name_nobody() {
        assert_eq!(read(&records(&hello(&[]), 100)), Some(Hello::Tls(None)));
        // Without any extensions, as before TLS 1.2.
        let mut old = hello(&[]);
        old.truncate(old.len() - 2);
        old[3] -= 2;
        assert_eq!(read(&records(&old, 100)), Some(Hello::Tls(None)));
    }

    #[test]
    fn what_is_no_tls_is_told_at_once() {
        for octets in [&b"GET / HTTP/1.1"[..], b"\x16\x02", b"\0"] {
            assert_eq!(read(octets), Some(Hello::NotTls), "{octets:?}");
        }
        assert_eq!(read(b"\x16"), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn what_is_malformed_is_told_and_never_waited_for() {
        let bad = Some(Hello::Malformed);
        // No ClientHello; an empty record; a record that is too long; a message that is too long.
        assert_eq!(read(&[22, 3, 1, 0, 1, 2]), bad);
        assert_eq!(read(&[22, 3, 1, 0, 0]), bad);
        assert_eq!(read(&[22, 3, 1, 0x40, 1]), bad);
        assert_eq!(read(&[22, 3, 1, 0, 4, 1, 0, 0x41, 0]), bad);
        // Another kind of record in between.
        let mut mixed = records(&hello(&[sni("a.example")]), 20);
        mixed[25] = 23;
        assert_eq!(read(&mixed), bad);
        for message in [
            hello(&[sni("a"), sni("b")]),
            hello(&[sni("")]),
            hello(&[sni("a b")]),
            hello(&[sni("\u{e4}.example")]),
            hello(&[extension(0, &[])]),
            hello(&[extension(0, &prefixed(2, &[1, 0, 1, b'a']))]),
            hello(&[vec![0, 0, 0, 9, 1]]),
        ] {
            assert_eq!(read(&records(&message, 5_000)), bad, "{message:?}");
        }
    }

    #[test]
    fn no_client_makes_us_read_more_than_the_bound() {
        // Records of one octet cost six each.
        let length = [0, 0x3f, 0xff];
        let message = [&[1][..], &length, &[0; 0x3fff]].concat();
        let octets = records(&message, 1);
        let mut reader = HelloReader::default();
        let mut read = 0;
        for piece in octets.chunks(100) {
            read += piece.len();
            if let Some(end) = reader.read(piece) {
                assert_eq!(end, Hello::Malformed);
                assert!(read <= MAX_READ + 100);
                return;
            }
        }
        panic!("never told");
    }
}
