//! Matches that no request reaches, because another takes all that they would.
//!
//! By precedence a match with more conditions goes before one with fewer, so what hides a match is
//! one that asks for the very same and stands earlier; a regex for every path, which goes before all
//! prefixes; or a route for all requests of each of the app's hosts.

use std::collections::BTreeMap;

use windrose_model::{
    App, Conditions, DnsName, Invalid, Match, Name, PathMatch, Route, Segment, TextMatch, WallTime,
};

use super::at;

pub(super) fn warnings(name: &Name, app: &App, found: &mut Vec<Invalid>) {
    let everything = Match::default();
    let mut first: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    let all_paths = app
        .routes
        .iter()
        .position(|route| route.hosts.is_empty() && route.matches.iter().any(is_every_path));
    let all_hosts = app
        .routes
        .iter()
        .position(|route| takes_every_host(app, route));
    for (number, route) in app.routes.iter().enumerate() {
        let matches = match route.matches.is_empty() {
            true => std::slice::from_ref(&everything),
            false => &route.matches,
        };
        for (i, one) in matches.iter().enumerate() {
            let by_prefix = matches!(one.path, None | Some(PathMatch::Prefix(_)));
            let hidden = |by: usize| by != number && route.hosts.is_empty();
            let (by, why) = match (first.get(&Key::of(route, one)), all_paths, all_hosts) {
                (Some(by), ..) => (*by, "asks for the same and stands before"),
                (None, Some(by), _) if by_prefix && hidden(by) => {
                    (by, "takes every path, and a regex goes before a prefix")
                }
                (None, _, Some(by)) if hidden(by) => (
                    by,
                    "takes every request of each host, and routes of hosts go before others",
                ),
                _ => {
                    first.insert(Key::of(route, one), number);
                    continue;
                }
            };
            let by_name = match &app.routes[by].name {
                Some(name) => format!("route {name}"),
                None => format!("route {}", by + 1),
            };
            let mut at = at(name, &["routes"]);
            at.extend([number.into(), Segment::from("match")]);
            if route.matches.len() > 1 {
                at.push(i.into());
            }
            found.push(Invalid {
                code: "unreachable-route",
                at,
                message: format!("no request gets here: {by_name} {why}"),
                help: None,
            });
        }
    }
}

/// Faults that are over: they do nothing, and look as if they did.
pub(super) fn faults(name: &Name, app: &App, now: WallTime, found: &mut Vec<Invalid>) {
    for (number, route) in app.routes.iter().enumerate() {
        let filters = route.filters.as_ref();
        let fault = filters.and_then(|filters| filters.fault.as_ref());
        let Some(fault) = fault.filter(|fault| !fault.is_active(now)) else {
            continue;
        };
        let mut at = at(name, &["routes"]);
        at.extend([
            number.into(),
            Segment::from("fault"),
            Segment::from("until"),
        ]);
        found.push(Invalid {
            code: "fault-over",
            at,
            message: format!("this fault was over at {}: it does nothing", fault.until),
            help: Some("remove it, or give it a later end".to_owned()),
        });
    }
}

/// What a match asks for, however it is written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    hosts: Vec<&'a DnsName>,
    path: String,
    conditions: Vec<String>,
}

impl<'a> Key<'a> {
    fn of(route: &'a Route, one: &Match) -> Self {
        let mut hosts: Vec<_> = route.hosts.iter().collect();
        hosts.sort_unstable();
        hosts.dedup();
        Self {
            hosts,
            path: match &one.path {
                None => "prefix ".to_owned(),
                Some(PathMatch::Prefix(path)) => format!("prefix {}", path.trim_end_matches('/')),
                Some(other) => format!("{other:?}"),
            },
            conditions: one
                .conditions
                .as_deref()
                .map(conditions)
                .unwrap_or_default(),
        }
    }
}

fn conditions(all: &Conditions) -> Vec<String> {
    let said = |what: &str, name: &str, wanted: &TextMatch| format!("{what} {name} {wanted}");
    let mut list: Vec<String> = all.method.iter().map(|m| format!("method {m}")).collect();
    list.extend(
        all.headers
            .iter()
            .map(|(n, w)| said("header", n.as_str(), w)),
    );
    list.extend(all.query.iter().map(|(n, w)| said("parameter", n, w)));
    list.extend(all.cookies.iter().map(|(n, w)| said("cookie", n, w)));
    let user = all.user.iter();
    list.extend(user.map(|u| format!("user {} {}", u.key, u.list)));
    list.extend(all.clients.iter().map(|set| format!("{set:?}")));
    list.sort_unstable();
    list
}

fn is_every_path(one: &Match) -> bool {
    let every = |text: &str| matches!(text, ".*" | "/.*");
    one.conditions.is_none()
        && matches!(&one.path, Some(PathMatch::Regex(pattern)) if every(pattern.as_str()))
}

fn takes_every_host(app: &App, route: &Route) -> bool {
    let every_path = |one: &Match| match &one.path {
        None => true,
        Some(PathMatch::Prefix(path)) => **path == *"/",
        Some(_) => is_every_path(one),
    };
    let every = |one: &Match| one.conditions.is_none() && every_path(one);
    let takes_all = route.matches.is_empty() || route.matches.iter().any(every);
    takes_all && app.hosts.iter().all(|host| route.hosts.contains(host))
}
