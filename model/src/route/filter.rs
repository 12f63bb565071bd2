//! What is done with the requests of a route, and with their responses.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::{Fault, Mirror};
use crate::{Fallback, Hedge, Retry, Timeouts};

/// Everything that a route does beside choosing versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    /// Edits of what a backend gets; they come last, so they may name what Windrose itself writes.
    pub request_headers: HeaderEdits,
    /// Edits of every response of the route, ours included.
    pub response_headers: HeaderEdits,
    /// What becomes of the request.
    pub action: Action,
    /// Cross-origin sharing.
    pub cors: Option<Cors>,
    /// Octets of a request body; above: 413.
    pub max_body: Option<u64>,
    /// In place of the app's.
    pub timeouts: Option<Timeouts>,
    /// Who gets copies.
    pub mirrors: Vec<Mirror>,
    /// In place of the app's.
    pub retry: Option<Box<Retry>>,
    /// In place of the app's.
    pub hedge: Option<Hedge>,
    /// In place of the app's.
    pub fallback: Option<Box<Fallback>>,
    /// What goes wrong on purpose.
    pub fault: Option<Box<Fault>>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// It goes to a backend.
    Forward(Rewrite),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here and now.
    Respond(Respond),
}

impl Default for Action {
    fn default() -> Self {
        Self::Forward(Rewrite::default())
    }
}

/// Edits of header fields (Gateway API `HTTPHeaderFilter`); no field is named twice, so their order
/// does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct HeaderEdits {
    /// In place of all lines of that field.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// One more line.
    pub add: Vec<(HeaderName, HeaderValue)>,
    /// All lines of that field.
    pub remove: Vec<HeaderName>,
}

impl HeaderEdits {
    /// Whether nothing is edited.
    pub const fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// What a backend sees in place of what the client asked for (Gateway API `HTTPURLRewriteFilter`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rewrite {
    /// In place of `Host`.
    pub host: Option<HeaderValue>,
    /// In place of the path; the query stays.
    pub path: Option<PathRewrite>,
}

/// A path in place of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathRewrite {
    /// All of it.
    Full(Box<str>),
    /// The prefix that matched; only where every match is by prefix.
    Prefix(Box<str>),
}

impl PathRewrite {
    /// A path in place of another, of which `prefix` octets matched.
    pub fn apply(&self, path: &str, prefix: u16) -> String {
        match self {
            Self::Full(full) => full.to_string(),
            Self::Prefix(new) => {
                let rest = path.get(usize::from(prefix)..).unwrap_or_default();
                let new = new.trim_end_matches('/');
                match (new, rest) {
                    ("", "") => "/".to_owned(),
                    _ => format!("{new}{rest}"),
                }
            }
        }
    }
}

/// What a client that is sent elsewhere had asked for, and how it came.
#[derive(Debug, Clone, Copy)]
pub struct Came<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Without port.
    pub host: &'a str,
    /// The port it came in at.
    pub port: &'a str,
    /// In its normal form.
    pub path: &'a str,
    /// Behind the `?`.
    pub query: Option<&'a str>,
    /// Octets of the path that the match took.
    pub prefix: u16,
}

impl Redirect {
    /// Scheme, host and path are the request's where the redirect says nothing. The port is the
    /// well-known one of a scheme that is said, else the one the client came in at; well-known ones
    /// are left out (Gateway API `HTTPRequestRedirectFilter.port`).
    pub fn location(&self, came: &Came<'_>) -> String {
        let scheme = self.scheme.as_deref().unwrap_or(came.scheme);
        let host = self.host.as_deref().unwrap_or(came.host);
        let known = if scheme == "https" { "443" } else { "80" };
        let port = match (self.port, &self.scheme) {
            (Some(port), _) => port.to_string(),
            (None, Some(_)) => known.to_owned(),
            (None, None) => came.port.to_owned(),
        };
        let mut location = format!("{scheme}://{host}");
        if port != known {
            location.push(':');
            location.push_str(&port);
        }
        match &self.path {
            Some(path) => location.push_str(&path.apply(came.path, came.prefix)),
            None => location.push_str(came.path),
        }
        if let Some(query) = came.query {
            location.push('?');
            location.push_str(query);
        }
        location
    }
}

/// Where a client is sent (Gateway API `HTTPRequestRedirectFilter`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// `http` or `https`; none: that of the request.
    pub scheme: Option<Box<str>>,
    /// None: that of the request.
    pub host: Option<Box<str>>,
    /// None: the well-known one of `scheme`, or the listener's when there is none either.
    pub port: Option<u16>,
    /// None: that of the request. The query stays.
    pub path: Option<PathRewrite>,
    /// 301, 302, 303, 307 or 308; default 302.
    pub status: StatusCode,
}

