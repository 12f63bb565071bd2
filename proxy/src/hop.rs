//! HOT
//!
//! Hop-by-hop fields (RFC 9110 section 7.6.1): what a connection says to us is not passed on.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use crate::names;
use crate::survey::{Field, Survey};

/// Removes hop-by-hop fields and what `Connection` lists, both ways. `TE` survives as `trailers`,
/// so that gRPC-like backends send theirs. `Upgrade` goes too: what is offered of it to a backend is
/// written anew (`upgrade`).
pub(crate) fn strip(headers: &mut HeaderMap, survey: Survey) {
    if survey.has(Field::Connection) {
        strip_listed(headers);
        headers.remove(header::CONNECTION);
    }
    if survey.has(Field::Te) {
        let trailers = headers.get_all(header::TE).iter().any(wants_trailers);
        headers.remove(header::TE);
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
    for (field, name) in [
        (Field::TransferEncoding, &header::TRANSFER_ENCODING),
        (Field::Upgrade, &header::UPGRADE),
        (Field::ProxyAuthenticate, &header::PROXY_AUTHENTICATE),
        (Field::ProxyAuthorization, &header::PROXY_AUTHORIZATION),
        (Field::KeepAlive, &names::KEEP_ALIVE),
        (Field::ProxyConnection, &names::PROXY_CONNECTION),
    ] {
        if survey.has(field) {
            headers.remove(name);
        }
    }
}

/// Removes fields that only we may write.
#[cold]
#[inline(never)]
pub(crate) fn strip_ours(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(names::OURS))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
}

/// Whether a client takes trailers: over HTTP/1 it has to say so; asked once `TE` is stripped.
pub(crate) fn takes_trailers(parts: &Parts, survey: Survey) -> bool {
    parts.version == Version::HTTP_2
        || survey.has(Field::Te) && parts.headers.contains_key(header::TE)
}

/// Removes the fields that `Connection` names, except those that say where a message goes, how long
/// it is, and for whom it was sent: a client must not be able to take these away, not even through a
/// trusted peer that passes on its `Connection` (CVE-2022-31813 was that).
fn strip_listed(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| {
            !token.eq_ignore_ascii_case(b"close") && !token.eq_ignore_ascii_case(b"keep-alive")
        })
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| {
            // X-Forwarded-Client-Cert among them.
            let about_client = name.as_str().starts_with("x-forwarded-");
            !about_client
                && ![
                    header::FORWARDED,
                    header::HOST,
                    header::CONTENT_LENGTH,
                    header::CONTENT_TYPE,
                    header::TE,
                ]
                .contains(name)
        })
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

/// Leaves a response at most one `Content-Length`: an encoding overrides it, and a list of equal
/// numbers becomes that number (RFC 9112 section 6.3). `length` is what the engine made of it; unknown
/// where there is no body.
pub(crate) fn one_length(headers: &mut HeaderMap, survey: Survey, length: Option<u64>) {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else {
        return;
    };
    let encoded = survey.has(Field::TransferEncoding);
    let repeats = survey.repeats(Field::ContentLength);
    if !encoded && !repeats && value.as_bytes().iter().all(u8::is_ascii_digit) {
        return;
    }
    headers.remove(header::CONTENT_LENGTH);
    if !encoded && let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
}

/// Whether a response is in no transfer coding but chunked, which the engine takes off: we ask for no
/// other (`TE`), and without its field one could not be told from the content.
pub(crate) fn is_content_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return true;
    };
    coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
}

fn wants_trailers(value: &HeaderValue) -> bool {
    value
        .as_bytes()
        .split(|b| *b == b',')
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields in, fields left.
    fn check(fields: &[(&'static str, &'static str)], left: &[(&str, &str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let survey = Survey::of(&headers);
        strip(&mut headers, survey);
        // Removing fields reorders names, never the lines of one name.
        let mut got: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .collect();
        got.sort_by_key(|(name, _)| *name);
        let mut left = left.to_vec();
        left.sort_by_key(|(name, _)| *name);
        assert_eq!(got, left, "{fields:?}");
    }

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        check(
            &[
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("proxy-authenticate", "Basic"),
                ("proxy-authorization", "Basic x"),
                ("connection", "close"),
                ("accept", "*/*"),
            ],
            &[("accept", "*/*")],
        );
    }

    #[test]
    fn what_connection_lists_goes_with_it_on_any_of_its_lines() {
        check(
            &[
                ("connection", "x-one, X-Two"),
                ("connection", "close,x-three ,,"),
                ("x-one", "1"),
                ("x-two", "2"),
                ("x-three", "3"),
                ("x-four", "4"),
            ],
            &[("x-four", "4")],
        );
    }

    #[test]
    fn connection_cannot_take_away_host_or_length_or_who_asked() {
        check(
            &[
                ("connection", "host, content-length, X-Forwarded-Proto"),
                ("connection", "x-forwarded-for, forwarded"),
                ("host", "a"),
                ("content-length", "3"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=192.0.2.1"),
            ],
            &[
                ("host", "a"),
                ("content-length", "3"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=192.0.2.1"),
            ],
        );
    }

    #[test]
    fn te_survives_as_trailers_only() {
        check(&[("te", "gzip, trailers;q=1")], &[]);
        check(
            &[
                ("te", "gzip"),
                ("te", "deflate, Trailers"),
                ("connection", "te"),
            ],
            &[("te", "trailers")],
        );
    }

    #[test]
    fn a_response_has_one_length_or_none() {
        let check = |fields: &[(&'static str, &'static str)], length, left: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let survey = Survey::of(&headers);
            one_length(&mut headers, survey, length);
            let lines: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
            let left: Vec<_> = left.into_iter().collect();
            assert_eq!(lines, left, "{fields:?}");
        };
        let (cl, te) = ("content-length", "transfer-encoding");
        check(&[], Some(5), None);
        check(&[(cl, "5")], Some(5), Some("5"));
        check(&[(cl, "5, 5")], Some(5), Some("5"));
        check(&[(cl, "5"), (cl, "5")], Some(5), Some("5"));
        check(&[(cl, "5"), (te, "chunked")], None, None);
        // To HEAD, the field speaks of a body that is not there.
        check(&[(cl, "5")], None, Some("5"));
        check(&[(cl, "5"), (cl, "5")], None, None);
    }

    #[test]
    fn other_fields_keep_their_lines() {
        check(
            &[("set-cookie", "a"), ("set-cookie", "b"), ("trailer", "x")],
            &[("set-cookie", "a"), ("set-cookie", "b"), ("trailer", "x")],
        );
    }
}
