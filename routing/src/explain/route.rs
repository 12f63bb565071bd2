//! Why a request takes its route, and the others not.

use windrose_model::{Action, App, Filters, Match, PathMatch, PathRewrite, Route, Wildcard};

use crate::routes::{Miss, RequestHead, RouteMatch};
use crate::table::{AppEntry, Table};

/// As many matches are told as somebody reads.
const TOLD: usize = 20;

/// Tells how the route of a request is found, and what it does.
pub(super) fn tell(
    table: &Table,
    entry: &AppEntry,
    head: &RequestHead<'_>,
    found: RouteMatch,
    steps: &mut Vec<String>,
) {
    let app = &entry.plan.app;
    if app.routes.is_empty() {
        return;
    }
    let all = entry.plan.routes.considered(app, table, head);
    let winner = all.iter().position(|(.., miss)| miss.is_none());
    for (at, (route, of, miss)) in all.iter().enumerate().take(TOLD) {
        let what = describe(app, *route, *of);
        steps.push(match miss {
            Some(miss) => format!("{what}: no, {}", why(miss, head)),
            None if Some(at) == winner => {
                format!("{what}: yes, and it goes before all others that fit")
            }
            None => format!("{what}: fits too, but comes later"),
        });
    }
    if all.len() > TOLD {
        steps.push(format!("… and {} matches more", all.len() - TOLD));
    }
    match entry.filters(found.route) {
        _ if found == RouteMatch::NONE => {
            steps.push("no route fits, so the app's own split holds".to_owned());
        }
        None => {}
        Some(filters) => does(filters, steps),
    }
}

/// A route by name or position, and the match by what it asks for.
fn describe(app: &App, route: u16, at: u16) -> String {
    let Some(wanted) = app.routes.get(usize::from(route)) else {
        return String::new();
    };
    format!("{} ({})", name(wanted, route), conditions(wanted, at))
}

pub(super) fn name(route: &Route, at: u16) -> String {
    match &route.name {
        Some(name) => format!("route {name}"),
        None => format!("route {}", at + 1),
    }
}

fn conditions(route: &Route, at: u16) -> String {
    let hosts = match route.hosts.is_empty() {
        true => String::new(),
        false => {
            let hosts: Vec<_> = route.hosts.iter().map(ToString::to_string).collect();
            format!(" of {}", hosts.join(", "))
        }
    };
    match route.matches.get(usize::from(at)) {
        None => format!("every request{hosts}"),
        Some(one) => format!("{}{hosts}", of_match(one)),
    }
}

fn of_match(one: &Match) -> String {
    let mut parts = Vec::new();
    match &one.path {
        None => {}
        Some(PathMatch::Exact(path)) => parts.push(format!("path {path}")),
        Some(PathMatch::Prefix(path)) => parts.push(format!("prefix {path}")),
        Some(PathMatch::Regex(pattern)) => parts.push(format!("path of the regex {pattern}")),
        Some(PathMatch::Grpc(grpc)) => {
            let text = |wanted: Option<_>| match wanted {
                Some(wanted) => format!("{wanted}"),
                None => "any".to_owned(),
            };
            let (service, method) = (text(grpc.service()), text(grpc.method()));
            parts.push(format!("gRPC service {service}, method {method}"));
        }
    }
    if let Some(all) = &one.conditions {
        parts.extend(all.method.iter().map(|method| format!("method {method}")));
        let headers = all.headers.iter();
        parts.extend(headers.map(|(name, wanted)| format!("header {name} {wanted}")));
        let query = all.query.iter();
        parts.extend(query.map(|(name, wanted)| format!("parameter {name} {wanted}")));
        let cookies = all.cookies.iter();
        parts.extend(cookies.map(|(name, wanted)| format!("cookie {name} {wanted}")));
        let user = all.user.iter();
        parts.extend(user.map(|user| format!("{} in the list {}", user.key, user.list)));
        if all.clients.is_some() {
            parts.push("some clients".to_owned());
        }
    }
    match parts.is_empty() {
        true => "every request".to_owned(),
        false => parts.join(", "),
    }
}

