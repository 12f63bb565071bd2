//! What Windrose answers itself before a request has a route, and where redirects lead.

use ::http::uri::PathAndQuery;
use ::http::{Method, header};
use windrose_model::{Came, Redirect, Secure, budget};

use super::http::HttpRequest;
use crate::routes::RouteMatch;

/// An answer of ours: its status, and why.
pub(super) type Own = (u16, String);

/// What no app is asked about.
pub(super) fn refused(request: &HttpRequest<'_>) -> Option<Own> {
    if matches!(*request.method, Method::CONNECT | Method::TRACE) {
        let why = format!("the method {} is not served", request.method);
        return Some((405, why));
    }
    let target = target(request);
    if target.len() > budget::TARGET_OCTETS {
        let most = budget::TARGET_OCTETS;
        let why = format!(
            "the target has {} octets, at most {most} are allowed",
            target.len()
        );
        return Some((414, why));
    }
    // The very parser that reads requests.
    if PathAndQuery::try_from(target.as_str()).is_err() {
        let why = "the target holds what has to be percent-encoded, a space or `<` for example";
        return Some((400, why.to_owned()));
    }
    None
}

/// What TLS decides about a request.
pub(super) fn secured(
    request: &HttpRequest<'_>,
    app: &Secure,
    steps: &mut Vec<String>,
) -> Option<Own> {
    if request.tls {
        if let Some(auth) = app.client_auth {
            steps.push(match auth.required {
                true => "the handshake wants a certificate of the client, without one there is no connection".to_owned(),
                false => "the handshake asks for a certificate of the client, who may come without one".to_owned(),
            });
        }
        return None;
    }
    if let Some(port) = app.redirect_http {
        let port = match port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let to = format!("https://{}{port}{}", request.host, target(request));
        return Some((
            308,
            format!("the app is served over HTTPS only, Location: {to}"),
        ));
    }
    let needed = app.client_auth.is_some_and(|auth| auth.required);
    needed.then(|| {
        (
            403,
            "the app wants a certificate of its clients, over HTTPS".to_owned(),
        )
    })
}

/// The method of the request that a preflight announces; none for what is no preflight.
pub(super) fn announced(request: &HttpRequest<'_>) -> Option<Method> {
    if *request.method != Method::OPTIONS || !request.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let method = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

/// Where a redirect leads, for a path in its normal form.
pub(super) fn location(
    to: &Redirect,
    request: &HttpRequest<'_>,
    path: &str,
    found: RouteMatch,
) -> String {
    to.location(&Came {
        scheme: if request.tls { "https" } else { "http" },
        host: request.host,
        port: &request.port.to_string(),
        path,
        query: request.query,
        prefix: found.prefix,
    })
}

fn target(request: &HttpRequest<'_>) -> String {
    match request.query {
        Some(query) => format!("{}?{query}", request.path),
        None => request.path.to_owned(),
    }
}
