//! Which page answers which request.

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use windrose_control::Snapshot;
use windrose_telemetry::exposition;

use crate::{State, look, metrics, text};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const INDEX: &str = "\
/healthz  200 while the process is alive
/metrics  numbers for Prometheus
/readyz   200 from the first round of probes until the node stops
/status   what the node concludes, as JSON; ?format=text for people
";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Index,
    Healthz,
    Readyz,
    Metrics,
    StatusJson,
    StatusText,
    NotFound,
    MethodNotAllowed,
    BadFormat,
}

impl Page {
    /// What a request asks for.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let page = match request.uri().path() {
            "/" => Self::Index,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/metrics" => Self::Metrics,
            "/status" => status_format(request),
            _ => Self::NotFound,
        };
        match *request.method() {
            _ if page == Self::NotFound => page,
            Method::GET | Method::HEAD => page,
            _ => Self::MethodNotAllowed,
        }
    }

    /// Whether it may take long with many apps, and so must not hold up `/healthz`.
    pub(crate) fn is_large(self) -> bool {
        matches!(self, Self::Metrics | Self::StatusJson | Self::StatusText)
    }

    /// The answer.
    pub(crate) fn reply(self, path: &str, state: &State) -> Response<Full<Bytes>> {
        let snapshot = Arc::clone(&state.snapshots.borrow());
        let convergence = Arc::clone(&state.convergence.borrow());
        let stopping = *state.stopping.borrow();
        let look = || {
            let (live, identity) = (&state.live, &state.identity);
            look::look(&snapshot, &convergence, live, identity, SystemTime::now())
        };
        match self {
            Self::Index => reply(StatusCode::OK, TEXT, INDEX.to_owned()),
            Self::Healthz => reply(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Self::Readyz => readyz(&snapshot, stopping),
            Self::Metrics => {
                let life = metrics::Life {
                    stopping,
                    // An error tells that nobody is left to publish a snapshot.
                    deciding: state.snapshots.has_changed().is_ok(),
                };
                match metrics::page(
                    &snapshot,
                    &convergence,
                    &state.metrics,
                    &state.live,
                    &state.certificates,
                    &state.identity,
                    life,
                ) {
                    Ok(page) => reply(StatusCode::OK, exposition::CONTENT_TYPE, page),
                    Err(error) => unwritten("metrics", &error),
                }
            }
            Self::StatusJson => match serde_json::to_string(&look()) {
                Ok(json) => reply(StatusCode::OK, JSON, json + "\n"),
                Err(error) => unwritten("status", &error),
            },
            Self::StatusText => reply(StatusCode::OK, TEXT, text::render(&look())),
            Self::NotFound => reply(
                StatusCode::NOT_FOUND,
                TEXT,
                format!("no page {path}; there are:\n{INDEX}"),
            ),
            Self::MethodNotAllowed => {
                let body = "only GET and HEAD; nothing can be changed here\n".to_owned();
                let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, body);
                reply
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                reply
            }
            Self::BadFormat => reply(
                StatusCode::BAD_REQUEST,
                TEXT,
                "format is json or text\n".to_owned(),
            ),
        }
    }
}

/// A scraper must not take half a page, or none, for a whole one.
fn unwritten(page: &str, error: &dyn Error) -> Response<Full<Bytes>> {
    tracing::error!(page, "page cannot be written: {error}");
    let body = format!("{page} cannot be written: {error}\n");
    reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, body)
}

fn readyz(snapshot: &Snapshot, stopping: bool) -> Response<Full<Bytes>> {
    if stopping {
        let body = "not ready: the node is stopping\n".to_owned();
        return reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, body);
    }
    if snapshot.ready.ready {
        return reply(StatusCode::OK, TEXT, "ready\n".to_owned());
    }
    let mut body = "not ready: no probe result yet for\n".to_owned();
    for target in &snapshot.ready.missing {
        body.push_str(target);
        body.push('\n');
    }
    reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, body)
}

/// `?format=` decides; without it, an `Accept` that begins with `text/plain`.
fn status_format<B>(request: &Request<B>) -> Page {
    let query = request.uri().query().unwrap_or_default();
    let format = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("format="));
    match format {
        Some("json") => Page::StatusJson,
        Some("text") => Page::StatusText,
        Some(_) => Page::BadFormat,
        None => {
            let accept = request.headers().get(ACCEPT);
            let plain = accept.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
            if plain {
                Page::StatusText
            } else {
                Page::StatusJson
            }
        }
    }
}

pub(crate) fn reply(code: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = code;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(method: &str, target: &str, accept: &str) -> Page {
        let request = Request::builder().method(method).uri(target);
        Page::of(&request.header(ACCEPT, accept).body(()).unwrap())
    }

    #[test]
    fn a_target_and_an_accept_choose_the_page() {
        for (method, target, accept, expected) in [
            ("GET", "/", "*/*", Page::Index),
            ("HEAD", "/healthz", "*/*", Page::Healthz),
            ("GET", "/readyz?x=1", "*/*", Page::Readyz),
            ("GET", "/metrics", "text/plain", Page::Metrics),
            ("GET", "/status", "*/*", Page::StatusJson),
            ("GET", "/status", "text/plain;q=1", Page::StatusText),
            ("GET", "/status?format=json", "text/plain", Page::StatusJson),
            ("GET", "/status?a=b&format=text", "*/*", Page::StatusText),
            ("GET", "/status?format=xml", "*/*", Page::BadFormat),
            ("GET", "/statuz", "*/*", Page::NotFound),
            ("POST", "/statuz", "*/*", Page::NotFound),
            ("POST", "/status", "*/*", Page::MethodNotAllowed),
            ("DELETE", "/healthz", "*/*", Page::MethodNotAllowed),
        ] {
            assert_eq!(page(method, target, accept), expected, "{method} {target}");
        }
    }
}
