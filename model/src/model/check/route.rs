//! What can be wrong with the routes of an app.

use std::collections::BTreeSet;

use http::{HeaderName, StatusCode, header};

use super::Checker;
use crate::invalid::Segment;
use crate::{
    Action, App, ClientSet, Conditions, DnsName, EncodedSlashes, Filters, HeaderEdits, Match,
    PathMatch, PathRewrite, Redirect, Respond, Route, TextMatch, UserKey, budget, normal_path,
};

/// Fields that say how a message is framed, or what a connection is: they are not a route's to edit.
const FRAMING: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// How many regexes an app has.
pub(super) fn patterns(app: &App) -> usize {
    let matches = app.routes.iter().flat_map(|route| &route.matches);
    matches.map(|one| one.patterns().count()).sum()
}

impl Checker<'_> {
    pub(super) fn routes(&mut self, app: &App) {
        self.under("routes", |c| {
            c.within("routes", app.routes.len(), budget::ROUTES_PER_APP);
            c.within(
                "regexes of one app",
                patterns(app),
                budget::PATTERNS_PER_APP,
            );
            for (i, route) in app.routes.iter().enumerate() {
                c.under(i, |c| c.route(app, route));
            }
        });
    }

    fn route(&mut self, app: &App, route: &Route) {
        self.under("hosts", |c| {
            for (i, host) in route.hosts.iter().enumerate() {
                if !app.hosts.iter().any(|of| covers(of, host)) {
                    c.under(i, |c| c.foreign_host(app, host));
                }
            }
        });
        self.under("match", |c| {
            c.within(
                "matches of one route",
                route.matches.len(),
                budget::MATCHES_PER_ROUTE,
            );
            for (i, one) in route.matches.iter().enumerate() {
                match route.matches.len() {
                    1 => c.one_match(app, one),
                    _ => c.under(i, |c| c.one_match(app, one)),
                }
            }
        });
        if let Some(split) = &route.split {
            self.under("split", |c| c.split(app, split));
        }
        if let Some(by) = &route.split_by {
            self.under("split_by", |c| c.split_by(app, by));
        }
        if let Some(filters) = &route.filters {
            self.filters(route, filters);
            self.mirrors(app, filters);
            if let Some(retry) = &filters.retry {
                self.under("retry", |c| c.retry(retry));
            }
            if let Some(hedge) = filters.hedge {
                let timeouts = filters.timeouts.as_ref().unwrap_or(&app.timeouts);
                self.under("hedge", |c| c.hedge(app, hedge, timeouts));
            }
            if let Some(fallback) = &filters.fallback {
                self.under("fallback", |c| {
                    if !matches!(filters.action, Action::Forward(_)) {
                        let message = "what is answered here is not sent, so nothing can stand in";
                        c.refuse("fallback-without-use", message.to_owned(), None);
                    }
                    c.fallback(app, fallback);
                });
            }
            if let Some(fault) = &filters.fault {
                self.under("fault", |c| c.fault(app, route, fault));
            }
        }
    }

    pub(super) fn foreign_host(&mut self, app: &App, host: &DnsName) {
        let hosts: Vec<_> = app.hosts.iter().take(8).map(DnsName::to_string).collect();
        self.refuse(
            "host-not-in-app",
            format!("{host} is no host of this app"),
            Some(format!("its hosts: {}", hosts.join(", "))),
        );
    }

    fn one_match(&mut self, app: &App, one: &Match) {
        match &one.path {
            Some(PathMatch::Exact(path)) => self.path_of("path", "exact", path, app),
            Some(PathMatch::Prefix(path)) => self.path_of("path", "prefix", path, app),
            Some(PathMatch::Grpc(grpc)) => self.under("grpc", |c| {
                for (key, wanted) in [("service", grpc.service()), ("method", grpc.method())] {
                    if let Some(TextMatch::Exact(text)) = wanted {
                        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._".contains(&b);
                        if text.is_empty() || !text.bytes().all(legal) {
                            c.under(key, |c| {
                                c.refuse(
                                    "grpc-form",
                                    format!("{key} {text:?} must be letters, digits, '_' and '.'"),
                                    None,
                                );
                            });
                        }
                    }
                }
            }),
            Some(PathMatch::Regex(_)) | None => {}
        }
        if let Some(conditions) = &one.conditions {
            self.conditions(conditions);
        }
    }

    fn conditions(&mut self, conditions: &Conditions) {
        let names = conditions.headers.iter().map(|(name, _)| name.as_str());
        self.named("headers", names);
        self.named("query", conditions.query.iter().map(|(name, _)| &**name));
        self.named(
            "cookies",
            conditions.cookies.iter().map(|(name, _)| &**name),
        );
        if let Some(user) = &conditions.user {
            let users = &self.draft.users;
            self.under("user", |c| {
                c.under("list", |c| {
                    let is_known = users.contains_key(&user.list);
                    c.known(
                        "unknown-list",
                        "list of users",
                        user.list.as_str(),
                        is_known,
                        users.keys(),
                    );
                });
                if let UserKey::Cookie(name) = &user.key {
                    c.named("cookie", std::iter::once(&**name));
                }
            });
        }
        if let Some(clients) = &conditions.clients {
            self.under("clients", |c| {
                if *clients == ClientSet::default() {
                    c.refuse(
                        "match-without-clients",
                        "a match by clients needs cidrs, lists, asns, cities, subdivisions, countries or continents"
                            .to_owned(),
                        None,
                    );
                }
                c.plain(clients.cidrs.iter());
                c.under("lists", |c| {
                    let lists = clients.lists.iter().enumerate();
                    c.listed(lists.map(|(i, list)| (i.into(), list)));
                });
            });
        }
    }

    /// Names that a match asks for, each once.
    pub(super) fn named<'n>(&mut self, key: &str, names: impl Iterator<Item = &'n str> + Clone) {
        self.under(key, |c| {
            c.within(key, names.clone().count(), budget::CONDITIONS_PER_MATCH);
            let mut seen = BTreeSet::new();
            for name in names {
                if name.is_empty() || name.len() > budget::ROUTE_TEXT {
                    let message = format!("a name in {key} has 1 to {} octets", budget::ROUTE_TEXT);
                    c.refuse("name-length", message, None);
                }
                if !seen.insert(name) {
                    c.refuse(
                        "duplicate-name",
                        format!("{name} is written twice in {key}"),
                        None,
                    );
                }
            }
        });
    }

    /// A path that requests are compared with: one that no request can have is refused.
    fn path_of(&mut self, outer: &str, key: &str, path: &str, app: &App) {
        self.under(outer, |c| {
            c.under(key, |c| {
                let keeps = app.encoded_slashes == EncodedSlashes::Keep;
                if c.path_form(key, path) {
                    match normal_path(path, keeps) {
                        Ok(normal) if normal == path => {}
                        Ok(normal) => c.refuse(
                            "path-not-normal",
                            format!(
                                "no request matches {path}: paths are compared in their normal form"
                            ),
                            Some(format!("write {normal}")),
                        ),
                        Err(fault) => c.refuse(
                            "path-not-normal",
                            format!("no request matches {path}: {fault}, which is refused"),
                            None,
                        ),
                    }
                }
            });
        });
    }

    fn path_form(&mut self, key: &str, path: &str) -> bool {
        let sendable = |b: u8| b.is_ascii_graphic() && !b"?#<>`^{}\"|".contains(&b);
        let is_path = path.starts_with('/') && path.bytes().all(sendable);
        if !is_path || path.len() > budget::ROUTE_TEXT {
            self.refuse(
                "path-form",
                format!(
                    "path {key} {path:?} must begin with '/', have at most {} octets, and hold no spaces, '?' or '#'; what is not ASCII is percent-encoded",
                    budget::ROUTE_TEXT
                ),
                None,
            );
            return false;
        }
        true
    }

    fn filters(&mut self, route: &Route, filters: &Filters) {
        self.under("request_headers", |c| c.edits(&filters.request_headers));
        self.under("response_headers", |c| c.edits(&filters.response_headers));
        match &filters.action {
            Action::Forward(rewrite) => self.under("rewrite", |c| {
                if let Some(path) = &rewrite.path {
                    c.path_rewrite(route, path);
                }
                if let Some(host) = &rewrite.host {
                    c.under("host", |c| c.authority(host.as_bytes(), true));
                }
            }),
            Action::Redirect(redirect) => {
                self.without_split(route, "redirect");
                self.under("redirect", |c| c.redirect(route, redirect));
            }
            Action::Respond(respond) => {
                self.without_split(route, "respond");
                self.under("respond", |c| c.respond(respond));
            }
        }
        if let Some(cors) = &filters.cors {
            self.under("cors", |c| {
                if cors.origins.is_empty() {
                    c.refuse(
                        "cors-without-origins",
                        "cors needs at least one origin".to_owned(),
                        Some("write origins: [\"*\"] for all".to_owned()),
                    );
                }
            });
        }
    }

    /// Nothing is sent to a version where the route answers itself.
    fn without_split(&mut self, route: &Route, action: &str) {
        let written = [
            ("split", route.split.is_some()),
            ("split_by", route.split_by.is_some()),
        ];
        for (key, _) in written.iter().filter(|(_, is_written)| *is_written) {
            self.under(*key, |c| {
                c.refuse(
                    "split-without-use",
                    format!("`{action}` sends nothing to a version, so `{key}` has no use"),
                    None,
                );
            });
        }
    }

    fn redirect(&mut self, route: &Route, redirect: &Redirect) {
        if let Some(path) = &redirect.path {
            self.path_rewrite(route, path);
        }
        if let Some(host) = &redirect.host {
            self.under("host", |c| c.authority(host.as_bytes(), false));
        }
        if redirect.port == Some(0) {
            self.under("port", |c| {
                c.refuse(
                    "port-form",
                    "port is 0, must be 1 to 65535".to_owned(),
                    None,
                );
            });
        }
        if !REDIRECTS.contains(&redirect.status.as_u16()) {
            self.under("status", |c| {
                let message = format!(
                    "status is {}, must be 301, 302, 303, 307 or 308",
                    redirect.status.as_u16()
                );
                c.refuse("status-form", message, None);
            });
        }
    }

    pub(super) fn respond(&mut self, respond: &Respond) {
        let status = respond.status;
        if !(200..600).contains(&status.as_u16()) {
            self.under("status", |c| {
                let message = format!("status is {}, must be 200 to 599", status.as_u16());
                c.refuse("status-form", message, None);
            });
        }
        let mut seen = BTreeSet::new();
        let names = respond.headers.iter().map(|(name, _)| name);
        self.edited("headers", names, &mut seen);
        self.under("body", |c| {
            c.within(
                "octets of a body",
                respond.body.len(),
                budget::RESPONSE_OCTETS,
            );
            let bodiless = [
                StatusCode::NO_CONTENT,
                StatusCode::RESET_CONTENT,
                StatusCode::NOT_MODIFIED,
            ];
            if bodiless.contains(&status) && !respond.body.is_empty() {
                let message = format!("a response with status {} has no body", status.as_u16());
                c.refuse("body-without-use", message, None);
            }
        });
    }

    /// What stands for a prefix needs a prefix to stand for.
    fn path_rewrite(&mut self, route: &Route, path: &PathRewrite) {
        let is_prefix = |one: &Match| matches!(one.path, None | Some(PathMatch::Prefix(_)));
        self.under("path", |c| match path {
            PathRewrite::Full(path) => c.under("full", |c| {
                c.path_form("full", path);
            }),
            PathRewrite::Prefix(path) => c.under("prefix", |c| {
                if !path.is_empty() {
                    c.path_form("prefix", path);
                }
                if !route.matches.iter().all(is_prefix) {
                    c.refuse(
                        "prefix-without-match",
                        "only a route whose matches are all by path prefix can replace the prefix"
                            .to_owned(),
                        Some("write `full`, or match by `path: {prefix: …}`".to_owned()),
                    );
                }
            }),
        });
    }

    fn authority(&mut self, host: &[u8], with_port: bool) {
        let legal = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
        let text = String::from_utf8_lossy(host);
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if with_port => (name, Some(port)),
            _ => (&*text, None),
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if name.is_empty() || name.len() > 253 || !name.as_bytes().iter().all(legal) || !is_port {
            let allowed = if with_port {
                "a name, with or without a port"
            } else {
                "a name"
            };
            self.refuse(
                "host-form",
                format!("host {text:?} must be {allowed}"),
                None,
            );
        }
    }

    fn edits(&mut self, edits: &HeaderEdits) {
        let mut seen = BTreeSet::new();
        self.edited("set", edits.set.iter().map(|(name, _)| name), &mut seen);
        self.edited("add", edits.add.iter().map(|(name, _)| name), &mut seen);
        self.edited("remove", edits.remove.iter(), &mut seen);
    }

    /// Fields that a route writes or removes, each once.
    fn edited<'n>(
        &mut self,
        key: &str,
        names: impl ExactSizeIterator<Item = &'n HeaderName>,
        seen: &mut BTreeSet<&'n str>,
    ) {
        self.under(key, |c| {
            c.within("header edits", names.len(), budget::HEADER_EDITS);
            for (i, name) in names.enumerate() {
                let about: Segment = match key {
                    "remove" => i.into(),
                    _ => name.as_str().into(),
                };
                c.under(about, |c| {
                    if FRAMING.contains(name) {
                        let help = (*name == header::HOST).then(|| "write rewrite: {host: …}".to_owned());
                        c.refuse(
                            "header-not-editable",
                            format!("{name} says how a message is framed or where it goes, a route does not edit it"),
                            help,
                        );
                    }
                    if !seen.insert(name.as_str()) {
                        c.refuse("duplicate-name", format!("{name} is edited twice"), None);
                    }
                });
            }
        });
    }
}

/// Whether a host of an app stands for one of a route.
pub(super) fn covers(of: &DnsName, host: &DnsName) -> bool {
    if of == host {
        return true;
    }
    let above = of.is_wildcard().then(|| of.parent()).flatten();
    let inner = if host.is_wildcard() {
        host.parent()
    } else {
        Some(host.clone())
    };
    matches!((above, inner), (Some(above), Some(inner)) if inner != above && inner.is_within(&above))
}
