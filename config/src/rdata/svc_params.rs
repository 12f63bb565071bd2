//! Parameters of SVCB and HTTPS records in presentation form (RFC 9460 section 2.1 and appendix A).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;
use windrose_model::svc_param as key;

use super::{Bad, Words, unescaped};
use crate::zonefile::Token;

impl Words<'_> {
    /// Reads all words: `key`, `key=value` or `key="value"`, in any order.
    pub(super) fn svc_params(&mut self, wire: &mut Vec<u8>) -> Result<(), Bad> {
        let is_alias = wire.starts_with(&[0, 0]);
        let mut params = BTreeMap::new();
        for &token in self.tokens {
            let bad = |message| Bad {
                token: Some(token),
                message,
            };
            if is_alias {
                let rtype = self.rtype;
                return Err(bad(format!(
                    "{rtype} with priority 0 is an alias and has no parameters (RFC 9460 section 2.4.2)"
                )));
            }
            let word = token.of(self.text);
            let (name, value) = match word.iter().position(|o| *o == b'=') {
                Some(at) => (&word[..at], Some(unquoted(&word[at + 1..]))),
                None => (word, None),
            };
            let name = String::from_utf8_lossy(name);
            let number = number_of(&name).ok_or_else(|| {
                bad(format!(
                    "\"{name}\" is no service parameter; known are {} and keyNNNNN",
                    known()
                ))
            })?;
            let is_raw = name.starts_with("key");
            let octets = self.svc_value(number, is_raw, value, token)?;
            if params.insert(number, octets).is_some() {
                return Err(bad(format!("service parameter {name} stands twice")));
            }
        }
        self.tokens = &[];
        for (number, octets) in params {
            wire.extend_from_slice(&number.to_be_bytes());
            // What is longer is refused with the whole.
            let len = u16::try_from(octets.len()).unwrap_or(u16::MAX);
            wire.extend_from_slice(&len.to_be_bytes());
            wire.extend_from_slice(&octets);
        }
        Ok(())
    }

    fn svc_value(
        &self,
        number: u16,
        is_raw: bool,
        value: Option<&[u8]>,
        token: Token,
    ) -> Result<Vec<u8>, Bad> {
        let needs = |needs: &str| Bad {
            token: Some(token),
            message: format!("\"{}\" needs {needs}", self.show(token)),
        };
        let octets = unescaped(value.unwrap_or_default())
            .ok_or_else(|| needs("a character or three digits up to 255 behind each '\\'"))?;
        if is_raw {
            return Ok(octets);
        }
        let text = String::from_utf8_lossy(&octets);
        match number {
            key::MANDATORY => {
                let numbers: Option<Vec<_>> = text.split(',').map(number_of).collect();
                let mut numbers = numbers.ok_or_else(|| needs("names of service parameters"))?;
                numbers.sort_unstable();
                Ok(numbers.into_iter().flat_map(u16::to_be_bytes).collect())
            }
            key::ALPN => list(&octets)
                .map(|ids| ids.concat())
                .ok_or_else(|| needs("protocols of 1 to 255 octets, such as h2,h3")),
            key::NO_DEFAULT_ALPN | key::OHTTP => match value {
                None => Ok(Vec::new()),
                Some(_) => Err(needs("no value")),
            },
            key::PORT => match text.parse::<u16>() {
                Ok(port) => Ok(port.to_be_bytes().to_vec()),
                Err(_) => Err(needs("a port from 0 to 65535")),
            },
            key::IPV4HINT => {
                let hints: Result<Vec<_>, _> =
                    text.split(',').map(str::parse::<Ipv4Addr>).collect();
                let hints = hints.map_err(|_| needs("IPv4 addresses with commas between"))?;
                Ok(hints.iter().flat_map(Ipv4Addr::octets).collect())
            }
            key::IPV6HINT => {
                let hints: Result<Vec<_>, _> =
                    text.split(',').map(str::parse::<Ipv6Addr>).collect();
                let hints = hints.map_err(|_| needs("IPv6 addresses with commas between"))?;
                Ok(hints.iter().flat_map(Ipv6Addr::octets).collect())
            }
            key::ECH => BASE64.decode(&octets).map_err(|_| needs("base 64")),
            key::DOHPATH if !text.starts_with('/') || !text.contains("dns") => Err(needs(
                "a path template with the variable dns, such as /dns-query{?dns}",
            )),
            _ => Ok(octets),
        }
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

/// By name, or `key` and a number without leading zeros (RFC 9460 section 2.1).
fn number_of(name: &str) -> Option<u16> {
    let known = key::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, number)| *number).or_else(|| {
        let digits = name.strip_prefix("key")?;
        let number: u16 = digits.parse().ok()?;
        (digits == number.to_string()).then_some(number)
    })
}