fn why(miss: &Miss<'_>, head: &RequestHead<'_>) -> String {
    match miss {
        Miss::Path => format!("the path is {}", head.path),
        Miss::NotGrpc => "it is no call of gRPC (POST with a content type of gRPC)".to_owned(),
        Miss::Method => format!("the method is {}", head.method),
        Miss::Header(name, wanted) => match head.header(name) {
            None => format!("there is no header {name}"),
            Some(value) => format!("header {name} is \"{}\", not {wanted}", shown(&value)),
        },
        Miss::Parameter(name, wanted) => match head.parameter(name) {
            None => format!("there is no parameter {name}"),
            Some(value) => format!("parameter {name} is \"{}\", not {wanted}", shown(&value)),
        },
        Miss::Cookie(name, wanted) => match head.cookie(name) {
            None => format!("there is no cookie {name}"),
            Some(value) => format!("cookie {name} is \"{}\", not {wanted}", shown(value)),
        },
        Miss::User(wanted) => match head.user(&wanted.key) {
            None => format!("there is no {}", wanted.key),
            Some(user) => {
                let user = shown(&user);
                format!("\"{user}\" is not in the list {}", wanted.list)
            }
        },
        Miss::Clients => "it is for other clients".to_owned(),
    }
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(60).collect()
}

/// What a route does, a line each.
fn does(filters: &Filters, steps: &mut Vec<String>) {
    match &filters.action {
        Action::Forward(rewrite) => {
            if let Some(host) = &rewrite.host {
                steps.push(format!("the backend sees Host {}", shown(host.as_bytes())));
            }
            match &rewrite.path {
                Some(PathRewrite::Full(path)) => {
                    steps.push(format!("the backend sees the path {path}"))
                }
                Some(PathRewrite::Prefix(path)) => {
                    steps.push(format!(
                        "the backend sees \"{path}\" in place of the prefix"
                    ));
                }
                None => {}
            }
        }
        // Told behind the edits, with where it leads.
        Action::Redirect(_) | Action::Respond(_) => {}
    }
    for (what, edits) in [
        ("request", &filters.request_headers),
        ("response", &filters.response_headers),
    ] {
        if !edits.is_empty() {
            let names = |list: &[(http::HeaderName, http::HeaderValue)]| {
                list.iter()
                    .map(|(name, _)| name.as_str().to_owned())
                    .collect::<Vec<_>>()
            };
            let removed: Vec<_> = edits.remove.iter().map(ToString::to_string).collect();
            let edits = [
                ("set", names(&edits.set)),
                ("add", names(&edits.add)),
                ("remove", removed),
            ];
            let told: Vec<_> = (edits.iter().filter(|(_, names)| !names.is_empty()))
                .map(|(how, names)| format!("{how} {}", names.join(", ")))
                .collect();
            steps.push(format!("{what} headers: {}", told.join("; ")));
        }
    }
    if let Some(cors) = &filters.cors {
        let any = matches!(cors.methods, Wildcard::Any);
        let methods = if any { "any method" } else { "some methods" };
        steps.push(format!(
            "cross-origin requests of {} origins with {methods}",
            cors.origins.len()
        ));
    }
    if let Some(most) = filters.max_body {
        steps.push(format!("a body above {most} octets is refused with 413"));
    }
    for mirror in &filters.mirrors {
        let percent = f64::from(mirror.percent.hundredths()) / 100.0;
        let host = mirror.host_suffix.as_deref();
        let host = host.map_or(String::new(), |suffix| format!(", host with {suffix}"));
        steps.push(format!(
            "{percent} % are copied to {}{host}: bodies up to {} octets, {} at once, {:?} each",
            mirror.version, mirror.body_limit, mirror.max_in_flight, mirror.timeout
        ));
    }
    if let Some(retry) = &filters.retry {
        steps.push(format!("retries here: {retry}"));
    }
    if let Some(hedge) = filters.hedge {
        steps.push(format!("hedged here: a second try after {:?}", hedge.after));
    }
    if let Some(fallback) = &filters.fallback {
        steps.push(format!("falls back here {fallback}"));
    }
    if let Some(timeouts) = &filters.timeouts {
        steps.push(format!(
            "timeouts: connect {:?}, first_byte {:?}, request {:?}",
            timeouts.connect, timeouts.first_byte, timeouts.request
        ));
    }
}
