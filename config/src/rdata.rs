//! The data of a record from its presentation form (RFC 1035 section 5.1): the one place for values
//! in YAML and for master files. What a type consists of is the model's table of fields.

use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use windrose_model::{DnsName, Field, RData, RecordType, layout, unescape};

use crate::zonefile::{Entry, Grammar, Scanner, Token};

mod labels;
mod location;
mod svc_params;

/// Why a text is no data of its type: the token it is about (`None`: it ends too early), and what to
/// say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) token: Option<Token>,
    pub(crate) message: String,
}

/// The words of one record's data, still to be read.
pub(crate) struct Words<'t> {
    pub(crate) rtype: RecordType,
    pub(crate) text: &'t [u8],
    pub(crate) tokens: &'t [Token],
    /// What relative names are relative to.
    pub(crate) origin: &'t DnsName,
    /// Words that were read as names.
    pub(crate) names: Vec<Token>,
}

impl<'t> Words<'t> {
    pub(crate) const fn new(
        rtype: RecordType,
        text: &'t [u8],
        tokens: &'t [Token],
        origin: &'t DnsName,
    ) -> Self {
        Self {
            rtype,
            text,
            tokens,
            origin,
            names: Vec::new(),
        }
    }

    /// Reads all of them.
    pub(crate) fn data(&mut self) -> Result<RData, Bad> {
        let first = self.tokens.first().copied();
        let mut wire = Vec::with_capacity(64);
        if first.is_some_and(|t| !t.quoted && t.of(self.text) == b"\\#") {
            self.tokens = &self.tokens[1..];
            self.opaque(&mut wire)?;
        } else {
            let Some(fields) = layout(self.rtype) else {
                let message = format!(
                    "the data of {} is written as \\# and its length and octets in hexadecimal (RFC 3597)",
                    self.rtype
                );
                return Err(Bad {
                    token: first,
                    message,
                });
            };
            for (field, label) in fields.iter().zip(labels::labels(self.rtype)) {
                self.field(*field, label, &mut wire)?;
            }
        }
        if let Some(&token) = self.tokens.first() {
            let word = self.show(token);
            let message = format!("\"{word}\" is more than the data of {} has", self.rtype);
            return Err(Bad {
                token: Some(token),
                message,
            });
        }
        RData::from_wire(self.rtype, &wire).map_err(|error| Bad {
            token: first,
            message: format!("the data of {} is wrong: {error}", self.rtype),
        })
    }

    fn field(&mut self, field: Field, label: &str, wire: &mut Vec<u8>) -> Result<(), Bad> {
        match field {
            Field::U8 => {
                let n = self.number(label, u8::MAX.into())?;
                wire.extend_from_slice(&n.to_be_bytes()[3..]);
            }
            Field::U16 => {
                let n = self.number(label, u16::MAX.into())?;
                wire.extend_from_slice(&n.to_be_bytes()[2..]);
            }
            Field::U32 => {
                let n = self.number(label, u32::MAX)?;
                wire.extend_from_slice(&n.to_be_bytes());
            }
            Field::Seconds => {
                let n = self.word(label, "seconds or a time such as 1h30m", seconds)?;
                wire.extend_from_slice(&n.to_be_bytes());
            }
            Field::Ipv4 => {
                let ip: Ipv4Addr = self.word(label, "an IPv4 address", parsed)?;
                wire.extend_from_slice(&ip.octets());
            }
            Field::Ipv6 => {
                let ip: Ipv6Addr = self.word(label, "an IPv6 address", parsed)?;
                wire.extend_from_slice(&ip.octets());
            }
            Field::Name => {
                let token = self.next(label)?;
                let name = DnsName::relative_octets(token.of(self.text), self.origin);
                let name = name.map_err(|error| Bad {
                    token: Some(token),
                    message: format!("\"{}\" is no name here: {error}", self.show(token)),
                })?;
                self.names.push(token);
                wire.extend_from_slice(name.wire());
            }
            Field::String | Field::Tag => {
                let token = self.next(label)?;
                self.string(token, label, wire)?;
            }
            Field::Strings => {
                let mut token = self.next(label)?;
                loop {
                    self.string(token, label, wire)?;
                    match self.tokens.split_first() {
                        None => break,
                        Some((&next, rest)) => (token, self.tokens) = (next, rest),
                    }
                }
            }
            Field::Text => {
                let token = self.next(label)?;
                let octets = self.octets(token)?;
                wire.extend_from_slice(&octets);
            }
            Field::Hex => self.rest(
                label,
                "in hexadecimal",
                |text| HEXLOWER_PERMISSIVE.decode(text).ok(),
                wire,
            )?,
            Field::Base64 => {
                self.rest(label, "in base 64", |text| BASE64.decode(text).ok(), wire)?;
            }
            Field::SvcParams => self.svc_params(wire)?,
            Field::Location => self.location(wire)?,
        }
        Ok(())
    }