fn known() -> String {
    key::NAMES.map(|(name, _)| name).join(", ")
}

/// Items between commas, each with its length octet; `\,` and `\\` are octets of an item (RFC 9460
/// appendix A.1).
fn list(octets: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = vec![vec![0]];
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            b',' => items.push(vec![0]),
            b'\\' => {
                let next = rest.next().filter(|o| [b',', b'\\'].contains(o))?;
                items.last_mut()?.push(*next);
            }
            _ => items.last_mut()?.push(octet),
        }
    }
    for item in &mut items {
        item[0] = u8::try_from(item.len() - 1).ok().filter(|len| *len > 0)?;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;
    use windrose_model::{DnsName, RData, RecordType};

    fn read(text: &str) -> Result<RData, String> {
        let origin = DnsName::parse("example.com").unwrap();
        let tokens = tokens(text).unwrap();
        let mut words = Words::new(RecordType::HTTPS, text.as_bytes(), &tokens, &origin);
        words.data().map_err(|bad| bad.message)
    }

    fn check(text: &str, expected: &str) {
        let data = read(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
        assert_eq!(data.as_ref().to_string(), expected);
    }

    #[test]
    fn every_parameter_is_read_in_any_order_and_shown_in_ascending() {
        check("0 pool.svc.example.", "0 pool.svc.example");
        check(
            "16 . port=53 alpn=\"h2,h3\" mandatory=port,alpn",
            "16 . mandatory=alpn,port alpn=h2,h3 port=53",
        );
        check("1 . no-default-alpn alpn=h2", "1 . alpn=h2 no-default-alpn");
        check(
            "1 . ipv6hint=2001:db8::1,2001:db8::2 ipv4hint=192.0.2.1",
            "1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1,2001:db8::2",
        );
        check(
            "1 . ech=aGVsbG8= dohpath=/dns-query{?dns} ohttp",
            "1 . ech=aGVsbG8= dohpath=\"/dns-query{?dns}\" ohttp",
        );
        // RFC 9460 appendix D.2.
        check(
            "1 foo.example.com. key667=hello",
            "1 foo.example.com key667=\"hello\"",
        );
        check(
            r#"1 foo.example.com. key667="hello\210qoo""#,
            r#"1 foo.example.com key667="hello\210qoo""#,
        );
        check("1 . key1=\\002h2", "1 . alpn=h2");
    }

    #[test]
    fn commas_and_backslashes_in_protocols_are_escaped_twice() {
        // RFC 9460 appendix D.2, figures 9 and 10: one id `f\oo,bar`, then `h2`.
        let expected = b"\0\x10\x03foo\x07example\x03org\0\0\x01\0\x0c\x08f\\oo,bar\x02h2";
        for text in [
            r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
            r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2",
        ] {
            let data = read(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
            assert_eq!(data.wire(), expected);
            let absolute = data.as_ref().to_string().replace("org", "org.");
            assert_eq!(read(&absolute).unwrap(), data);
        }
    }

    #[test]
    fn parameters_that_contradict_themselves_are_refused() {
        // RFC 9460 appendix D.3 among them.
        for wrong in [
            "1 foo.example.com. key123=abc key123=def",
            "1 foo.example.com. mandatory",
            "1 foo.example.com. alpn",
            "1 foo.example.com. port",
            "1 foo.example.com. ipv4hint",
            "1 foo.example.com. no-default-alpn=abc",
            "1 foo.example.com. mandatory=key123",
            "1 foo.example.com. mandatory=mandatory",
            "1 foo.example.com. mandatory=key123,key123 key123=abc",
            "1 . no-default-alpn",
            "1 . alpn=a,,b",
            "1 . nonsense=1",
            "1 . key65535=a",
            "1 . key01=a",
            "1 . dohpath=dns-query",
            "0 . alpn=h2",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
