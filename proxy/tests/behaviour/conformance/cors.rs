//! HTTPRouteCORS.

use http::HeaderValue;
use windrose_model::{AllowedOrigin, Cors, Wildcard};

use super::{Edge, Filters, Method, Route, below, method, split, with};
use crate::support::client::Response;
use crate::support::run;
use std::sync::Arc;

fn cors(origins: &[&str], change: impl FnOnce(&mut Cors)) -> Filters {
    let mut cors = Cors {
        origins: origins
            .iter()
            .map(|o| AllowedOrigin::parse(o).unwrap())
            .collect(),
        credentials: false,
        methods: Wildcard::None,
        headers: Wildcard::None,
        expose: Wildcard::None,
        max_age: 5,
    };
    change(&mut cors);
    Filters {
        cors: Some(cors),
        ..Filters::default()
    }
}

fn list(text: &'static str) -> Wildcard {
    Wildcard::List(HeaderValue::from_static(text))
}

/// The fields of sharing, without their common beginning.
fn said(response: &Response, names: [&str; 6]) -> [String; 6] {
    names.map(|name| response.field(&format!("access-control-{name}")).to_owned())
}

const NAMES: [&str; 6] = [
    "allow-origin",
    "allow-methods",
    "allow-headers",
    "expose-headers",
    "max-age",
    "allow-credentials",
];

async fn preflight(
    edge: &mut Edge,
    path: &str,
    origin: &str,
    wanted: &str,
    headers: &str,
) -> [String; 6] {
    let mut fields = vec![
        ("origin", origin),
        ("access-control-request-method", wanted),
    ];
    if !headers.is_empty() {
        fields.push(("access-control-request-headers", headers));
    }
    let response = edge.ask("OPTIONS", "a.test", path, &fields).await;
    assert_eq!((response.status, response.text()), (200, ""));
    assert_eq!(response.field("x-backend"), "");
    said(&response, NAMES)
}

#[test]
fn httproute_cors() {
    run(async {
        let everything = |cors: &mut Cors| {
            cors.methods = Wildcard::Any;
            cors.headers = Wildcard::Any;
            cors.expose = Wildcard::Any;
        };
        let routes = vec![
            with(
                "/cors-1",
                cors(&["https://www.foo.com", "https://*.bar.com"], |cors| {
                    cors.methods = list("GET, OPTIONS");
                    cors.headers = list("x-header-1, x-header-2");
                    cors.expose = list("x-header-3, x-header-4");
                    cors.credentials = true;
                    cors.max_age = 3_600;
                }),
            ),
            with(
                "/cors-2",
                cors(&["https://www.foo.com"], |cors| {
                    cors.methods = Wildcard::Any
                }),
            ),
            with("/cors-any", cors(&["*"], |cors| cors.methods = list("PUT"))),
            with(
                "/cors-auth",
                cors(&["*"], |cors| {
                    everything(cors);
                    cors.credentials = true;
                }),
            ),
            with("/cors-unauth", cors(&["*"], everything)),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        for origin in [
            "https://www.foo.com",
            "https://www.bar.com",
            "https://xpto.www.bar.com",
        ] {
            let got = preflight(
                &mut edge,
                "/cors-1",
                origin,
                "GET",
                "x-header-1, x-header-2",
            )
            .await;
            let expected = [
                origin,
                "GET, OPTIONS",
                "x-header-1, x-header-2",
                "x-header-3, x-header-4",
                "3600",
                "true",
            ];
            assert_eq!(got, expected, "{origin}");
        }
        let nothing = [""; 6];
        for origin in ["https://foobar.com", "http://www.foo.com", "null"] {
            assert_eq!(
                preflight(&mut edge, "/cors-1", origin, "GET", "").await,
                nothing
            );
        }
        let foo = "https://www.foo.com";
        let got = preflight(&mut edge, "/cors-2", foo, "POST", "").await;
        assert_eq!(got, [foo, "POST", "", "", "5", ""]);
        let port = "https://foobar.com:12345";
        let got = preflight(&mut edge, "/cors-any", port, "PUT", "").await;
        assert_eq!(got, [port, "PUT", "", "", "5", ""]);
        let other = "https://other.foo.com";
        let asked = "x-header-1, x-header-2";
        let got = preflight(&mut edge, "/cors-auth", other, "PUT", asked).await;
        assert_eq!(got, [other, "PUT", asked, "", "5", "true"]);
        let got = preflight(&mut edge, "/cors-unauth", other, "PUT", asked).await;
        assert_eq!(got, [other, "PUT", asked, "*", "5", ""]);
        // Actual requests go to a backend, and their responses are decorated.
        for (path, origin, expected) in [
            (
                "/cors-1",
                "https://www.foo.com",
                [
                    "https://www.foo.com",
                    "",
                    "",
                    "x-header-3, x-header-4",
                    "",
                    "true",
                ],
            ),
            (
                "/cors-1",
                "https://www.bar.com",
                [
                    "https://www.bar.com",
                    "",
                    "",
                    "x-header-3, x-header-4",
                    "",
                    "true",
                ],
            ),
            ("/cors-1", "https://foobar.com", nothing),
            ("/cors-any", port, [port, "", "", "", "", ""]),
            ("/cors-auth", other, [other, "", "", "", "", "true"]),
            ("/cors-unauth", other, [other, "", "", "*", "", ""]),
        ] {
            let response = edge.ask("GET", "a.test", path, &[("origin", origin)]).await;
            assert_eq!(response.field("x-backend"), "v1");
            assert_eq!(said(&response, NAMES), expected, "{path} {origin}");
            assert_eq!(response.field("vary"), "origin");
        }
        // An OPTIONS that announces nothing is an ordinary request.
        let response = edge
            .ask("OPTIONS", "a.test", "/cors-1", &[("origin", foo)])
            .await;
        assert_eq!(response.field("x-backend"), "v1");
        edge.stop().await;
    });
}

#[test]
fn a_preflight_is_answered_by_the_route_of_the_request_it_announces() {
    run(async {
        let route = Route {
            matches: vec![method(below("/api"), Method::PUT)],
            split: Some(Arc::new(split(&[("v2", 1)]))),
            filters: Some(Box::new(cors(&["*"], |cors| cors.methods = list("PUT")))),
            ..Route::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![route]).await;
        let got = preflight(&mut edge, "/api/x", "https://a.b", "PUT", "").await;
        assert_eq!(got, ["https://a.b", "PUT", "", "", "5", ""]);
        let fields = [
            ("origin", "https://a.b"),
            ("access-control-request-method", "DELETE"),
        ];
        edge.check_method("OPTIONS", "a.test", "/api/x", &fields, "404")
            .await;
        edge.stop().await;
    });
}
