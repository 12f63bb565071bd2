//! Where a request would go.

use std::fmt;
use std::net::IpAddr;

use ::http::{HeaderMap, Method};
use windrose_model::{
    Action, EncodedSlashes, Name, Retry, Stamp, TextMatch, WallTime, normal_path,
};

use super::fallback;
use super::placed::placed;
use super::{begins, own, place, route, split};
use crate::routes::RequestHead;
use crate::table::Table;

/// Where a request would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrace {
    /// Of the Table that was asked.
    pub stamp: Stamp,
    /// Host and path.
    pub request: (String, String),
    /// Whose request it is.
    pub client: IpAddr,
    /// In order, one line each.
    pub steps: Vec<String>,
    /// App, route, version and cluster, as far as the request got.
    pub app: Option<String>,
    /// See `app`: its name, or its position from 1; none when no route fits.
    pub route: Option<String>,
    /// See `app`.
    pub version: Option<String>,
    /// See `app`.
    pub cluster: Option<String>,
    /// The endpoints that one of is picked from, by load: those that are up, or all if none is.
    pub endpoints: Vec<String>,
    /// The status, where Windrose answers itself.
    pub status: Option<u16>,
}

/// A request to be explained.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Lower-case, without port.
    pub host: &'a str,
    /// Begins with `/`.
    pub path: &'a str,
    /// Behind the `?`.
    pub query: Option<&'a str>,
    /// Its method.
    pub method: &'a Method,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// It comes over TLS.
    pub tls: bool,
    /// The port it comes in at.
    pub port: u16,
}

