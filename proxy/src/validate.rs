//! The strict edge: what a request head must be before anything is done for it (RFC 9112 sections
//! 3.2 and 6, RFC 9110 section 7.2). Reject, never repair.
//!
//! What hyper repairs before we see it is judged on the raw octets, in `wire`.

use std::borrow::Cow;

use http::request::Parts;
use http::uri::Scheme;
use http::{Method, header};

use crate::refusal::Refusal;
use crate::survey::{Field, Survey};

/// What routing reads of a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// Lower-case, without port and final dot.
    pub(crate) host: Cow<'a, str>,
    /// Begins with `/`.
    pub(crate) path: &'a str,
}

/// Judges a head.
pub(crate) fn validate(
    parts: &Parts,
    survey: Survey,
    max_target: usize,
    tls: bool,
) -> Result<Asked<'_>, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if parts.method == Method::TRACE {
        // It would show a script what cookies and proxies add (RFC 9110 section 9.3.8).
        return Err(Refusal::Trace);
    }
    framing(parts, survey)?;
    let path = target(parts, max_target, tls)?;
    let host = host(parts, survey)?;
    Ok(Asked { host, path })
}

fn framing(parts: &Parts, survey: Survey) -> Result<(), Refusal> {
    let headers = &parts.headers;
    if survey.has(Field::TransferEncoding) {
        if survey.has(Field::ContentLength) {
            return Err(Refusal::LengthAndEncoding);
        }
        if survey.repeats(Field::TransferEncoding) {
            return Err(Refusal::EncodingRepeated);
        }
        let chunked = headers
            .get(header::TRANSFER_ENCODING)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked {
            return Err(Refusal::EncodingUnknown);
        }
    }
    if survey.has(Field::ContentLength) {
        let digits = headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|value| is_number(value.as_bytes()));
        if survey.repeats(Field::ContentLength) || !digits {
            return Err(Refusal::LengthInvalid);
        }
    }
    Ok(())
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn target(parts: &Parts, max: usize, tls: bool) -> Result<&str, Refusal> {
    let uri = &parts.uri;
    let length = uri.path().len() + uri.query().map_or(0, |q| q.len() + 1);
    if length > max {
        return Err(Refusal::TargetTooLong);
    }
    match uri.path() {
        path if path.starts_with('/') => {
            // Absolute form names the scheme that is spoken; anything else would be a request to a
            // proxy.
            let spoken = if tls { Scheme::HTTPS } else { Scheme::HTTP };
            let foreign = uri.scheme().is_some_and(|s| *s != spoken);
            if foreign {
                Err(Refusal::TargetInvalid)
            } else {
                Ok(path)
            }
        }
        "*" if parts.method == Method::OPTIONS => Ok("/"),
        _ => Err(Refusal::TargetInvalid),
    }
}

fn host(parts: &Parts, survey: Survey) -> Result<Cow<'_, str>, Refusal> {
    if survey.repeats(Field::Host) {
        return Err(Refusal::HostRepeated);
    }
    let value = parts
        .headers
        .get(header::HOST)
        .ok_or(Refusal::HostMissing)?;
    let text = value.to_str().map_err(|_| Refusal::HostInvalid)?;
    if let Some(authority) = parts.uri.authority()
        && !authority.as_str().eq_ignore_ascii_case(text)
    {
        return Err(Refusal::HostDisagrees);
    }
    let name = without_port(text).ok_or(Refusal::HostInvalid)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > 253 || name.starts_with('.') || name.contains("..") {
        return Err(Refusal::HostInvalid);
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(name))
    }
}

/// The host part of `host[:port]`, if both are legal (RFC 3986 section 3.2.2; user information is
/// not allowed in `Host`).
fn without_port(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port_ok.then(|| &text[..address.len() + 2]);
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let legal = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (legal && port.is_none_or(is_port)).then_some(name)
}

