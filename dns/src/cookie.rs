//! HOT. DNS cookies (RFC 7873) of the one form that all servers make alike (RFC 9018): SipHash-2-4
//! over client cookie, version, time and client address. Stateless; time and secrets are arguments.
//!
//! Secrets are shown by nothing in here, `Debug` included.

use std::fmt;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// Octets of a cookie that a client sends first.
const CLIENT: usize = 8;
/// Octets of client and server cookie together.
pub(crate) const WHOLE: usize = 24;
/// The one version of server cookies (RFC 9018 section 4.1).
const VERSION: u8 = 1;
/// Seconds in the past (RFC 9018 section 4.3: one hour).
const OLDEST: i32 = 3_600;
/// Seconds in the future, for clocks that differ (RFC 9018 section 4.3: five minutes).
const AHEAD: i32 = 300;
/// Seconds after which a valid cookie is replaced by a new one (RFC 9018 section 4.3: half an hour).
const RENEW: i32 = 1_800;

/// What a node makes and checks cookies with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookies {
    /// The first one signs, all of them verify (RFC 9018 section 5).
    secrets: Box<[Secret]>,
    /// Who is told BADCOOKIE.
    pub badcookie: BadCookie,
}

/// Who is told BADCOOKIE instead of an answer: over UDP, and only clients that sent a cookie (RFC
/// 7873 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadCookie {
    /// Nobody; a cookie only lifts limits.
    #[default]
    Off,
    /// Those whom a limit would silence otherwise.
    WhenLimited,
    /// Everyone whose cookie is not valid.
    Always,
}

/// 128 bits that only the servers of one anycast address know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 16]);

/// A file of secrets that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsError {
    /// This line is not 32 hexadecimal digits; what is in it is not repeated.
    Line(usize),
    /// There is no secret in it.
    Empty,
}

impl Secret {
    /// A secret from octets by chance.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Reads a file of secrets: 32 hexadecimal digits a line, the first one signs; blank lines and
    /// lines that begin with `#` do not count. The form is that of NSD and Unbound.
    ///
    /// # Errors
    /// A line that is anything else, or no secret at all.
    pub fn read_all(text: &str) -> Result<Vec<Self>, SecretsError> {
        let mut secrets = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let digits = line.len() == 32 && line.bytes().all(|b| b.is_ascii_hexdigit());
            let number = u128::from_str_radix(line, 16).ok().filter(|_| digits);
            let secret = number.ok_or(SecretsError::Line(at + 1))?;
            secrets.push(Self(secret.to_be_bytes()));
        }
        if secrets.is_empty() {
            return Err(SecretsError::Empty);
        }
        Ok(secrets)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A cookie as a client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentCookie {
    client: [u8; CLIENT],
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// The client has none yet.
    None,
    /// Of a length that is none of ours.
    Foreign,
    Ours([u8; 16]),
}

impl SentCookie {
    /// Reads the option's data; `None` if it is no cookie: 8 octets, or 16 to 40 (RFC 7873 section
    /// 5.2.2).
    #[inline]
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk::<CLIENT>()?;
        let server = match server.len() {
            0 => Server::None,
            16 => Server::Ours(*server.first_chunk()?),
            8..=32 => Server::Foreign,
            _ => return None,
        };
        Some(Self {
            client: *client,
            server,
        })
    }

    /// Whether there is a server cookie in it, valid or not.
    pub(crate) const fn has_server(&self) -> bool {
        !matches!(self.server, Server::None)
    }
}

/// What a query's cookie option was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CookieSeen {
    /// The client has none of ours yet.
    ClientOnly,
    /// The client has proved that it receives at its address.
    Valid,
    /// Ours, and too old, or from too far in the future.
    Expired,
    /// By none of our secrets, for another address, or of another form.
    Wrong,
    /// Of a length that no cookie has (RFC 7873 section 5.2.2).
    Malformed,
}

/// What a cookie came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) seen: CookieSeen,
    /// What the response carries.
    pub(crate) cookie: [u8; WHOLE],
}