    /// `\#` was read: a length, and that many octets in hexadecimal (RFC 3597 section 5).
    fn opaque(&mut self, wire: &mut Vec<u8>) -> Result<(), Bad> {
        let token = self.next("length")?;
        self.tokens = match self.tokens.len() {
            0 => self.tokens,
            _ => {
                self.rest(
                    "data",
                    "in hexadecimal",
                    |text| HEXLOWER_PERMISSIVE.decode(text).ok(),
                    wire,
                )?;
                &[]
            }
        };
        let length = self.show(token);
        if length.parse() == Ok(wire.len()) {
            return Ok(());
        }
        Err(Bad {
            token: Some(token),
            message: format!("\\# says {length} octets, {} follow", wire.len()),
        })
    }

    /// The next word.
    fn next(&mut self, label: &str) -> Result<Token, Bad> {
        match self.tokens.split_first() {
            Some((&token, rest)) => {
                self.tokens = rest;
                Ok(token)
            }
            None => Err(Bad {
                token: None,
                message: format!("the {label} of {} is missing", self.rtype),
            }),
        }
    }

    /// The next word, as something that is written without escapes.
    fn word<T>(
        &mut self,
        label: &str,
        needs: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Bad> {
        let token = self.next(label)?;
        let text = std::str::from_utf8(token.of(self.text)).ok();
        text.and_then(read)
            .ok_or_else(|| self.wrong(token, label, needs))
    }

    fn number(&mut self, label: &str, most: u32) -> Result<u32, Bad> {
        let digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then_some(())
                .and_then(|()| text.parse().ok())
                .filter(|n| *n <= most)
        };
        self.word(label, &format!("a whole number from 0 to {most}"), digits)
    }

    /// All words that are left, joined.
    fn rest(
        &mut self,
        label: &str,
        needs: &str,
        decode: impl Fn(&[u8]) -> Option<Vec<u8>>,
        wire: &mut Vec<u8>,
    ) -> Result<(), Bad> {
        let first = self.next(label)?;
        let mut joined = first.of(self.text).to_vec();
        for token in self.tokens {
            joined.extend_from_slice(token.of(self.text));
        }
        self.tokens = &[];
        let octets = decode(&joined).filter(|octets| !octets.is_empty());
        let octets = octets.ok_or_else(|| self.wrong(first, label, &format!("octets {needs}")))?;
        wire.extend_from_slice(&octets);
        Ok(())
    }

    /// A character string with its length octet.
    fn string(&self, token: Token, label: &str, wire: &mut Vec<u8>) -> Result<(), Bad> {
        let octets = self.octets(token)?;
        let Ok(len) = u8::try_from(octets.len()) else {
            let message = format!(
                "the {label} of {} has {} octets, at most 255 are allowed; write several strings",
                self.rtype,
                octets.len()
            );
            return Err(Bad {
                token: Some(token),
                message,
            });
        };
        wire.push(len);
        wire.extend_from_slice(&octets);
        Ok(())
    }

    /// What a word stands for, its escapes resolved.
    fn octets(&self, token: Token) -> Result<Vec<u8>, Bad> {
        unescaped(token.of(self.text)).ok_or_else(|| Bad {
            token: Some(token),
            message: "a '\\' is followed by a character or by three digits up to 255".to_owned(),
        })
    }

    fn wrong(&self, token: Token, label: &str, needs: &str) -> Bad {
        let word = self.show(token);
        Bad {
            token: Some(token),
            message: format!(
                "the {label} of {} is \"{word}\", must be {needs}",
                self.rtype
            ),
        }
    }

    /// A word as messages show it.
    fn show(&self, token: Token) -> String {
        const SHOWN: usize = 80;
        let octets = token.of(self.text);
        let text = String::from_utf8_lossy(&octets[..octets.len().min(SHOWN)]);
        let more = if octets.len() > SHOWN { "…" } else { "" };
        format!("{text}{more}")
    }
}

/// Resolves escapes.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet == b'\\' {
            let (octet, after) = unescape(rest)?;
            octets.push(octet);
            rest = after;
        } else {
            octets.push(octet);
        }
    }
    Some(octets)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// A number of seconds, or numbers with the units `w d h m s`, the largest first (as BIND has it).
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let mut total = 0_u64;
    let mut rest = text.as_bytes();
    let mut last = u64::MAX;
    loop {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        // Ten digits are more than any u32 needs.
        if digits == 0 || digits > 10 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let number = number
            .iter()
            .fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
        let Some((unit, after)) = after.split_first() else {
            let alone = digits == text.len();
            return u32::try_from(number).ok().filter(|_| alone);
        };
        let unit = match unit.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= last {
            return None;
        }
        last = unit;
        total += number * unit;
        rest = after;
        if rest.is_empty() {
            return u32::try_from(total).ok();
        }
    }
}

