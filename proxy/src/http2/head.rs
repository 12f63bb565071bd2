//! HOT. Request heads of HTTP/2 (RFC 9113 section 8.3), brought into the form that HTTP/1.1 has them
//! in, so that one validator judges both. Reject, never repair.
//!
//! The engine has refused already: pseudo-header fields that are missing, unknown, repeated or behind
//! others, names with capitals, fields of a connection, `TE` other than `trailers`, a
//! `Content-Length` that disagrees with the data.

use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::refusal::Refusal;

/// Whose head it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken {
    /// It came over TLS.
    pub(crate) tls: bool,
    /// Its peer may say which scheme its own client spoke.
    pub(crate) trusted: bool,
    pub(crate) max_fields: usize,
}

/// Judges what HTTP/1.1 has not; then `Host` stands for `:authority`, the target is a path, and the
/// crumbs of a cookie are one field (section 8.2.3).
pub(crate) fn settle(parts: &mut Parts, spoken: Spoken) -> Result<(), Refusal> {
    // Crumbs of cookies count one by one.
    if parts.headers.len() > spoken.max_fields {
        return Err(Refusal::TooManyFields);
    }
    if parts.headers.values().any(is_padded) {
        return Err(Refusal::FieldInvalid);
    }
    if parts.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let uri = &parts.uri;
    if let Some(scheme) = uri.scheme() {
        let own = if spoken.tls {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let known = *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
        if *scheme != own && !(spoken.trusted && known) {
            return Err(Refusal::TargetInvalid);
        }
    }
    let target = uri.path_and_query().ok_or(Refusal::TargetInvalid)?;
    let whole = target.as_str();
    let asterisk = whole == "*" && parts.method == Method::OPTIONS;
    if !whole.starts_with('/') && !asterisk {
        return Err(Refusal::TargetInvalid);
    }
    if let Some(authority) = uri.authority() {
        host(&mut parts.headers, authority)?;
        let mut origin = http::uri::Parts::default();
        origin.path_and_query = Some(target.clone());
        parts.uri = Uri::from_parts(origin).map_err(|_| Refusal::TargetInvalid)?;
    }
    join_crumbs(&mut parts.headers);
    Ok(())
}

/// Whitespace at an end of a value (section 8.2.1).
fn is_padded(value: &HeaderValue) -> bool {
    let blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    let octets = value.as_bytes();
    blank(octets.first()) || blank(octets.last())
}

/// `Host` as `:authority` says; if it is there already it must say the same.
fn host(headers: &mut HeaderMap, authority: &Authority) -> Result<(), Refusal> {
    match headers.get(header::HOST) {
        Some(host)
            if !host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(Refusal::HostDisagrees)
        }
        Some(_) => Ok(()),
        None => {
            let host = HeaderValue::from_str(authority.as_str());
            headers.insert(header::HOST, host.map_err(|_| Refusal::HostInvalid)?);
            Ok(())
        }
    }
}

fn join_crumbs(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut whole = Vec::with_capacity(first.len() + second.len() + 64);
    whole.extend_from_slice(first.as_bytes());
    for crumb in std::iter::once(second).chain(crumbs) {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb.as_bytes());
    }
    // Cannot fail: every octet was in a value before.
    if let Ok(whole) = HeaderValue::from_maybe_shared(bytes::Bytes::from(whole)) {
        headers.insert(header::COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Version};

    const SPOKEN: Spoken = Spoken {
        tls: false,
        trusted: false,
        max_fields: 4,
    };

    fn settled(
        spoken: Spoken,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
    ) -> Result<Parts, Refusal> {
        let request = Request::builder().method(method).uri(uri);
        let mut request = request.version(Version::HTTP_2);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        settle(&mut parts, spoken)?;
        Ok(parts)
    }

    fn refused(uri: &str, fields: &[(&str, &str)]) -> Option<Refusal> {
        settled(SPOKEN, "GET", uri, fields).err()
    }

    #[test]
    fn the_authority_becomes_host_and_the_target_a_path() {
        let parts = settled(SPOKEN, "GET", "http://a.test:8080/x?y", &[]).unwrap();
        assert_eq!(parts.headers["host"], "a.test:8080");
        assert_eq!(parts.uri, "/x?y");
        let parts = settled(SPOKEN, "GET", "/x", &[("host", "a.test")]).unwrap();
        assert_eq!(parts.headers["host"], "a.test");
    }

    #[test]
    fn host_must_say_what_the_authority_says() {
        let same = settled(SPOKEN, "GET", "http://a.test/", &[("host", "A.test")]);
        assert_eq!(same.unwrap().headers["host"], "A.test");
        let other = refused("http://a.test/", &[("host", "b.test")]);
        assert_eq!(other, Some(Refusal::HostDisagrees));
        let port = refused("http://a.test:80/", &[("host", "a.test")]);
        assert_eq!(port, Some(Refusal::HostDisagrees));
    }

    #[test]
    fn only_the_scheme_that_is_spoken_is_taken_from_strangers() {
        assert_eq!(
            refused("https://a.test/", &[]),
            Some(Refusal::TargetInvalid)
        );
        assert_eq!(refused("ftp://a.test/", &[]), Some(Refusal::TargetInvalid));
        let trusted = Spoken {
            trusted: true,
            ..SPOKEN
        };
        assert!(settled(trusted, "GET", "https://a.test/", &[]).is_ok());
        assert!(settled(trusted, "GET", "ftp://a.test/", &[]).is_err());
        let tls = Spoken {
            tls: true,
            ..SPOKEN
        };
        assert!(settled(tls, "GET", "https://a.test/", &[]).is_ok());
        assert!(settled(tls, "GET", "http://a.test/", &[]).is_err());
    }

    #[test]
    fn connect_and_targets_that_are_no_path_are_refused() {
        let connect = settled(SPOKEN, "CONNECT", "a.test:443", &[]);
        assert_eq!(connect.err(), Some(Refusal::Connect));
        assert_eq!(refused("*", &[]), Some(Refusal::TargetInvalid));
        assert!(settled(SPOKEN, "OPTIONS", "*", &[("host", "a")]).is_ok());
        assert_eq!(
            refused("http://a.test?x", &[]),
            Some(Refusal::TargetInvalid)
        );
    }

    #[test]
    fn crumbs_of_a_cookie_are_counted_one_by_one_and_joined() {
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
        let parts = settled(SPOKEN, "GET", "http://a.test/", &crumbs).unwrap();
        assert_eq!(parts.headers["cookie"], "a=1; b=2; c=3");
        assert_eq!(parts.headers.get_all("cookie").iter().count(), 1);
        let many = [("cookie", "a=1"); 5];
        let refused = refused("http://a.test/", &many);
        assert_eq!(refused, Some(Refusal::TooManyFields));
    }

    #[test]
    fn a_value_has_no_space_at_its_ends() {
        for value in [" a", "a ", "\ta", "a\t", " "] {
            let fields = [("x-a", value)];
            let refused = refused("http://a.test/", &fields);
            assert_eq!(refused, Some(Refusal::FieldInvalid), "{value:?}");
        }
        assert_eq!(
            refused("http://a.test/", &[("x-a", ""), ("x-b", "a b")]),
            None
        );
    }
}