impl Checked {
    /// Whether the client has proved that it receives at its address.
    #[inline]
    pub(crate) fn valid(&self) -> bool {
        self.seen == CookieSeen::Valid
    }
}

impl Cookies {
    /// Cookies by these secrets, of which the first signs. `None` without any.
    pub fn new(secrets: Vec<Secret>, badcookie: BadCookie) -> Option<Self> {
        (!secrets.is_empty()).then(|| Self {
            secrets: secrets.into(),
            badcookie,
        })
    }

    /// Checks a cookie from `source` at `now`, and makes the one to answer with: the same as long
    /// as it is young and ours, else a new one.
    pub(crate) fn check(&self, sent: &SentCookie, source: IpAddr, now: u32) -> Checked {
        let source = source.to_canonical();
        let mut cookie = [0; WHOLE];
        cookie[..CLIENT].copy_from_slice(&sent.client);
        let mut seen = match sent.has_server() {
            true => CookieSeen::Wrong,
            false => CookieSeen::ClientOnly,
        };
        if let Server::Ours(server) = sent.server
            && let Some(signer) = self.signer(&sent.client, &server, source)
        {
            let [_, _, _, _, t0, t1, t2, t3, ..] = server;
            // Serial number arithmetic (RFC 9018 section 4.3).
            let age = now
                .wrapping_sub(u32::from_be_bytes([t0, t1, t2, t3]))
                .cast_signed();
            seen = match (-AHEAD..=OLDEST).contains(&age) {
                true => CookieSeen::Valid,
                false => CookieSeen::Expired,
            };
            if seen == CookieSeen::Valid && age < RENEW && signer == 0 {
                cookie[CLIENT..].copy_from_slice(&server);
                return Checked { seen, cookie };
            }
        }
        if let Some(secret) = self.secrets.first() {
            let [t0, t1, t2, t3] = now.to_be_bytes();
            let head = [VERSION, 0, 0, 0, t0, t1, t2, t3];
            let (_, server) = cookie.split_at_mut(CLIENT);
            server[..8].copy_from_slice(&head);
            server[8..].copy_from_slice(&hash(secret, &sent.client, &head, source));
        }
        Checked { seen, cookie }
    }

    /// Position of the secret that a server cookie was signed with.
    fn signer(&self, client: &[u8; CLIENT], server: &[u8; 16], source: IpAddr) -> Option<usize> {
        let (head, signature) = server.split_first_chunk::<8>()?;
        if head[0] != VERSION {
            return None;
        }
        // As whole words: no octet by octet comparison that tells by time how far it came.
        let signature = u64::from_le_bytes(*signature.first_chunk()?);
        self.secrets
            .iter()
            .position(|secret| u64::from_le_bytes(hash(secret, client, head, source)) == signature)
    }
}