fn is_port(text: &str) -> bool {
    let digits = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    digits && (text.is_empty() || text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// What a head is judged to be: `host path`, or the refusal.
    fn check(target: &str, fields: &[(&str, &str)], expected: Result<(&str, &str), Refusal>) {
        check_method("GET", target, fields, expected);
    }

    fn check_method(
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        expected: Result<(&str, &str), Refusal>,
    ) {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let survey = Survey::of(&parts.headers);
        let got = validate(&parts, survey, 64, false);
        let got = got.as_ref().map(|a| (a.host.as_ref(), a.path));
        assert_eq!(
            got,
            expected.as_ref().map(|e| *e),
            "{method} {target} {fields:?}"
        );
    }

    #[test]
    fn the_host_is_lower_cased_and_loses_port_and_final_dot() {
        check(
            "/a?b",
            &[("host", "Shop.Example.COM.:8080")],
            Ok(("shop.example.com", "/a")),
        );
        check(
            "/",
            &[("host", "shop.example.com")],
            Ok(("shop.example.com", "/")),
        );
        check("/", &[("host", "[::1]:80")], Ok(("[::1]", "/")));
    }

    #[test]
    fn a_request_needs_exactly_one_legal_host() {
        check("/", &[], Err(Refusal::HostMissing));
        check(
            "/",
            &[("host", "a"), ("host", "a")],
            Err(Refusal::HostRepeated),
        );
        for host in [
            "",
            ".",
            ".a",
            "a..b",
            "..",
            "a:65536",
            "[::1]:65536",
            "a b",
            "a/b",
            "a@b",
            "u:p@h",
            "a:b",
            "a:123456",
            "a,b",
            "[::1",
            "[x]",
            "[::1]80",
            "a?b",
            "a#b",
            "a%41",
            "é",
        ] {
            check("/", &[("host", host)], Err(Refusal::HostInvalid));
        }
        check(
            "/",
            &[("host", &"a".repeat(254))],
            Err(Refusal::HostInvalid),
        );
    }

    #[test]
    fn an_absolute_target_must_agree_with_host() {
        check("http://a.b/x", &[("host", "A.b")], Ok(("a.b", "/x")));
        check(
            "http://a.b:81/x",
            &[("host", "a.b")],
            Err(Refusal::HostDisagrees),
        );
        check(
            "http://c.d/x",
            &[("host", "a.b")],
            Err(Refusal::HostDisagrees),
        );
        check(
            "https://a.b/x",
            &[("host", "a.b")],
            Err(Refusal::TargetInvalid),
        );
    }

    #[test]
    fn length_and_encoding_exclude_each_other_and_are_never_repeated() {
        let h = ("host", "a");
        let (cl, te) = ("content-length", "transfer-encoding");
        check(
            "/",
            &[h, (cl, "3"), (te, "chunked")],
            Err(Refusal::LengthAndEncoding),
        );
        check("/", &[h, (cl, "3"), (cl, "3")], Err(Refusal::LengthInvalid));
        for bad in ["+3", "-1", "3, 3", "0x3", "", "3 "] {
            check("/", &[h, (cl, bad)], Err(Refusal::LengthInvalid));
        }
        check("/", &[h, (te, "Chunked")], Ok(("a", "/")));
        check(
            "/",
            &[h, (te, "chunked"), (te, "chunked")],
            Err(Refusal::EncodingRepeated),
        );
        for bad in [
            "gzip, chunked",
            "identity",
            "chunked, identity",
            "xchunked",
            "chunked,",
        ] {
            check("/", &[h, (te, bad)], Err(Refusal::EncodingUnknown));
        }
    }

    #[test]
    fn connect_and_strange_targets_are_refused() {
        check_method(
            "CONNECT",
            "a:443",
            &[("host", "a:443")],
            Err(Refusal::Connect),
        );
        check_method("OPTIONS", "*", &[("host", "a")], Ok(("a", "/")));
        check("*", &[("host", "a")], Err(Refusal::TargetInvalid));
        check(
            &format!("/{}", "x".repeat(64)),
            &[("host", "a")],
            Err(Refusal::TargetTooLong),
        );
    }
}