/// The words of a value that stands alone, as in YAML.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Bad> {
    let mut entry = Entry::default();
    match Scanner::new(text.as_bytes(), Grammar::Value).next(&mut entry) {
        Ok(_) => Ok(entry.tokens),
        Err(torn) => Err(Bad {
            token: None,
            message: torn.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rtype: &str, text: &str) -> Result<RData, String> {
        let origin = DnsName::parse("example.com").unwrap();
        let tokens = tokens(text).map_err(|bad| bad.message)?;
        let rtype = rtype.parse().unwrap();
        let mut words = Words::new(rtype, text.as_bytes(), &tokens, &origin);
        words.data().map_err(|bad| bad.message)
    }

    /// Reads and writes, names shown absolute.
    fn check(rtype: &str, text: &str, expected: &str) {
        let data = read(rtype, text).unwrap_or_else(|bad| panic!("{rtype} {text}: {bad}"));
        assert_eq!(data.as_ref().to_string(), expected, "{rtype} {text}");
    }

    #[test]
    fn every_type_is_read_from_its_presentation_form() {
        check("A", "192.0.2.1", "192.0.2.1");
        check("AAAA", "2001:DB8::1", "2001:db8::1");
        check("NS", "ns1", "ns1.example.com");
        check("CNAME", "@", "example.com");
        check("DNAME", "Example.NET.", "example.net");
        check("PTR", "host.", "host");
        check("MX", "10 mail", "10 mail.example.com");
        check(
            "TXT",
            r#"v=spf1 "a b" "" \065\;"#,
            r#""v=spf1" "a b" "" "A;""#,
        );
        check("SRV", "0 5 5060 sip", "0 5 5060 sip.example.com");
        check(
            "CAA",
            "0 issue \"ca.example; x=1\"",
            "0 issue \"ca.example; x=1\"",
        );
        let naptr = r#"100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" ."#;
        check("NAPTR", naptr, naptr);
        let digest = "ab".repeat(32);
        check(
            "TLSA",
            &format!("3 1 1 {}", digest.to_uppercase()),
            &format!("3 1 1 {digest}"),
        );
        check(
            "DS",
            &format!("1 13 2 {} {}", &digest[..10], &digest[10..]),
            &format!("1 13 2 {digest}"),
        );
        check("SSHFP", &format!("4 2 {digest}"), &format!("4 2 {digest}"));
        check("DNSKEY", "256 3 13 aGVs bG8=", "256 3 13 aGVsbG8=");
        check("HINFO", "RFC8482 \"\"", "\"RFC8482\" \"\"");
        check("URI", "1 2 \"https://a.b/\"", "1 2 \"https://a.b/\"");
        check(
            "SOA",
            "ns host 1 1h30m 1d 2w 60",
            "ns.example.com host.example.com 1 5400 86400 1209600 60",
        );
        check("TYPE65280", "\\# 3 AB 00cd", "\\# 3 ab00cd");
        check("TYPE65280", "\\# 0", "\\# 0");
        check("A", "\\# 4 c0000201", "192.0.2.1");
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let check = |rtype, text, expected| {
            assert_eq!(read(rtype, text).unwrap_err(), expected, "{rtype} {text}");
        };
        check(
            "A",
            "x",
            "the address of A is \"x\", must be an IPv4 address",
        );
        check("A", "192.0.2.1 2", "\"2\" is more than the data of A has");
        check("MX", "10", "the exchange of MX is missing");
        check(
            "MX",
            "mail 10",
            "the preference of MX is \"mail\", must be a whole number from 0 to 65535",
        );
        check(
            "SRV",
            "0 0 70000 a",
            "the port of SRV is \"70000\", must be a whole number from 0 to 65535",
        );
        check(
            "NS",
            "a..b",
            "\"a..b\" is no name here: a domain name has an empty label",
        );
        check(
            "TLSA",
            "3 1 1 abc",
            "the data of TLSA is \"abc\", must be octets in hexadecimal",
        );
        check(
            "DS",
            "1 13 2 ab",
            "the data of DS is wrong: a digest of this kind has 32 octets, this one has 1",
        );
        check(
            "TYPE65280",
            "abc",
            "the data of TYPE65280 is written as \\# and its length and octets in hexadecimal (RFC 3597)",
        );
        check("TYPE65280", "\\# 2 ab", "\\# says 2 octets, 1 follow");
        check(
            "A",
            "\\# 3 c00002",
            "the data of A is wrong: the data ends inside a field",
        );
        check(
            "TXT",
            "a\\300",
            "a '\\' is followed by a character or by three digits up to 255",
        );
    }

    #[test]
    fn seconds_may_have_units_largest_first() {
        let check = |text, expected| assert_eq!(seconds(text), expected, "{text}");
        check("300", Some(300));
        check("1H30m", Some(5_400));
        check("1w2d3h4m5s", Some(788_645));
        for wrong in [
            "",
            "h",
            "1x",
            "1m1h",
            "1h30",
            "1m1m",
            "99999999999",
            "7102w",
            "-1",
        ] {
            check(wrong, None);
        }
    }
}