/// Traces a request, as if `draw` had been thrown and it were `now`.
pub fn http(
    table: &Table,
    request: &HttpRequest<'_>,
    client: IpAddr,
    draw: u64,
    home: Option<&Name>,
    now: WallTime,
) -> HttpTrace {
    let (host, path) = (request.host, request.path);
    let mut trace = HttpTrace {
        stamp: table.stamp(),
        request: (host.to_owned(), path.to_owned()),
        client,
        steps: Vec::new(),
        app: None,
        route: None,
        version: None,
        cluster: None,
        endpoints: Vec::new(),
        status: None,
    };
    if let Some(own) = own::refused(request) {
        return trace.answered(own);
    }
    let Some(id) = table.host(host) else {
        return trace.answered((404, format!("no app has the host {host}")));
    };
    let entry = table.app(id);
    let plan = &entry.plan;
    trace.app = Some(plan.name.to_string());
    trace
        .steps
        .push(format!("host {host} belongs to app {}", plan.name));
    if let Some(own) = own::secured(request, &plan.app.tls, &mut trace.steps) {
        return trace.answered(own);
    }
    for (name, limit) in &plan.app.rate_limits {
        let mode = if limit.enforced { "" } else { " (dry run)" };
        trace
            .steps
            .push(format!("rate limit {name}{mode}: {limit}"));
    }
    if let Some(outliers) = &plan.app.outliers {
        trace
            .steps
            .push(format!("endpoints are ejected {outliers}"));
    }
    if let Some(breakers) = &plan.app.breakers {
        trace.steps.push(format!("each cluster takes {breakers}"));
    }
    if plan.app.retry != Retry::default() {
        trace.steps.push(format!("retries: {}", plan.app.retry));
    }
    if let Some(hedge) = plan.app.hedge {
        let after = hedge.after;
        trace
            .steps
            .push(format!("hedged: a second try after {after:?}"));
    }
    if let Some(fallback) = &plan.app.fallback {
        trace.steps.push(format!("falls back {fallback}"));
    }
    let keeps = plan.app.encoded_slashes == EncodedSlashes::Keep;
    let normal = match normal_path(path, keeps) {
        Ok(normal) if entry.has_routes() => normal,
        Err(fault) if entry.has_routes() => {
            return trace.answered((400, fault.to_string()));
        }
        _ => path.into(),
    };
    if normal != path {
        trace.steps.push(format!(
            "the path {path} is {normal} in its normal form, which is what the backend gets"
        ));
    }
    let mut head = RequestHead {
        host,
        path: &normal,
        query: request.query,
        method: request.method,
        headers: request.headers,
        leaf: table.leaf(client),
    };
    let announced = own::announced(request);
    let mut is_preflight = false;
    if let Some(method) = &announced {
        let of = RequestHead { method, ..head };
        let filters = entry.filters(entry.route(table, &of).route);
        if filters.is_some_and(|filters| filters.cors.is_some()) {
            trace.steps.push(format!(
                "a preflight: the route is that of the {method} which it announces"
            ));
            (head, is_preflight) = (of, true);
        }
    }
    let found = entry.route(table, &head);
    route::tell(table, entry, &head, found, &mut trace.steps);
    let taken = usize::from(found.route.0).checked_sub(1);
    if let Some(at) = taken
        && let Some(taken) = plan.app.routes.get(at)
    {
        trace.route = Some(match &taken.name {
            Some(name) => name.to_string(),
            None => (at + 1).to_string(),
        });
    }
    let route = found.route;
    if let Some(fault) = entry
        .filters(route)
        .and_then(|filters| filters.fault.as_deref())
    {
        let fits = |(name, wanted): &(_, TextMatch)| {
            head.header(name)
                .is_some_and(|value| wanted.is_match(&value))
        };
        let state = match (fault.is_active(now), fault.headers.iter().all(fits)) {
            (true, true) => "in force",
            (true, false) => "not for this request",
            (false, _) => "over",
        };
        trace.steps.push(format!("fault, {state}: {fault}"));
    }
    let own = match entry.filters(route).map(|filters| &filters.action) {
        _ if is_preflight => Some((200, "preflights are answered here".to_owned())),
        Some(Action::Redirect(to)) => {
            let location = own::location(to, request, &normal, found);
            Some((
                to.status.as_u16(),
                format!("a redirect, Location: {location}"),
            ))
        }
        Some(Action::Respond(respond)) => {
            let octets = respond.body.len();
            Some((
                respond.status.as_u16(),
                format!("answered here, {octets} octets"),
            ))
        }
        Some(Action::Forward(_)) | None => None,
    };
    if let Some(own) = own {
        return trace.answered(own);
    }
    let version = match entry.preview(route, host, request.headers) {
        None => split::tell(
            entry,
            route,
            request.headers,
            client,
            draw,
            &mut trace.steps,
        ),
        Some(version) => {
            let name = &plan.versions[usize::from(version)].name;
            trace
                .steps
                .push(format!("a preview: it takes {name}, whatever the split"));
            version
        }
    };
    let name = &plan.versions[usize::from(version)].name;
    trace.version = Some(name.to_string());
    let (view, key) = place(
        table,
        entry,
        (entry.steering(), &entry.plan.app.steering),
        client,
        draw,
        &mut trace.steps,
    );
    let hash = entry.balance_key(request.headers, client);
    let placed = placed(entry, view, version, (key, hash), home, &mut trace.steps);
    if let Some(begins) = begins(&plan.app.upstream) {
        trace.steps.push(begins);
    }
    let mut placed = placed;
    if placed.cluster.is_none() {
        let refused = format!("no cluster may take version {name}");
        match entry.fallback(route) {
            None => {
                trace.steps.push(format!("{refused}: 503"));
                trace.status = Some(503);
            }
            Some(fallback) => {
                trace.steps.push(refused);
                let (tried, status) = fallback::told(
                    entry,
                    fallback,
                    (view, version),
                    (key, hash),
                    &mut trace.steps,
                );
                if let Some((version, other)) = tried {
                    trace.version = Some(version);
                    placed = other;
                }
                trace.status = status;
            }
        }
    }
    trace.cluster = placed.cluster;
    trace.endpoints = placed.endpoints;
    trace
}

impl HttpTrace {
    /// The request gets no further.
    fn answered(mut self, (status, why): own::Own) -> Self {
        self.steps.push(format!("{why}: {status}"));
        self.status = Some(status);
        self
    }
}

impl fmt::Display for HttpTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}{} for {} under table {}",
            self.request.0, self.request.1, self.client, self.stamp
        )?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        match (&self.version, &self.cluster) {
            (Some(version), Some(cluster)) => writeln!(
                f,
                "version {version} in cluster {cluster}: {}",
                self.endpoints.join(", ")
            ),
            _ => match self.status {
                Some(status) => writeln!(f, "answered by Windrose itself with {status}"),
                None => writeln!(f, "not served"),
            },
        }
    }
}
