//! What TLS decides about a request: whether it may come over its connection, whether it must come
//! over another one, and what a backend and a client are told of it.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, header};
use windrose_model::{Hsts, Secure};
use windrose_tls::Session;

use crate::connection::Client;
use crate::names::{X_FORWARDED_CLIENT_CERT, X_FORWARDED_PROTO};
use crate::refusal::Refusal;
use crate::survey::{Field, Survey};

/// TLS of a client connection.
#[derive(Debug)]
pub(crate) struct Secured {
    session: Session,
    /// An element of `X-Forwarded-Client-Cert`: who the client proved to be.
    client: Option<HeaderValue>,
}

impl Secured {
    /// Whether HTTP/2 was agreed upon.
    pub(crate) fn is_http2(&self) -> bool {
        self.session.is_http2()
    }

    pub(crate) fn new(session: Session) -> Self {
        let element = session.client().map(|client| client.element());
        Self {
            client: element.and_then(|text| HeaderValue::try_from(text).ok()),
            session,
        }
    }

    /// The host that the client named.
    pub(crate) fn name(&self) -> Option<&str> {
        self.session.name()
    }
}

/// Whether a request for a host of an app may come over this connection.
#[inline]
pub(crate) fn admit(
    client: &Client,
    headers: &HeaderMap,
    survey: Survey,
    host: &str,
    app: &Secure,
) -> Result<(), Refusal> {
    let Some(tls) = &client.tls else {
        return in_the_clear(client, headers, survey, app);
    };
    let policy = app.client_auth.map(|auth| auth.policy);
    // A host that asks for no certificate may share a connection on which another one did.
    let asked = policy.is_none() || tls.session.policy() == policy;
    if asked && tls.session.is_for(host) {
        Ok(())
    } else {
        Err(Refusal::Misdirected)
    }
}

fn in_the_clear(
    client: &Client,
    headers: &HeaderMap,
    survey: Survey,
    app: &Secure,
) -> Result<(), Refusal> {
    if let Some(port) = app.redirect_http
        && !came_by_https(client, headers, survey)
    {
        return Err(Refusal::HttpsOnly(port));
    }
    match app.client_auth {
        Some(auth) if auth.required => Err(Refusal::CertificateNeeded),
        _ => Ok(()),
    }
}

/// Whether a trusted peer says that the client spoke HTTPS to it.
fn came_by_https(client: &Client, headers: &HeaderMap, survey: Survey) -> bool {
    client.peer.trusted
        && survey.has(Field::ForwardedProto)
        && !survey.repeats(Field::ForwardedProto)
        && headers
            .get(X_FORWARDED_PROTO)
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Tells a backend who the client proved to be, if it was `asked`. What a stranger says of that
/// itself is removed; behind a trusted peer ours comes last.
pub(crate) fn identify(client: &Client, headers: &mut HeaderMap, survey: Survey, asked: bool) {
    let own = client.tls.as_ref().and_then(|tls| tls.client.as_ref());
    let own = own.filter(|_| asked);
    if survey.has(Field::ClientCert) && !client.peer.trusted {
        headers.remove(X_FORWARDED_CLIENT_CERT);
    }
    let Some(own) = own else { return };
    let mut line = Vec::new();
    for before in headers.get_all(X_FORWARDED_CLIENT_CERT) {
        line.extend_from_slice(before.as_bytes());
        line.extend_from_slice(b", ");
    }
    let value = if line.is_empty() {
        own.clone()
    } else {
        line.extend_from_slice(own.as_bytes());
        HeaderValue::from_maybe_shared(Bytes::from(line)).unwrap_or_else(|_| own.clone())
    };
    headers.insert(X_FORWARDED_CLIENT_CERT, value);
}

/// Sends a request in the clear to where it should have gone.
pub(crate) fn redirect<B>(response: &mut Response<B>, parts: &Parts, port: u16) {
    if let Some(location) = https_location(parts, port) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// The same host and target over HTTPS; the host was validated.
fn https_location(parts: &Parts, port: u16) -> Option<HeaderValue> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    let name_end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let port_at = host[name_end..].find(':').map(|colon| name_end + colon);
    let name = &host[..port_at.unwrap_or(host.len())];
    let target = match parts.uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => target.as_str(),
        _ => "/",
    };
    let location = match port {
        443 => format!("https://{name}{target}"),
        port => format!("https://{name}:{port}{target}"),
    };
    HeaderValue::try_from(location).ok()
}

/// Adds `Strict-Transport-Security`, over HTTPS only (RFC 6797 section 7.2).
pub(crate) fn declare<B>(client: &Client, response: &mut Response<B>, hsts: Option<Hsts>) {
    let Some(hsts) = hsts.filter(|_| client.tls.is_some()) else {
        return;
    };
    let below = if hsts.include_subdomains {
        "; includeSubDomains"
    } else {
        ""
    };
    let text = format!("max-age={}{below}", hsts.max_age.as_secs());
    if let Ok(value) = HeaderValue::try_from(text) {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}
