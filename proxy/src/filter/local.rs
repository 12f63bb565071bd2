//! Responses that need no backend: redirects and direct ones.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use windrose_model::{Came, Redirect, Respond};

use crate::reply::Reply;

/// What kind of answer it is, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Preflight,
    Redirect,
    Respond,
    TooLarge,
}

/// How the client reached us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    pub(crate) port: &'a str,
}

/// What the client asked for.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// Octets of the path that the match took.
    pub(super) prefix: u16,
}

pub(super) fn redirect(to: &Redirect, target: &Target<'_>, origin: Origin<'_>) -> Response<Reply> {
    let mut response = Response::new(Reply::Empty);
    *response.status_mut() = to.status;
    let location = location(to, target, origin);
    if let Ok(location) = HeaderValue::from_maybe_shared(Bytes::from(location)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn location(to: &Redirect, target: &Target<'_>, origin: Origin<'_>) -> String {
    to.location(&Came {
        scheme: origin.scheme,
        host: target.host,
        port: origin.port,
        path: target.path,
        query: target.query,
        prefix: target.prefix,
    })
}

pub(crate) fn respond(respond: &Respond) -> Response<Reply> {
    let body = match respond.body.is_empty() {
        true => Reply::Empty,
        false => Reply::text(respond.body.clone()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = respond.status;
    let headers = response.headers_mut();
    for (name, value) in &respond.headers {
        headers.insert(name, value.clone());
    }
    if !respond.body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    /// The cases of `HTTPRouteRedirectPortAndScheme`.
    #[test]
    fn the_port_of_a_redirect_follows_scheme_and_listener() {
        let check = |came: (&str, &str), scheme: Option<&str>, port, expected: &str| {
            let to = Redirect {
                scheme: scheme.map(Into::into),
                host: Some("example.org".into()),
                port,
                path: None,
                status: StatusCode::FOUND,
            };
            let target = Target {
                host: "a.test",
                path: "/x",
                query: Some("q=1"),
                prefix: 0,
            };
            let origin = Origin {
                scheme: came.0,
                port: came.1,
            };
            let got = location(&to, &target, origin);
            assert_eq!(
                got,
                format!("{expected}/x?q=1"),
                "{came:?} {scheme:?} {port:?}"
            );
        };
        let http80 = ("http", "80");
        check(http80, None, None, "http://example.org");
        check(http80, None, Some(80), "http://example.org");
        check(http80, None, Some(8080), "http://example.org:8080");
        check(http80, Some("https"), None, "https://example.org");
        check(http80, Some("https"), Some(443), "https://example.org");
        check(
            http80,
            Some("https"),
            Some(8443),
            "https://example.org:8443",
        );
        let http8080 = ("http", "8080");
        check(http8080, None, None, "http://example.org:8080");
        check(http8080, None, Some(80), "http://example.org");
        check(http8080, Some("https"), None, "https://example.org");
        let https443 = ("https", "443");
        check(https443, None, None, "https://example.org");
        check(https443, None, Some(443), "https://example.org");
        check(https443, None, Some(8443), "https://example.org:8443");
        check(https443, Some("http"), None, "http://example.org");
        check(https443, Some("http"), Some(80), "http://example.org");
        check(
            https443,
            Some("http"),
            Some(8080),
            "http://example.org:8080",
        );
    }
}
