//! What a route does to a request and to its response, beside choosing where it goes.
//!
//! `local` answers without a backend, `edit` changes heads, `cors` decorates for browsers.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, Uri, header};
use windrose_model::{Action, EncodedSlashes, Filters, Timeouts, normal_path};
use windrose_routing::{AppEntry, Leaf, RequestHead, RouteMatch, Table};

use crate::flags::Flags;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::validate::Asked;

mod cors;
mod edit;
mod local;

pub(crate) use local::{Kind, Origin, respond};

/// The route of a request, and what is remembered of the request for its response.
pub(crate) struct Routed {
    pub(crate) matched: RouteMatch,
    /// The path in its normal form, if it came in another.
    pub(crate) normal: Option<Box<str>>,
    /// Whose script asks, if the route lets it read.
    pub(crate) allowed: Option<HeaderValue>,
    /// What needs no backend.
    pub(crate) answer: Option<(Response<Reply>, Kind)>,
    /// The route's fault is for this request.
    pub(crate) faulty: bool,
}

/// Finds the route. To a preflight it is that of the request which it announces, if that route
/// answers preflights.
pub(crate) fn route(
    table: &Table,
    entry: &AppEntry,
    asked: &Asked<'_>,
    parts: &Parts,
    leaf: Leaf,
) -> Result<Routed, Refusal> {
    let keeps = entry.plan.app.encoded_slashes == EncodedSlashes::Keep;
    let path = normal_path(asked.path, keeps).map_err(Refusal::Path)?;
    let head = RequestHead {
        host: &asked.host,
        path: &path,
        query: parts.uri.query(),
        method: &parts.method,
        headers: &parts.headers,
        leaf,
    };
    let announced = cors::announced(parts).map(|method| {
        let head = RequestHead {
            method: &method,
            ..head
        };
        entry.route(table, &head)
    });
    let answers = |matched: &RouteMatch| {
        let filters = entry.filters(matched.route);
        filters.is_some_and(|filters| filters.cors.is_some())
    };
    let matched = match announced.filter(answers) {
        Some(matched) => matched,
        None => entry.route(table, &head),
    };
    let filters = entry.filters(matched.route);
    let cors = filters.and_then(|filters| filters.cors.as_ref());
    Ok(Routed {
        answer: None,
        faulty: false,
        matched,
        allowed: cors.and_then(|cors| cors::allowed(cors, &parts.headers)),
        normal: match path {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(normal) => Some(normal.into()),
        },
    })
}

impl Routed {
    /// The answer that needs no backend.
    pub(crate) fn answered(
        &self,
        filters: &Filters,
        parts: &Parts,
        host: &str,
        origin: Origin<'_>,
    ) -> Option<(Response<Reply>, Kind)> {
        if let Some(cors) = &filters.cors
            && cors::announced(parts).is_some()
        {
            let response = cors::preflight(cors, parts, self.allowed.as_ref());
            return Some((response, Kind::Preflight));
        }
        if is_too_large(filters, &parts.headers) {
            let response = Refusal::BodyTooLarge.respond(Flags::default());
            return Some((response, Kind::TooLarge));
        }
        let path = self.normal.as_deref().unwrap_or_else(|| parts.uri.path());
        match &filters.action {
            Action::Forward(_) => None,
            Action::Redirect(redirect) => {
                let target = local::Target {
                    host,
                    path,
                    query: parts.uri.query(),
                    prefix: self.matched.prefix,
                };
                let response = local::redirect(redirect, &target, origin);
                Some((response, Kind::Redirect))
            }
            Action::Respond(respond) => Some((local::respond(respond), Kind::Respond)),
        }
    }

    /// Makes the head of a request what the route says, after all that Windrose itself writes.
    pub(crate) fn edit_request(&self, filters: Option<&Filters>, parts: &mut Parts) {
        let rewrite = filters.and_then(|filters| match &filters.action {
            Action::Forward(rewrite) => Some(rewrite),
            _ => None,
        });
        let new_path = rewrite.and_then(|rewrite| rewrite.path.as_ref());
        if new_path.is_some() || self.normal.is_some() {
            let path = self.normal.as_deref().unwrap_or_else(|| parts.uri.path());
            let path = match new_path {
                Some(rewrite) => edit::path(rewrite, path, self.matched.prefix),
                None => path.to_owned(),
            };
            if let Some(uri) = with_query(path, parts.uri.query()) {
                parts.uri = uri;
            }
        }
        if let Some(host) = rewrite.and_then(|rewrite| rewrite.host.as_ref()) {
            parts.headers.insert(header::HOST, host.clone());
        }
        if let Some(filters) = filters {
            edit::fields(&filters.request_headers, &mut parts.headers);
        }
    }

    /// Makes the head of a response what the route says.
    pub(crate) fn edit_response(&self, filters: &Filters, headers: &mut HeaderMap) {
        edit::fields(&filters.response_headers, headers);
        if let Some(cors) = &filters.cors {
            cors::decorate(cors, self.allowed.as_ref(), headers);
        }
    }
}

/// A path of ours with the query of the request; none when that is no URI, which cannot be: both were
/// checked.
fn with_query(mut path: String, query: Option<&str>) -> Option<Uri> {
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    Uri::try_from(path).ok()
}

/// The timeouts in force.
pub(crate) fn timeouts(entry: &AppEntry, filters: Option<&Filters>) -> Timeouts {
    filters
        .and_then(|filters| filters.timeouts)
        .unwrap_or(entry.plan.app.timeouts)
}

/// Whether a request says that its body is larger than its route allows.
fn is_too_large(filters: &Filters, headers: &HeaderMap) -> bool {
    let Some(most) = filters.max_body else {
        return false;
    };
    // It was checked to be a number; one that no u64 holds is too large as well.
    headers.get(header::CONTENT_LENGTH).is_some_and(|length| {
        let length = length
            .to_str()
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        length.is_none_or(|length| length > most)
    })
}
