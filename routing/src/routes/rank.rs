//! Which of several matches goes before (Gateway API `HTTPRouteRule.matches`, `GRPCRouteRule.matches`).
//!
//! Exact paths, then patterns, then prefixes, the longest first; then a method, the most headers, the
//! most query parameters; then the first rule. What the Gateway API leaves open: patterns go before
//! prefixes, because a prefix `/` would otherwise hide them all, and the longer written one first;
//! cookies and lists of users count as headers; a match that tells clients apart goes before one that does not.

use std::cmp::Reverse;

use windrose_model::{GrpcMatch, Match, PathMatch, TextMatch};

/// By what a path is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Exact,
    Regex,
    Prefix,
}

/// Earlier is stronger; equal ones are told apart by their position.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    class: Class,
    characters: Reverse<usize>,
    /// Keeps equal paths together; of one length, no two others hold for one request.
    text: &'a str,
    grpc_method: Reverse<usize>,
    method: Reverse<bool>,
    headers: Reverse<usize>,
    parameters: Reverse<usize>,
    clients: Reverse<bool>,
}

impl<'a> Rank<'a> {
    pub(super) fn of(one: Option<&'a Match>) -> Self {
        let class = class(one);
        let text = text(one);
        let (written, grpc_method) = match one.and_then(|one| one.path.as_ref()) {
            Some(PathMatch::Regex(pattern)) => (pattern.as_str().chars().count(), 0),
            Some(PathMatch::Grpc(grpc)) => grpc_characters(grpc),
            _ => (text.chars().count(), 0),
        };
        let conditions = one.and_then(|one| one.conditions.as_deref());
        Self {
            class,
            characters: Reverse(written),
            text: if class == Class::Regex { "" } else { text },
            grpc_method: Reverse(grpc_method),
            method: Reverse(conditions.is_some_and(|c| c.method.is_some())),
            headers: Reverse(conditions.map_or(0, |c| {
                c.headers.len() + c.cookies.len() + usize::from(c.user.is_some())
            })),
            parameters: Reverse(conditions.map_or(0, |c| c.query.len())),
            clients: Reverse(conditions.is_some_and(|c| c.clients.is_some())),
        }
    }
}

/// Characters of the service, or of the whole path if that is one; and of the method.
fn grpc_characters(grpc: &GrpcMatch) -> (usize, usize) {
    let count = |text: Option<&TextMatch>| match text {
        Some(TextMatch::Exact(text)) => text.chars().count(),
        Some(TextMatch::Regex(pattern)) => pattern.as_str().chars().count(),
        None => 0,
    };
    let method = count(grpc.method());
    match grpc.service() {
        Some(TextMatch::Regex(pattern)) => (pattern.as_str().chars().count(), method),
        _ => (grpc.known_path().chars().count(), method),
    }
}

pub(super) fn class(one: Option<&Match>) -> Class {
    match one.and_then(|one| one.path.as_ref()) {
        Some(PathMatch::Exact(_)) => Class::Exact,
        Some(PathMatch::Regex(_)) => Class::Regex,
        Some(PathMatch::Grpc(grpc)) if grpc.is_one_path() => Class::Exact,
        Some(PathMatch::Grpc(grpc)) => match grpc.service() {
            Some(TextMatch::Regex(_)) => Class::Regex,
            _ => Class::Prefix,
        },
        Some(PathMatch::Prefix(_)) | None => Class::Prefix,
    }
}

/// What of a path is looked up: all of it, or a prefix without the slash at its end.
#[inline]
pub(super) fn text(one: Option<&Match>) -> &str {
    match one.and_then(|one| one.path.as_ref()) {
        Some(PathMatch::Exact(path)) => path,
        Some(PathMatch::Prefix(path)) => path.trim_end_matches('/'),
        Some(PathMatch::Grpc(grpc)) => grpc.known_path(),
        Some(PathMatch::Regex(_)) | None => "",
    }
}
