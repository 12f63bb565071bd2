//! Cross-origin sharing, as the Gateway API has it (`HTTPCORSFilter`; the Fetch standard).
//!
//! Preflights are answered here, whoever asks; to an origin that is not allowed without any of the
//! fields that would let it read. What a backend says of sharing itself is replaced: a response with
//! two of these fields is one that browsers refuse.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use windrose_model::{Cors, Wildcard};

use crate::reply::Reply;

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What a backend may say too.
const SAID: [HeaderName; 3] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

/// The method of the request that a preflight announces; none for what is no preflight.
pub(super) fn announced(parts: &Parts) -> Option<Method> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let method = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

/// The origin of a request, if it is allowed.
pub(super) fn allowed(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    let is_allowed = cors.origins.iter().any(|allowed| allowed.allows(text));
    is_allowed.then(|| origin.clone())
}

/// The answer to a preflight.
pub(super) fn preflight(
    cors: &Cors,
    parts: &Parts,
    origin: Option<&HeaderValue>,
) -> Response<Reply> {
    let mut response = Response::new(Reply::Empty);
    let headers = response.headers_mut();
    if origin.is_some() {
        let asked = |name| parts.headers.get(name);
        let methods = told(
            cors,
            &cors.methods,
            asked(header::ACCESS_CONTROL_REQUEST_METHOD),
        );
        let fields = told(
            cors,
            &cors.headers,
            asked(header::ACCESS_CONTROL_REQUEST_HEADERS),
        );
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, fields),
            (header::ACCESS_CONTROL_MAX_AGE, Some(cors.max_age.into())),
        ] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
    response
}

/// What is allowed: a list as it is; of everything what was asked for, because `*` means nothing
/// where credentials are allowed.
fn told(cors: &Cors, what: &Wildcard, asked: Option<&HeaderValue>) -> Option<HeaderValue> {
    match what {
        Wildcard::None => None,
        Wildcard::List(list) => Some(list.clone()),
        Wildcard::Any => asked
            .cloned()
            .or_else(|| (!cors.credentials).then_some(ANY)),
    }
}

/// Adds what lets the origin read a response, and nothing for others. What preflights alone are told
/// stays if it is there.
pub(super) fn decorate(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for name in &SAID {
        headers.remove(name);
    }
    // Whatever is answered depends on who asked.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if cors.credentials {
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
    let exposed = match &cors.expose {
        Wildcard::None => None,
        Wildcard::List(list) => Some(list.clone()),
        // With credentials it would be a field of that name.
        Wildcard::Any => (!cors.credentials).then_some(ANY),
    };
    if let Some(exposed) = exposed {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