/// RFC 9018 section 4.4: over client cookie, version, reserved, timestamp, client address.
fn hash(secret: &Secret, client: &[u8; CLIENT], head: &[u8; 8], source: IpAddr) -> [u8; 8] {
    let mut input = [0; CLIENT + 8 + 16];
    input[..8].copy_from_slice(client);
    input[8..16].copy_from_slice(head);
    let len = match source {
        IpAddr::V4(ip) => {
            input[16..20].copy_from_slice(&ip.octets());
            20
        }
        IpAddr::V6(ip) => {
            input[16..].copy_from_slice(&ip.octets());
            32
        }
    };
    SipHasher24::new_with_key(&secret.0)
        .hash(&input[..len])
        .to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

    fn cookies(text: &str) -> Cookies {
        Cookies::new(Secret::read_all(text).unwrap(), BadCookie::Off).unwrap()
    }

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.bytes().collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|p| u8::from_str_radix(p, 16).unwrap()).collect()
    }

    fn check(cookies: &Cookies, sent: &str, source: &str, now: u32) -> Checked {
        let sent = SentCookie::read(&octets(sent)).unwrap();
        cookies.check(&sent, source.parse().unwrap(), now)
    }

    #[test]
    fn the_vectors_of_rfc_9018_come_out() {
        // Appendix A.1: learning a new server cookie.
        let first = check(
            &cookies(SECRET),
            "2464c4abcf10c957",
            "198.51.100.100",
            1_559_731_985,
        );
        let whole = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        assert_eq!(first.cookie[..], octets(whole)[..]);
        assert_eq!(first.seen, CookieSeen::ClientOnly);
        // A.2: the same client learning a renewed one, 40 minutes later.
        let renewed = check(&cookies(SECRET), whole, "198.51.100.100", 1_559_734_385);
        assert!(renewed.valid());
        assert_eq!(
            renewed.cookie[..],
            octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77")[..]
        );
        // A.4: IPv6, with a secret that is being rotated in.
        let v6 = check(
            &cookies("dd3bdf9344b678b185a6f5cb60fca715\n445536bcd2513298075a5d379663c962"),
            "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
            "2001:db8:220:1:59de:d0f4:8769:82b8",
            1_559_741_961,
        );
        assert!(v6.valid());
    }

    #[test]
    fn a_cookie_is_valid_for_an_hour_and_five_minutes_ahead() {
        let cookies = cookies(SECRET);
        let made_at = 1_000_000_000;
        let hex = |cookie: [u8; WHOLE]| cookie.map(|b| format!("{b:02x}")).concat();
        let whole = hex(check(&cookies, "0102030405060708", "192.0.2.1", made_at).cookie);
        let at = |offset: i32| {
            check(
                &cookies,
                &whole,
                "192.0.2.1",
                made_at.wrapping_add_signed(offset),
            )
        };
        for (offset, valid, kept) in [
            (-301, false, false),
            (-300, true, true),
            (0, true, true),
            (1_799, true, true),
            (1_800, true, false),
            (3_600, true, false),
            (3_601, false, false),
        ] {
            let checked = at(offset);
            assert_eq!(checked.valid(), valid, "{offset}");
            assert_eq!(hex(checked.cookie) == whole, kept, "{offset}");
        }
        // Another address, another client cookie, another secret, a changed bit.
        assert!(!check(&cookies, &whole, "192.0.2.2", made_at).valid());
        assert!(check(&cookies, &whole, "::ffff:192.0.2.1", made_at).valid());
        assert!(
            !check(
                &cookies,
                &whole.replace("0102", "0103"),
                "192.0.2.1",
                made_at
            )
            .valid()
        );
        assert!(
            !check(
                &self::cookies(&"0".repeat(32)),
                &whole,
                "192.0.2.1",
                made_at
            )
            .valid()
        );
    }

    #[test]
    fn an_older_secret_verifies_and_the_first_one_signs() {
        let old = "00000000000000000000000000000001";
        let whole = check(&cookies(old), "0102030405060708", "192.0.2.1", 1_000).cookie;
        let hex = whole.map(|b| format!("{b:02x}")).concat();
        let both = cookies(&format!("# new\n{SECRET}\n\n{old}\n"));
        let checked = check(&both, &hex, "192.0.2.1", 1_000);
        assert!(checked.valid());
        assert_ne!(checked.cookie, whole, "signed anew by the first");
    }

    #[test]
    fn a_wrong_file_of_secrets_is_told_by_line_and_never_repeated() {
        let read = |text: &str| Secret::read_all(text).err();
        assert_eq!(read(""), Some(SecretsError::Empty));
        assert_eq!(read("# only a comment\n"), Some(SecretsError::Empty));
        assert_eq!(read(&format!("{SECRET}\nzz")), Some(SecretsError::Line(2)));
        assert_eq!(read(&SECRET[1..]), Some(SecretsError::Line(1)));
        assert_eq!(
            read(&format!("+{}", &SECRET[1..])),
            Some(SecretsError::Line(1))
        );
        assert_eq!(format!("{:?}", cookies(SECRET).secrets), "[Secret]");
    }

    #[test]
    fn cookies_of_other_lengths_are_none() {
        for len in 0..60 {
            let ok = len == 8 || (16..=40).contains(&len);
            assert_eq!(SentCookie::read(&vec![7; len]).is_some(), ok, "{len}");
        }
    }
}
