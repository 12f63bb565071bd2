//! Domain names in lower-cased, uncompressed wire form.

use std::fmt;
use std::sync::Arc;

/// A fully qualified domain name: lower-cased wire form with its root octet, at most 255 octets
/// (RFC 1035 section 3.1). Compared and hashed by octets; ASCII case is folded when it is made
/// (RFC 4343).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A character that needs an escape we do not accept.
    #[error(
        "{0:?} is not allowed in a domain name; international names are written in their xn-- form"
    )]
    Character(char),
}

impl DnsName {
    /// Reads presentation form, with or without the final dot, always taken as fully qualified.
    /// Accepts visible ASCII except `\`, `"`, `(`, `)`, `;`, `@` and space.
    pub fn parse(text: &str) -> Result<Self, DnsNameError> {
        if text.is_empty() {
            return Err(DnsNameError::Empty);
        }
        let text = if text == "." {
            ""
        } else {
            text.strip_suffix('.').unwrap_or(text)
        };
        let mut wire = Vec::with_capacity(text.len() + 2);
        if !text.is_empty() {
            for label in text.split('.') {
                if label.is_empty() {
                    return Err(DnsNameError::EmptyLabel);
                }
                if let Some(c) = label
                    .chars()
                    .find(|c| !c.is_ascii_graphic() || "\\\"();@".contains(*c))
                {
                    return Err(DnsNameError::Character(c));
                }
                if label.len() > 63 {
                    return Err(DnsNameError::LabelTooLong(label.len()));
                }
                wire.push(u8::try_from(label.len()).unwrap_or(63));
                wire.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
            }
        }
        wire.push(0);
        if wire.len() > 255 {
            return Err(DnsNameError::TooLong(wire.len()));
        }
        Ok(Self(wire.into()))
    }

    /// Reads a name written relative to `origin`: `@` is the origin itself, a final dot makes it
    /// absolute, anything else has the origin appended.
    pub fn relative(text: &str, origin: &Self) -> Result<Self, DnsNameError> {
        if text == "@" {
            return Ok(origin.clone());
        }
        let name = Self::parse(text)?;
        if text.ends_with('.') {
            return Ok(name);
        }
        let mut wire = name.0[..name.0.len() - 1].to_vec();
        wire.extend_from_slice(&origin.0);
        if wire.len() > 255 {
            return Err(DnsNameError::TooLong(wire.len()));
        }
        Ok(Self(wire.into()))
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

impl fmt::Display for DnsName {
    /// Presentation form without the final dot, except for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.pad(".");
        }
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(label.iter().map(|&b| char::from(b)));
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
    }
}
