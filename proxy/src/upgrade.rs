//! Upgrades (RFC 9110 section 7.8): what a client may ask a backend for, and whether the backend
//! granted just that. Pure.
//!
//! Never passed on are other forms of HTTP and TLS: a backend that began to speak HTTP/2 over our
//! connection (`h2c`) would take requests that nobody validated or routed.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::refusal::Refusal;
use crate::survey::{Field, Survey};

/// The protocols to offer the backend, as the value of `Upgrade`; `None` for an ordinary request.
///
/// `Upgrade` counts only when `Connection` lists it, and never in HTTP/1.0.
pub(crate) fn offer(parts: &Parts, survey: Survey) -> Result<Option<HeaderValue>, Refusal> {
    let headers = &parts.headers;
    if parts.version != Version::HTTP_11 || !lists(headers, &header::CONNECTION, b"upgrade") {
        return Ok(None);
    }
    let mut offered = Vec::new();
    let mut websocket = false;
    for protocol in members(headers, &header::UPGRADE) {
        if !is_protocol(protocol) {
            return Err(Refusal::UpgradeInvalid);
        }
        if is_ours(protocol) {
            continue;
        }
        websocket |= protocol.eq_ignore_ascii_case(b"websocket");
        if !offered.is_empty() {
            offered.extend_from_slice(b", ");
        }
        offered.extend_from_slice(protocol);
    }
    if offered.is_empty() {
        return Ok(None);
    }
    let length = headers.get(header::CONTENT_LENGTH);
    if survey.has(Field::TransferEncoding) || length.is_some_and(|n| n.as_bytes() != b"0") {
        return Err(Refusal::UpgradeWithBody);
    }
    if websocket && !is_handshake(parts) {
        return Err(Refusal::WebSocketInvalid);
    }
    let value = HeaderValue::from_bytes(&offered);
    value.map(Some).map_err(|_| Refusal::UpgradeInvalid)
}

/// What a 101 (Switching Protocols) switches to: `None` unless it names protocols, all of which were
/// offered.
pub(crate) fn granted(headers: &HeaderMap, offered: &HeaderValue) -> Option<HeaderValue> {
    let mut values = headers.get_all(header::UPGRADE).iter();
    let value = values.next()?;
    let was_offered = |protocol: &[u8]| {
        let mut offered = split(offered.as_bytes());
        offered.any(|known| known.eq_ignore_ascii_case(protocol))
    };
    let mut granted = split(value.as_bytes()).peekable();
    granted.peek()?;
    (granted.all(was_offered) && values.next().is_none()).then(|| value.clone())
}

/// Writes the two fields of a request or response that switches protocols.
pub(crate) fn write(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocols);
}

/// The opening handshake of RFC 6455 section 4.1. Which version it is, the backend may judge.
fn is_handshake(parts: &Parts) -> bool {
    let only = |name: &HeaderName| {
        let mut values = parts.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    let key = only(&header::SEC_WEBSOCKET_KEY);
    // 16 octets in base 64.
    let key_ok = key.is_some_and(|key| match key.as_bytes() {
        [digits @ .., b'=', b'='] if digits.len() == 22 => digits
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')),
        _ => false,
    });
    parts.method == Method::GET && key_ok && only(&header::SEC_WEBSOCKET_VERSION).is_some()
}

/// Whether a protocol is one that the proxy itself speaks or would have to.
fn is_ours(protocol: &[u8]) -> bool {
    let name = protocol.split(|b| *b == b'/').next().unwrap_or(protocol);
    [&b"h2c"[..], b"h2", b"h3", b"http", b"tls"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
}

/// `protocol-name ["/" protocol-version]`, both tokens.
fn is_protocol(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'/');
    let tokens = parts.by_ref().take(2).all(is_token);
    tokens && parts.next().is_none()
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    members(headers, name).any(|member| member.eq_ignore_ascii_case(token))
}

fn members<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| split(value.as_bytes()))
}

fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const V13: (&str, &str) = ("sec-websocket-version", "13");
    const LISTED: (&str, &str) = ("connection", "keep-alive, Upgrade");

    fn offered(
        method: &str,
        version: Version,
        fields: &[(&str, &str)],
    ) -> Result<Option<String>, Refusal> {
        let mut request = Request::builder().method(method).version(version).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let offered = offer(&parts, Survey::of(&parts.headers))?;
        Ok(offered.map(|value| value.to_str().unwrap().to_owned()))
    }

    fn check(fields: &[(&str, &str)], expected: Result<Option<&str>, Refusal>) {
        let got = offered("GET", Version::HTTP_11, fields);
        assert_eq!(
            got,
            expected.map(|value| value.map(str::to_owned)),
            "{fields:?}"
        );
    }

    #[test]
    fn an_upgrade_is_passed_on_only_when_connection_lists_it() {
        check(&[LISTED, ("upgrade", "foo/1")], Ok(Some("foo/1")));
        check(
            &[("connection", "UPGRADE"), ("upgrade", "a, b/2")],
            Ok(Some("a, b/2")),
        );
        check(&[("upgrade", "foo")], Ok(None));
        check(&[("connection", "close"), ("upgrade", "foo")], Ok(None));
        check(&[LISTED], Ok(None));
    }

    #[test]
    fn http_1_0_cannot_upgrade() {
        let got = offered("GET", Version::HTTP_10, &[LISTED, ("upgrade", "foo")]);
        assert_eq!(got, Ok(None));
    }

    #[test]
    fn other_forms_of_http_and_tls_are_never_offered() {
        for ours in ["h2c", "H2C", "HTTP/2.0", "h2", "TLS/1.0", "h2c, h2c ,"] {
            check(&[LISTED, ("upgrade", ours)], Ok(None));
        }
        check(
            &[LISTED, ("upgrade", "h2c, foo"), ("upgrade", "TLS/1.2,bar")],
            Ok(Some("foo, bar")),
        );
    }

    #[test]
    fn what_is_no_list_of_protocols_is_refused() {
        for bad in ["a b", "foo/", "/1", "a/b/c", "fo(o"] {
            check(&[LISTED, ("upgrade", bad)], Err(Refusal::UpgradeInvalid));
        }
    }

    #[test]
    fn an_upgrade_has_no_body() {
        for field in [("content-length", "3"), ("transfer-encoding", "chunked")] {
            let fields = [LISTED, ("upgrade", "foo"), field];
            check(&fields, Err(Refusal::UpgradeWithBody));
        }
        let fields = [LISTED, ("upgrade", "foo"), ("content-length", "0")];
        check(&fields, Ok(Some("foo")));
        // What is not passed on is an ordinary request.
        check(
            &[LISTED, ("upgrade", "h2c"), ("content-length", "3")],
            Ok(None),
        );
    }

    #[test]
    fn a_websocket_handshake_is_a_get_with_one_key_and_one_version() {
        let websocket = ("upgrade", "WebSocket");
        check(&[LISTED, websocket, KEY, V13], Ok(Some("WebSocket")));
        let bad = Err(Refusal::WebSocketInvalid);
        check(&[LISTED, websocket, V13], bad);
        check(&[LISTED, websocket, KEY], bad);
        check(&[LISTED, websocket, KEY, KEY, V13], bad);
        let short = ("sec-websocket-key", "c2hvcnQ=");
        check(&[LISTED, websocket, short, V13], bad);
        let fields = [LISTED, websocket, KEY, V13];
        let post = offered("POST", Version::HTTP_11, &fields);
        assert_eq!(post, Err(Refusal::WebSocketInvalid));
    }

    #[test]
    fn a_grant_names_what_was_offered() {
        let check = |offered: &'static str, lines: &[&'static str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::UPGRADE, HeaderValue::from_static(line));
            }
            let granted = granted(&headers, &HeaderValue::from_static(offered));
            assert_eq!(granted.as_ref().map(|g| g.to_str().unwrap()), expected);
        };
        check("websocket", &["WebSocket"], Some("WebSocket"));
        check("a, b", &["b, a"], Some("b, a"));
        check("websocket", &["h2c"], None);
        check("websocket", &["websocket, h2c"], None);
        check("websocket", &[], None);
        check("websocket", &[""], None);
        check("a, b", &["a", "b"], None);
    }
}
