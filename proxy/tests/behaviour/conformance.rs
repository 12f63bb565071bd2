//! The conformance cases of the Gateway API that need no Kubernetes, under their names, through a
//! real proxy. What a suite of theirs says of `infra-backend-v1` is version `v1` here; where theirs
//! wants 404, the last route answers so, because an app's own split would take the request.

mod cors;
mod filters;
mod grpc;
mod matching;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use windrose_model::{
    Action, App, Conditions, DnsName, Filters, Match, PathMatch, Pattern, Respond, Route, Split,
    TextMatch, Version, Weight,
};

use crate::support::backend::Backend;
use crate::support::client::{Client, Response};
use crate::support::{Node, app, name};

/// A proxy in front of three versions, `v1` to `v3`, that answer with what they saw.
struct Edge {
    node: Node,
    client: Client,
    _backends: Vec<Backend>,
}

impl Edge {
    /// The routes are the app's, and after them one that answers 404 to everything.
    async fn new(hosts: &[&str], mut routes: Vec<Route>) -> Self {
        let mut backends = Vec::new();
        for name in ["v1", "v2", "v3"] {
            backends.push(Backend::answers(name).await);
        }
        let mut app = three_versions(&backends);
        app.hosts = hosts.iter().map(|h| DnsName::parse(h).unwrap()).collect();
        let not_found = Action::Respond(Respond {
            status: StatusCode::NOT_FOUND,
            headers: Vec::new(),
            body: "no route\n".into(),
        });
        let last = Filters {
            action: not_found,
            ..Filters::default()
        };
        routes.push(Route {
            filters: Some(Box::new(last)),
            ..Route::default()
        });
        app.routes = routes;
        let node = Node::start(app);
        let client = node.client().await;
        Self {
            node,
            client,
            _backends: backends,
        }
    }

    async fn ask(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Response {
        let fields: String = fields
            .iter()
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        let length = if method == "POST" {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n");
        self.client.send(head).await;
        if method == "HEAD" {
            return self.client.head().await;
        }
        self.client.response().await
    }

    /// Which version answers a GET; `404` when none does.
    async fn check(&mut self, host: &str, path: &str, fields: &[(&str, &str)], expected: &str) {
        self.check_method("GET", host, path, fields, expected).await;
    }

    async fn check_method(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
        expected: &str,
    ) {
        let response = self.ask(method, host, path, fields).await;
        let got = match response.status {
            200 => response.field("x-backend").to_owned(),
            status => status.to_string(),
        };
        assert_eq!(got, expected, "{method} {host} {path} {fields:?}");
    }

    async fn stop(self) {
        drop(self.client);
        self.node.stop().await;
    }
}

fn three_versions(backends: &[Backend]) -> App {
    let mut app = app(&[("c1", &[backends[0].address])]);
    for (version, backend) in ["v2", "v3"].into_iter().zip(&backends[1..]) {
        let endpoints = BTreeMap::from([(name("c1"), vec![backend.address])]);
        app.versions.insert(name(version), Version::at(endpoints));
    }
    app
}

fn split(weights: &[(&str, u32)]) -> Split {
    let weights = weights.iter();
    Split(
        weights
            .map(|(v, w)| (name(v), Weight::new(*w).unwrap()))
            .collect(),
    )
}

/// A route of these matches to one version.
fn to(version: &str, matches: Vec<Match>) -> Route {
    Route {
        matches,
        split: Some(Arc::new(split(&[(version, 1)]))),
        ..Route::default()
    }
}

/// A route by prefix, with filters.
fn with(prefix: &str, filters: Filters) -> Route {
    Route {
        matches: vec![below(prefix)],
        filters: Some(Box::new(filters)),
        ..Route::default()
    }
}

fn is(path: &str) -> Match {
    Match::path(PathMatch::Exact(path.into()))
}

fn below(path: &str) -> Match {
    Match::path(PathMatch::Prefix(path.into()))
}

fn exact(text: &str) -> TextMatch {
    TextMatch::Exact(text.into())
}

fn like(pattern: &str) -> TextMatch {
    TextMatch::Regex(Pattern::new(pattern).unwrap())
}

fn header(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).unwrap()
}

fn fields(list: &[(&str, &'static str)]) -> Vec<(HeaderName, HeaderValue)> {
    let list = list.iter();
    list.map(|(n, v)| (header(n), HeaderValue::from_static(v)))
        .collect()
}

/// What must hold beside a path.
trait And {
    fn and(self, change: impl FnOnce(&mut Conditions)) -> Match;
}

impl And for Match {
    fn and(mut self, change: impl FnOnce(&mut Conditions)) -> Self {
        change(self.conditions.get_or_insert_default());
        self
    }
}

fn headed(path: Match, wanted: &[(&str, &str)]) -> Match {
    let wanted = wanted.iter();
    let wanted = wanted.map(|(n, v)| (header(n), exact(v))).collect();
    path.and(|all| all.headers = wanted)
}

fn asked(path: Match, wanted: &[(&str, &str)]) -> Match {
    let wanted = wanted.iter();
    let wanted = wanted.map(|(n, v)| (Box::from(*n), exact(v))).collect();
    path.and(|all| all.query = wanted)
}

fn method(path: Match, method: Method) -> Match {
    path.and(|all| all.method = Some(method))
}
