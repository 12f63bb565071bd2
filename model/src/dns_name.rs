//! Domain names in lower-cased, uncompressed wire form.

use std::fmt;
use std::sync::Arc;

mod order;

/// A fully qualified domain name: lower-cased wire form with its root octet, at most 255 octets
/// (RFC 1035 section 3.1). Equal and hashed by octets; ASCII case is folded when it is made
/// (RFC 4343). Ordered as RFC 4034 section 6.1 orders names, by labels from the right: a name stands
/// directly before the names below it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DnsName(Arc<[u8]>);

/// Why a text is not a [`DnsName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsNameError {
    /// No text at all; the root is written `.`.
    #[error("a domain name is empty; the root is written '.'")]
    Empty,
    /// Two dots in a row, or a leading dot.
    #[error("a domain name has an empty label")]
    EmptyLabel,
    /// A label above 63 octets.
    #[error("a label has {0} octets, at most 63 are allowed")]
    LabelTooLong(usize),
    /// The whole name above 255 octets.
    #[error("a domain name has {0} octets in wire form, at most 255 are allowed")]
    TooLong(usize),
    /// A character that has to be escaped.
    #[error(
        "{0:?} is not allowed in a domain name; international names are written in their xn-- form"
    )]
    Character(char),
    /// A `\` that is not followed by a visible character, or by three digits up to 255.
    #[error("a '\\' in a domain name is followed by a character or by three digits up to 255")]
    Escape,
}

impl DnsName {
    /// Reads presentation form, with or without the final dot, always taken as fully qualified.
    /// Accepts visible ASCII except `"`, `(`, `)`, `;`, `@` and space; any octet as `\DDD`, and any
    /// visible one behind a `\` (RFC 1035 section 5.1).
    pub fn parse(text: &str) -> Result<Self, DnsNameError> {
        let (mut wire, is_absolute) = labels_of(text.as_bytes())?;
        if !is_absolute {
            wire.push(0);
        }
        finish(wire)
    }

    /// Reads a name written relative to `origin`: `@` is the origin itself, a final dot makes it
    /// absolute, anything else has the origin appended.
    pub fn relative(text: &str, origin: &Self) -> Result<Self, DnsNameError> {
        Self::relative_octets(text.as_bytes(), origin)
    }

    /// The same of octets, as a master file has them.
    pub fn relative_octets(text: &[u8], origin: &Self) -> Result<Self, DnsNameError> {
        if text == b"@" {
            return Ok(origin.clone());
        }
        let (mut wire, is_absolute) = labels_of(text)?;
        if !is_absolute {
            wire.extend_from_slice(&origin.0);
        }
        finish(wire)
    }

    /// Reads exactly one uncompressed name in wire form, its root octet included, and folds its case;
    /// `None` when it is malformed, longer than 255 octets, or followed by more.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        let mut at = 0;
        loop {
            let len = usize::from(*wire.get(at)?);
            at += len + 1;
            if len > 63 || at > 255 {
                return None;
            }
            if len == 0 {
                break;
            }
        }
        (at == wire.len()).then(|| Self(wire.to_ascii_lowercase().into()))
    }

    /// The wire form, root octet included.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the leftmost, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            if len == 0 {
                return None;
            }
            let (label, after) = tail.split_at(usize::from(len));
            rest = after;
            Some(label)
        })
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let len = usize::from(self.0[0]);
        (len > 0).then(|| Self(self.0[len + 1..].into()))
    }

    /// Whether this name is `zone` or below it, by whole labels.
    pub fn is_within(&self, zone: &Self) -> bool {
        let (name, zone) = (&self.0, &zone.0);
        let mut at = 0;
        while name.len() - at > zone.len() {
            at += usize::from(name[at]) + 1;
        }
        name[at..] == zone[..]
    }

    /// Whether the leftmost label is `*` (RFC 4592).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(&[1, b'*'])
    }
}

/// The labels of a text in wire form, and whether they end with the root.
fn labels_of(text: &[u8]) -> Result<(Vec<u8>, bool), DnsNameError> {
    if text.is_empty() {
        return Err(DnsNameError::Empty);
    }
    let mut wire = Vec::with_capacity(text.len() + 2);
    if text == b"." {
        return Ok((vec![0], true));
    }
    let mut rest = text;
    loop {
        let start = wire.len();
        wire.push(0);
        let mut ends = true;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'.' => {
                    ends = false;
                    break;
                }
                b'\\' => {
                    let (octet, after) = unescape(rest).ok_or(DnsNameError::Escape)?;
                    wire.push(octet.to_ascii_lowercase());
                    rest = after;
                }
                b'"' | b'(' | b')' | b';' | b'@' => {
                    return Err(DnsNameError::Character(char::from(octet)));
                }
                b'!'..=b'~' => wire.push(octet.to_ascii_lowercase()),
                _ => return Err(strange(&text[text.len() - after.len() - 1..])),
            }
        }
        let len = wire.len() - start - 1;
        match len {
            0 => return Err(DnsNameError::EmptyLabel),
            1..=63 => wire[start] = u8::try_from(len).unwrap_or(63),
            _ => return Err(DnsNameError::LabelTooLong(len)),
        }
        if ends {
            return Ok((wire, false));
        }
        if rest.is_empty() {
            wire.push(0);
            return Ok((wire, true));
        }
    }
}

