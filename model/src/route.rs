//! Routes: which requests of an app are treated how.
//!
//! A route holds for a request when any of its matches does; a match holds when all it names does.
//! Of several that hold, precedence is that of the Gateway API (`HTTPRouteRule`, `GRPCRouteRule`):
//! it is worked out where the Table is compiled, not here.

use std::sync::Arc;

use http::{HeaderName, Method};

use crate::{ClientSet, HostPattern, Name, Pattern, Split, SplitBy};

mod fault;
mod filter;
mod grpc;
mod mirror;

pub use fault::{Abort, Delay, Fault};
pub use filter::{
    Action, AllowedOrigin, Came, Cors, Filters, HeaderEdits, PathRewrite, Redirect, Respond,
    Rewrite, Wildcard,
};
pub use grpc::GrpcMatch;
pub use mirror::Mirror;

/// What is done with some of an app's requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Route {
    /// For people: what `explain` and warnings call it.
    pub name: Option<Name>,
    /// Any of these; empty: every request.
    pub matches: Vec<Match>,
    /// Only requests for these hosts, which are hosts of the app or lie below a wildcard of it;
    /// empty: all of its hosts.
    pub hosts: Vec<HostPattern>,
    /// Versions by weight; none: as the app has them. Shared by the routes of an app that say the
    /// same.
    pub split: Option<Arc<Split>>,
    /// What makes the split sticky; none: as the app has it.
    pub split_by: Option<Box<SplitBy>>,
    /// What else is done; none: nothing. Apart, because most routes have none.
    pub filters: Option<Box<Filters>>,
}

/// A conjunction of conditions; empty: every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Match {
    /// By path, or by gRPC service and method.
    pub path: Option<PathMatch>,
    /// What else must hold. Apart, because most matches are by path only.
    pub conditions: Option<Box<Conditions>>,
}

/// What of a path is wanted. Paths are compared in their normal form; see
/// [`normal_path`](crate::normal_path).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathMatch {
    /// All of it.
    Exact(Box<str>),
    /// Whole segments from the left (`PathPrefix`); a slash at its end does not count.
    Prefix(Box<str>),
    /// All of it, by a pattern.
    Regex(Pattern),
    /// A call of gRPC: POST, a content type of gRPC, and a path of service and method.
    Grpc(Box<GrpcMatch>),
}

/// What must hold beside the path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// This one.
    pub method: Option<Method>,
    /// All of these fields. The lines of a field that is repeated are one value, joined by `, ` (RFC
    /// 9110 section 5.2).
    pub headers: Vec<(HeaderName, TextMatch)>,
    /// All of these parameters, percent-decoded; of one that is repeated the first counts.
    pub query: Vec<(Box<str>, TextMatch)>,
    /// All of these cookies; of one that is repeated the first counts.
    pub cookies: Vec<(Box<str>, TextMatch)>,
    /// Clients of this set.
    pub clients: Option<ClientSet>,
    /// Users of this list.
    pub user: Option<UserMatch>,
}

/// Users of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserMatch {
    /// What of a request names its user.
    pub key: UserKey,
    /// The list; Data holds it.
    pub list: Name,
}

/// What of a request names its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserKey {
    /// A header field; repeated lines are one value, joined by `, `.
    Header(HeaderName),
    /// A cookie; of one that is repeated the first counts.
    Cookie(Box<str>),
}

impl std::fmt::Display for UserKey {
    /// As people say it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

/// What of a text is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TextMatch {
    /// Equal, case counts.
    Exact(Box<str>),
    /// All of it, by a pattern.
    Regex(Pattern),
}

impl TextMatch {
    /// Whether a value is what is wanted.
    #[inline]
    pub fn is_match(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => text.as_bytes() == value,
            Self::Regex(pattern) => pattern.is_match(value),
        }
    }

    /// The pattern, if it is one.
    pub const fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Exact(_) => None,
            Self::Regex(pattern) => Some(pattern),
        }
    }
}

impl std::fmt::Display for TextMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "\"{text}\""),
            Self::Regex(pattern) => write!(f, "the regex {pattern}"),
        }
    }
}

impl Match {
    /// By path alone.
    pub fn path(path: PathMatch) -> Self {
        Self {
            path: Some(path),
            conditions: None,
        }
    }

    /// All patterns in it.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let path = match &self.path {
            Some(PathMatch::Regex(pattern)) => [Some(pattern), None],
            Some(PathMatch::Grpc(grpc)) => [
                grpc.service().and_then(TextMatch::pattern),
                grpc.method().and_then(TextMatch::pattern),
            ],
            _ => [None, None],
        };
        let values = self.conditions.iter().flat_map(|conditions| {
            let headers = conditions.headers.iter().map(|(_, value)| value);
            let query = conditions.query.iter().map(|(_, value)| value);
            let cookies = conditions.cookies.iter().map(|(_, value)| value);
            headers.chain(query).chain(cookies)
        });
        path.into_iter()
            .flatten()
            .chain(values.filter_map(TextMatch::pattern))
    }

    /// The clients it is for, if it tells them apart.
    pub fn clients(&self) -> Option<&ClientSet> {
        self.conditions.as_ref()?.clients.as_ref()
    }
}

impl Route {
    /// By path prefix, with a split: what most routes are.
    pub fn prefix(path: &str, split: Split) -> Self {
        Self {
            matches: vec![Match::path(PathMatch::Prefix(path.into()))],
            split: Some(Arc::new(split)),
            ..Self::default()
        }
    }

    /// The sets of clients that its matches tell apart.
    pub fn client_sets(&self) -> impl Iterator<Item = &ClientSet> {
        self.matches.iter().filter_map(Match::clients)
    }
}
