//! The normal form of a request path: what routes are held against, and what a backend gets.
//!
//! RFC 3986 section 6.2.2: octets that need no encoding are decoded, the digits of the others are
//! upper-case, dot segments are resolved. Repeated slashes are one. What different servers take for
//! different paths is refused, so that nobody reaches by an odd spelling what a route keeps them from.

use std::borrow::Cow;

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A `%` that no two hexadecimal digits follow.
    #[error("a % in the path is not followed by two hexadecimal digits")]
    Percent,
    /// `%2F`, `%5C` or `\`, which some servers take for a slash and others do not.
    #[error("the path holds an encoded slash or a backslash")]
    Slash,
    /// `%00`, at which some servers end the path.
    #[error("the path holds an encoded zero octet")]
    Zero,
    /// A dot segment, or one that is empty, that only some servers see: behind an encoded slash, or
    /// with a parameter as in `..;a`, `..%3Ba` and `/;/`.
    #[error("the path holds a hidden dot segment or empty segment")]
    Dots,
}

/// The normal form of a path that begins with `/`; borrowed when it is normal already. `slashes`:
/// whether encoded slashes and backslashes are kept as they are, part of a segment.
///
/// # Errors
/// When servers would differ about what the path is.
#[inline]
pub fn normal_path(path: &str, slashes: bool) -> Result<Cow<'_, str>, PathFault> {
    if is_normal(path.as_bytes()) {
        Ok(Cow::Borrowed(path))
    } else {
        normalise(path, slashes).map(|normal| {
            if normal == path {
                Cow::Borrowed(path)
            } else {
                Cow::Owned(normal)
            }
        })
    }
}

/// Whether nothing in a path needs a closer look.
#[inline]
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    for octet in path {
        match octet {
            b'%' | b'\\' => return false,
            b'/' | b'.' | b';' if before == b'/' => return false,
            _ => {}
        }
        before = *octet;
    }
    true
}

#[cold]
fn normalise(path: &str, slashes: bool) -> Result<String, PathFault> {
    let decoded = decode(path, slashes)?;
    let mut normal = String::with_capacity(decoded.len());
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    normal.truncate(normal.rfind('/').unwrap_or(0));
                }
                if is_last {
                    normal.push('/');
                }
            }
            "" if !is_last => {}
            _ if hides_dots(segment) => return Err(PathFault::Dots),
            _ if !is_last && name(segment).is_empty() => return Err(PathFault::Dots),
            _ => {
                normal.push('/');
                normal.push_str(segment);
            }
        }
    }
    Ok(normal)
}

/// What stands for itself decoded, the rest with upper-case digits.
fn decode(path: &str, slashes: bool) -> Result<String, PathFault> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        decoded.push_str(&rest[..at]);
        if rest.as_bytes()[at] == b'\\' {
            if !slashes {
                return Err(PathFault::Slash);
            }
            decoded.push('\\');
            rest = &rest[at + 1..];
            continue;
        }
        let digits = rest.get(at + 1..at + 3).ok_or(PathFault::Percent)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(PathFault::Percent);
        }
        let octet = u8::from_str_radix(digits, 16).map_err(|_| PathFault::Percent)?;
        match octet {
            0 => return Err(PathFault::Zero),
            b'/' | b'\\' if !slashes => return Err(PathFault::Slash),
            _ if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) => {
                decoded.push(char::from(octet));
            }
            _ => {
                decoded.push('%');
                decoded.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    decoded.push_str(rest);
    Ok(decoded)
}

/// Whether a segment, cut at what some take for a slash and rid of parameters, has dots alone.
fn hides_dots(segment: &str) -> bool {
    let cut = segment.replace("%2F", "/").replace("%5C", "/");
    cut.split(['/', '\\'])
        .any(|part| matches!(name(part), "." | ".."))
}

/// A segment without its parameters (RFC 3986 section 3.3).
fn name(segment: &str) -> &str {
    let end = segment
        .find(';')
        .into_iter()
        .chain(segment.find("%3B"))
        .min();
    &segment[..end.unwrap_or(segment.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/a.b/..c/...", "/a.b/..c/..."),
            ("//a///b//", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/%61%2D%7e", "/a-~"),
            ("/%e2%82%ac", "/%E2%82%AC"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e", "/"),
            ("/a%2520", "/a%2520"),
            ("/.well-known/x", "/.well-known/x"),
            ("/admin;x=1/a", "/admin;x=1/a"),
            ("/admin%3bx", "/admin%3Bx"),
            ("/a/;session=1", "/a/;session=1"),
            ("/...;x", "/...;x"),
        ] {
            assert_eq!(normal_path(path, false).as_deref(), Ok(normal), "{path}");
            let again = normal_path(normal, false).unwrap();
            assert_eq!(again, normal, "once is enough");
        }
    }

    #[test]
    fn what_servers_differ_about_is_refused() {
        for (path, fault) in [
            ("/a%", PathFault::Percent),
            ("/a%2", PathFault::Percent),
            ("/a%zz", PathFault::Percent),
            ("/a%+1", PathFault::Percent),
            ("/a%2fb", PathFault::Slash),
            ("/a%5Cb", PathFault::Slash),
            ("/a\\b", PathFault::Slash),
            ("/a%00", PathFault::Zero),
            ("/a/..;/b", PathFault::Dots),
            ("/a/%2e%2e;x=1/b", PathFault::Dots),
            ("/a/..%3b/b", PathFault::Dots),
            ("/a/.%3Bx", PathFault::Dots),
            ("/;/admin", PathFault::Dots),
            ("/%3bx/admin", PathFault::Dots),
        ] {
            assert_eq!(normal_path(path, false), Err(fault), "{path}");
        }
        for path in [
            "/a/..%2fb",
            "/a%2f..",
            "/a%2F..%2Fb",
            "/a\\..\\b",
            "/a/%2e%2e%5cb",
        ] {
            assert_eq!(normal_path(path, true), Err(PathFault::Dots), "{path}");
        }
        assert_eq!(normal_path("/a%2fb", true).as_deref(), Ok("/a%2Fb"));
        assert_eq!(normal_path("/a\\b", true).as_deref(), Ok("/a\\b"));
    }
}
