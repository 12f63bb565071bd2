//! Data as text: presentation form (RFC 1035 section 5.1), names without their final dot.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;

use super::RDataRef;
use super::form::name_len;
use super::layout::{Field, layout};
use super::svcb::{SvcParams, key};
use crate::DnsName;

impl fmt::Display for RDataRef<'_> {
    /// What a master file has behind the type; of a type whose form is not known, `\# length octets`
    /// (RFC 3597 section 5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fields) = layout(self.rtype) else {
            return opaque(f, self.wire);
        };
        let mut rest = self.wire;
        for (at, field) in fields.iter().enumerate() {
            // Valid by construction, so that a field lacks octets only behind the last one.
            let Some((octets, after)) = split(*field, rest) else {
                return Ok(());
            };
            if at > 0 && !(*field == Field::SvcParams && octets.is_empty()) {
                f.write_char(' ')?;
            }
            write(f, *field, octets)?;
            rest = after;
        }
        Ok(())
    }
}

/// The octets of a field and those behind it.
fn split(field: Field, rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = match field {
        Field::U8 => 1,
        Field::U16 => 2,
        Field::U32 | Field::Seconds | Field::Ipv4 => 4,
        Field::Ipv6 | Field::Location => 16,
        Field::Name => name_len(rest)?,
        Field::String | Field::Tag => 1 + usize::from(*rest.first()?),
        Field::Strings | Field::Text | Field::Hex | Field::Base64 | Field::SvcParams => rest.len(),
    };
    rest.split_at_checked(len)
}

fn write(f: &mut fmt::Formatter<'_>, field: Field, octets: &[u8]) -> fmt::Result {
    match field {
        Field::U8 | Field::U16 | Field::U32 | Field::Seconds => write!(f, "{}", number(octets)),
        Field::Ipv4 => ipv4(f, octets),
        Field::Ipv6 => ipv6(f, octets),
        Field::Name => match DnsName::from_wire(octets) {
            Some(name) => write!(f, "{name}"),
            None => Ok(()),
        },
        Field::String => quoted(f, &octets[1..]),
        Field::Strings => strings(f, octets),
        Field::Tag => octets[1..]
            .iter()
            .try_for_each(|&o| f.write_char(char::from(o))),
        Field::Text => quoted(f, octets),
        Field::Hex => hex(f, octets),
        Field::Base64 => f.write_str(&BASE64.encode(octets)),
        Field::SvcParams => svc_params(f, octets),
        Field::Location => location(f, octets),
    }
}

fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |n, &octet| n << 8 | u32::from(octet))
}

fn ipv4(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    match <[u8; 4]>::try_from(octets) {
        Ok(octets) => write!(f, "{}", Ipv4Addr::from(octets)),
        Err(_) => Ok(()),
    }
}

fn ipv6(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    match <[u8; 16]>::try_from(octets) {
        Ok(octets) => write!(f, "{}", Ipv6Addr::from(octets)),
        Err(_) => Ok(()),
    }
}

fn opaque(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    write!(f, "\\# {}", octets.len())?;
    if octets.is_empty() {
        return Ok(());
    }
    f.write_char(' ')?;
    hex(f, octets)
}

fn hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

fn strings(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    let mut rest = octets;
    while let Some((&len, after)) = rest.split_first() {
        let (string, after) = after.split_at(usize::from(len).min(after.len()));
        if rest.len() < octets.len() {
            f.write_char(' ')?;
        }
        quoted(f, string)?;
        rest = after;
    }
    Ok(())
}

/// In quotes; what is no visible ASCII as `\DDD`.
fn quoted(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => write!(f, "\\{}", char::from(octet))?,
            b' '..=b'~' => f.write_char(char::from(octet))?,
            other => write!(f, "\\{other:03}")?,
        }
    }
    f.write_char('"')
}

fn svc_params(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    for (at, (key, value)) in SvcParams::new(octets).enumerate() {
        if at > 0 {
            f.write_char(' ')?;
        }
        svc_key(f, key)?;
        if !value.is_empty() {
            f.write_char('=')?;
            svc_value(f, key, value)?;
        }
    }
    Ok(())
}

fn svc_key(f: &mut fmt::Formatter<'_>, key: u16) -> fmt::Result {
    match key::NAMES.iter().find(|(_, known)| *known == key) {
        Some((name, _)) => f.write_str(name),
        None => write!(f, "key{key}"),
    }
}

fn svc_value(f: &mut fmt::Formatter<'_>, key: u16, value: &[u8]) -> fmt::Result {
    match key {
        key::MANDATORY => listed(f, value, 2, |f, item| {
            svc_key(f, u16::try_from(number(item)).unwrap_or(u16::MAX))
        }),
        key::PORT => write!(f, "{}", number(value)),
        key::IPV4HINT => listed(f, value, 4, ipv4),
        key::IPV6HINT => listed(f, value, 16, ipv6),
        key::ECH => f.write_str(&BASE64.encode(value)),
        key::ALPN => {
            let mut list = Vec::new();
            let mut rest = value;
            while let Some((&len, after)) = rest.split_first() {
                let (item, after) = after.split_at(usize::from(len).min(after.len()));
                if !list.is_empty() {
                    list.push(b',');
                }
                for &octet in item {
                    // Escapes of the list, inside those of the string (RFC 9460 appendix A.1).
                    if octet == b',' || octet == b'\\' {
                        list.push(b'\\');
                    }
                    list.push(octet);
                }
                rest = after;
            }
            let plain = |o: &u8| o.is_ascii_alphanumeric() || b"-._,/:".contains(o);
            match std::str::from_utf8(&list) {
                Ok(text) if list.iter().all(plain) => f.write_str(text),
                _ => quoted(f, &list),
            }
        }
        _ => quoted(f, value),
    }
}

/// Items of one size with commas between.
fn listed(
    f: &mut fmt::Formatter<'_>,
    value: &[u8],
    size: usize,
    one: impl Fn(&mut fmt::Formatter<'_>, &[u8]) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in value.chunks(size).enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        one(f, item)?;
    }
    Ok(())
}

/// RFC 1876 section 3.
fn location(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    let Ok(o) = <[u8; 16]>::try_from(octets) else {
        return Ok(());
    };
    arc(f, number(&o[4..8]), ['S', 'N'])?;
    f.write_char(' ')?;
    arc(f, number(&o[8..12]), ['W', 'E'])?;
    let altitude = i64::from(number(&o[12..16])) - 10_000_000;
    let sign = if altitude < 0 { "-" } else { "" };
    let centimetres = altitude.unsigned_abs();
    write!(f, " {sign}{}.{:02}m", centimetres / 100, centimetres % 100)?;
    for size in &o[1..4] {
        let centimetres = u64::from(size >> 4) * 10_u64.pow(u32::from(size & 0xf));
        write!(f, " {}.{:02}m", centimetres / 100, centimetres % 100)?;
    }
    Ok(())
}

fn arc(f: &mut fmt::Formatter<'_>, value: u32, [below, above]: [char; 2]) -> fmt::Result {
    let equator = 1 << 31;
    let thousandths = value.abs_diff(equator);
    let (seconds, minutes) = (thousandths / 1_000, thousandths / 60_000);
    write!(
        f,
        "{} {} {}.{:03} {}",
        minutes / 60,
        minutes % 60,
        seconds % 60,
        thousandths % 1_000,
        if value < equator { below } else { above }
    )
}