fn finish(wire: Vec<u8>) -> Result<DnsName, DnsNameError> {
    match wire.len() {
        ..=255 => Ok(DnsName(wire.into())),
        len => Err(DnsNameError::TooLong(len)),
    }
}

/// The octet that an escape stands for, behind its `\`, and what follows (RFC 1035 section 5.1).
pub fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, after) = text.split_first()?;
    if !first.is_ascii_digit() {
        return (b' '..=b'~').contains(&first).then_some((first, after));
    }
    let (digits, after) = text.split_first_chunk::<3>()?;
    let mut value = 0_u16;
    for digit in digits {
        value = value * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some((u8::try_from(value).ok()?, after))
}

/// The character at the beginning of `rest`, which no name has.
fn strange(rest: &[u8]) -> DnsNameError {
    let some = &rest[..rest.len().min(4)];
    let character = some
        .utf8_chunks()
        .next()
        .and_then(|c| c.valid().chars().next());
    DnsNameError::Character(character.unwrap_or(char::REPLACEMENT_CHARACTER))
}

impl fmt::Display for DnsName {
    /// Presentation form without the final dot, except for the root; with escapes where the octets
    /// need them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.pad(".");
        }
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        text.extend(['\\', char::from(octet)]);
                    }
                    b'!'..=b'~' => text.push(char::from(octet)),
                    _ => text.push_str(&format!("\\{octet:03}")),
                }
            }
        }
        f.pad(&text)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl std::str::FromStr for DnsName {
    type Err = DnsNameError;
    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn case_is_folded_and_the_final_dot_does_not_matter() {
        assert_eq!(name("WWW.Example.com."), name("www.example.com"));
        assert_eq!(name("a.b").wire(), b"\x01a\x01b\x00");
        assert_eq!(name(".").to_string(), ".");
    }

    #[test]
    fn names_are_ordered_by_labels_from_the_right() {
        // The list of RFC 4034 section 6.1, without what a DnsName cannot be written with.
        let sorted = [
            ".",
            "example",
            "a.example",
            "yljkjljk.a.example",
            "z.a.example",
            "zabc.a.example",
            "z.example",
            "*.z.example",
            "x-0.z.example",
        ]
        .map(name);
        assert!(sorted.is_sorted(), "{sorted:?}");
        assert!(sorted.iter().rev().is_sorted_by(|a, b| a > b));
        let long = name(&["a"; 127].join("."));
        assert!(long.cmp(&long).is_eq() && name("a") < long);
    }

    #[test]
    fn within_goes_by_whole_labels() {
        assert!(name("a.example.com").is_within(&name("example.com")));
        assert!(name("example.com").is_within(&name("example.com")));
        assert!(name("example.com").is_within(&name(".")));
        assert!(!name("badexample.com").is_within(&name("example.com")));
        assert!(!name("com").is_within(&name("example.com")));
    }

    #[test]
    fn relative_names_take_their_origin() {
        let origin = name("example.com");
        assert_eq!(DnsName::relative("@", &origin).unwrap(), origin);
        assert_eq!(
            DnsName::relative("www", &origin).unwrap(),
            name("www.example.com")
        );
        assert_eq!(
            DnsName::relative("www.other.org.", &origin).unwrap(),
            name("www.other.org")
        );
    }

    #[test]
    fn escapes_are_read_and_written_back() {
        let odd = name(r"a\.B\\.\000\255\032\(c");
        assert_eq!(odd.wire(), b"\x04a.b\\\x05\x00\xff (c\x00");
        assert_eq!(odd.to_string(), r"a\.b\\.\000\255\032\(c");
        assert_eq!(name(&odd.to_string()), odd);
        let origin = name("example.com");
        let relative = DnsName::relative(r"a\.", &origin).unwrap();
        assert_eq!(
            relative,
            name(r"a\..example.com"),
            "the dot is in the label"
        );
    }

    #[test]
    fn too_long_and_strange_names_are_refused() {
        assert_eq!(DnsName::parse(""), Err(DnsNameError::Empty));
        assert_eq!(DnsName::parse("a..b"), Err(DnsNameError::EmptyLabel));
        assert_eq!(
            DnsName::parse(&"a".repeat(64)),
            Err(DnsNameError::LabelTooLong(64))
        );
        assert!(matches!(
            DnsName::parse(&"a.".repeat(128)),
            Err(DnsNameError::TooLong(257))
        ));
        assert_eq!(DnsName::parse("ü.de"), Err(DnsNameError::Character('ü')));
        assert_eq!(DnsName::parse("a b"), Err(DnsNameError::Character(' ')));
        for wrong in ["a\\", "a\\25", "a\\256", "a\\2x5.b", "a\\2 5"] {
            assert_eq!(DnsName::parse(wrong), Err(DnsNameError::Escape), "{wrong}");
        }
    }
}
