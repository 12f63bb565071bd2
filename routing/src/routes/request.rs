//! What routing reads of a request head. HOT.

use std::borrow::Cow;

use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, Method};

use windrose_model::UserKey;

use crate::atlas::Leaf;

/// A request as routes see it.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// Lower-case, without port and final dot.
    pub host: &'a str,
    /// In its normal form; see [`normal_path`](windrose_model::normal_path).
    pub path: &'a str,
    /// Behind the `?`, as it came.
    pub query: Option<&'a str>,
    /// As it came.
    pub method: &'a Method,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// Of the client.
    pub leaf: Leaf,
}

impl<'a> RequestHead<'a> {
    /// The value of a field, its lines joined by `, ` if there are several (RFC 9110 section 5.2).
    pub(crate) fn header(&self, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        joined_field(self.headers, name)
    }

    /// The first parameter of that name, decoded (URL standard, `application/x-www-form-urlencoded`).
    pub(crate) fn parameter(&self, wanted: &str) -> Option<Cow<'a, [u8]>> {
        self.query?.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (*decoded(name) == *wanted.as_bytes()).then(|| decoded(value))
        })
    }

    /// The first cookie of that name (RFC 6265 section 4.2).
    pub(crate) fn cookie(&self, wanted: &str) -> Option<&'a [u8]> {
        cookie(self.headers, wanted)
    }

    /// What names the user.
    pub(crate) fn user(&self, key: &UserKey) -> Option<Cow<'a, [u8]>> {
        match key {
            UserKey::Header(name) => self.header(name),
            UserKey::Cookie(name) => self.cookie(name).map(Cow::Borrowed),
        }
    }

    /// Whether it is a call of gRPC by its method and content type.
    pub(super) fn is_grpc(&self) -> bool {
        let content = self.headers.get(CONTENT_TYPE);
        *self.method == Method::POST
            && content.is_some_and(|content| {
                let rest = content.as_bytes().strip_prefix(b"application/grpc");
                rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
            })
    }
}

/// The value of a field, its lines joined by `, ` if there are several (RFC 9110 section 5.2).
pub fn joined_field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    let Some(second) = lines.next() else {
        return Some(Cow::Borrowed(first));
    };
    let mut joined = first.to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
    }
    Some(Cow::Owned(joined))
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    pairs.find_map(|pair| {
        let at = pair.iter().position(|b| *b == b'=')?;
        (pair[..at].trim_ascii() == wanted.as_bytes()).then(|| pair[at + 1..].trim_ascii())
    })
}

fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        octets.push(match first {
            b'+' => b' ',
            b'%' => match escaped(behind) {
                Some(octet) => {
                    rest = &behind[2..];
                    octet
                }
                None => b'%',
            },
            other => *other,
        });
    }
    Cow::Owned(octets)
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}