/// A response of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Respond {
    /// 200 to 599.
    pub status: StatusCode,
    /// Its fields; without a content type among them it is plain text.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// At most [`RESPONSE_OCTETS`](crate::budget::RESPONSE_OCTETS).
    pub body: Bytes,
}

/// Cross-origin sharing (Gateway API `HTTPCORSFilter`; the Fetch standard, "CORS protocol").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cors {
    /// Whose scripts may read responses.
    pub origins: Vec<AllowedOrigin>,
    /// Whether they may do so with credentials.
    pub credentials: bool,
    /// Told to preflights; GET, HEAD and POST are safe without.
    pub methods: Wildcard,
    /// Told to preflights.
    pub headers: Wildcard,
    /// What scripts may read beside the safe fields.
    pub expose: Wildcard,
    /// For how many seconds a preflight's answer holds; default 5.
    pub max_age: u32,
}

/// Everything, or what a list says, joined by `, `.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wildcard {
    /// `*`.
    Any,
    /// Nothing.
    None,
    /// As the field wants it.
    List(HeaderValue),
}

/// An origin, or many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AllowedOrigin {
    /// `*`.
    Any,
    /// `https://shop.example.com:8443`, or with a `*` as the first of its host.
    Of {
        /// `http` or `https`.
        scheme: Box<str>,
        /// Lower-case; without the `*` if there is one.
        host: Box<str>,
        /// Whether anything may stand before `host`.
        is_suffix: bool,
        /// The well-known one of the scheme when none was written.
        port: u16,
    },
}

impl AllowedOrigin {
    /// From its text; none when it is no origin.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, host, port) = origin(text)?;
        let (host, is_suffix) = match host.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (host, false),
        };
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let is_host = host.bytes().all(legal) && (is_suffix || !host.is_empty());
        is_host.then(|| Self::Of {
            scheme: scheme.into(),
            host: host.to_ascii_lowercase().into(),
            is_suffix,
            port,
        })
    }

    /// Whether an `Origin` is one of these. A `*` stands for any number of labels.
    pub fn allows(&self, wanted: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of {
                scheme,
                host,
                is_suffix,
                port,
            } => origin(wanted).is_some_and(|(its_scheme, its_host, its_port)| {
                let end = its_host.len().checked_sub(host.len());
                let same_host = end.is_some_and(|end| {
                    let starts = if *is_suffix { end > 0 } else { end == 0 };
                    starts && its_host.as_bytes()[end..].eq_ignore_ascii_case(host.as_bytes())
                });
                **scheme == *its_scheme && its_port == *port && same_host
            }),
        }
    }
}

/// Scheme, host and port.
fn origin(text: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = text.split_once("://")?;
    let known = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            let port: u16 = is_number.then(|| port.parse().ok()).flatten()?;
            (port > 0).then_some((scheme, host, port))
        }
        _ => Some((scheme, rest, known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_allowed_by_scheme_host_and_port() {
        let check = |allowed: &str, origin: &str, expected: bool| {
            let parsed = AllowedOrigin::parse(allowed).unwrap();
            assert_eq!(parsed.allows(origin), expected, "{allowed} {origin}");
        };
        check("https://www.foo.com", "https://www.foo.com", true);
        check("https://www.foo.com", "https://www.foo.com:443", true);
        check("https://www.foo.com", "https://WWW.foo.com", true);
        check("https://www.foo.com", "http://www.foo.com", false);
        check("https://www.foo.com", "https://www.foo.com:8443", false);
        check("https://www.foo.com", "https://evil-www.foo.com", false);
        check("https://www.foo.com", "https://www.foo.com.evil.org", false);
        check("https://*.bar.com", "https://www.bar.com", true);
        check("https://*.bar.com", "https://xpto.www.bar.com", true);
        check("https://*.bar.com", "https://bar.com", false);
        check("https://*.bar.com", "https://foobar.com", false);
        check("https://*", "https://any.example", true);
        check("https://*", "https://any.example:444", false);
        check("*", "null", true);
        check("https://www.foo.com", "null", false);
        for wrong in [
            "foo.com",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a*b",
            "https://a:0",
        ] {
            assert_eq!(AllowedOrigin::parse(wrong), None, "{wrong}");
        }
    }
}
