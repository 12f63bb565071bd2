//! GRPCRoute. The calls are heads over HTTP/1.1: what routes read of a call is the same.

use std::sync::Arc;

use super::{Edge, Filters, Match, Route, exact, fields, headed, header, split, to};
use crate::support::run;
use windrose_model::{DnsName, GrpcMatch, HeaderEdits, PathMatch};

const ECHO: &str = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho";

fn call(service: Option<&str>, method: Option<&str>) -> Match {
    let grpc = GrpcMatch::new(service.map(exact), method.map(exact));
    Match::path(PathMatch::Grpc(Box::new(grpc)))
}

impl Edge {
    async fn call(&mut self, host: &str, method: &str, more: &[(&str, &str)], expected: &str) {
        let mut fields = vec![("content-type", "application/grpc")];
        fields.extend(more);
        let path = format!("/{ECHO}/{method}");
        self.check_method("POST", host, &path, &fields, expected)
            .await;
    }
}

#[test]
fn grpcroute_exact_method_matching() {
    run(async {
        let routes = vec![
            to("v1", vec![call(Some(ECHO), Some("Echo"))]),
            to("v2", vec![call(Some(ECHO), Some("EchoTwo"))]),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        edge.call("a.test", "Echo", &[], "v1").await;
        edge.call("a.test", "EchoTwo", &[], "v2").await;
        edge.call("a.test", "EchoThree", &[], "404").await;
        edge.stop().await;
    });
}

#[test]
fn grpcroute_header_matching() {
    run(async {
        let any = || call(None, None);
        let routes = vec![
            to("v1", vec![headed(any(), &[("version", "one")])]),
            to("v2", vec![headed(any(), &[("version", "two")])]),
            to(
                "v1",
                vec![headed(any(), &[("version", "two"), ("color", "orange")])],
            ),
            to(
                "v1",
                vec![
                    headed(any(), &[("color", "blue")]),
                    headed(any(), &[("color", "green")]),
                ],
            ),
            to(
                "v2",
                vec![
                    headed(any(), &[("color", "red")]),
                    headed(any(), &[("color", "yellow")]),
                ],
            ),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        edge.call("a.test", "Echo", &[("version", "one")], "v1")
            .await;
        edge.call("a.test", "Echo", &[("version", "two")], "v2")
            .await;
        let both = [("version", "two"), ("color", "orange")];
        edge.call("a.test", "Echo", &both, "v1").await;
        edge.call("a.test", "Echo", &[("color", "green")], "v1")
            .await;
        edge.call("a.test", "Echo", &[("color", "yellow")], "v2")
            .await;
        edge.call("a.test", "Echo", &[("color", "orange")], "404")
            .await;
        edge.call("a.test", "Echo", &[], "404").await;
        edge.stop().await;
    });
}

#[test]
fn grpcroute_listener_hostname_matching() {
    run(async {
        let of = |hosts: &[&str], version| Route {
            hosts: hosts.iter().map(|h| DnsName::parse(h).unwrap()).collect(),
            ..to(version, vec![call(None, None)])
        };
        let routes = vec![
            of(&["bar.com"], "v1"),
            of(&["foo.bar.com"], "v2"),
            of(&["*.bar.com", "*.foo.com"], "v3"),
        ];
        let mut edge = Edge::new(&["bar.com", "*.bar.com", "*.foo.com"], routes).await;
        for (host, version) in [
            ("bar.com", "v1"),
            ("foo.bar.com", "v2"),
            ("baz.bar.com", "v3"),
            ("boo.bar.com", "v3"),
            ("multiple.prefixes.bar.com", "v3"),
            ("multiple.prefixes.foo.com", "v3"),
            ("foo.com", "404"),
            ("no.matching.host", "404"),
        ] {
            edge.call(host, "Echo", &[], version).await;
        }
        edge.stop().await;
    });
}

#[test]
fn grpcroute_named_rule() {
    run(async {
        let named = Route {
            name: Some(crate::support::name("named-rule")),
            ..to("v1", vec![call(Some(ECHO), Some("Echo"))])
        };
        let mut edge = Edge::new(&["a.test"], vec![named]).await;
        edge.call("a.test", "Echo", &[], "v1").await;
        edge.stop().await;
    });
}

#[test]
fn grpcroute_request_header_modifier() {
    run(async {
        let edits = HeaderEdits {
            set: fields(&[("x-set", "set")]),
            add: fields(&[("x-add", "added")]),
            remove: vec![header("x-remove")],
        };
        let filters = Filters {
            request_headers: edits,
            ..Filters::default()
        };
        let route = Route {
            filters: Some(Box::new(filters)),
            ..to("v1", vec![call(None, None)])
        };
        let mut edge = Edge::new(&["a.test"], vec![route]).await;
        let sent = [
            ("content-type", "application/grpc"),
            ("x-set", "before"),
            ("x-add", "before"),
            ("x-remove", "gone"),
        ];
        let path = format!("/{ECHO}/Echo");
        let seen = edge.ask("POST", "a.test", &path, &sent).await;
        let seen = seen.text();
        assert!(
            seen.contains("x-set: set\r\n") && !seen.contains("x-set: before"),
            "{seen}"
        );
        assert!(
            seen.contains("x-add: before\r\n") && seen.contains("x-add: added\r\n"),
            "{seen}"
        );
        assert!(!seen.contains("x-remove"), "{seen}");
        edge.stop().await;
    });
}

#[test]
fn grpcroute_weight() {
    run(async {
        let weighted = Route {
            matches: vec![call(None, None)],
            split: Some(Arc::new(split(&[("v1", 70), ("v2", 30), ("v3", 0)]))),
            ..Route::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![weighted]).await;
        let mut first = 0;
        for _ in 0..500 {
            let fields = [("content-type", "application/grpc")];
            let response = edge.ask("POST", "a.test", "/a.B/C", &fields).await;
            first += u32::from(response.field("x-backend") == "v1");
            assert_ne!(response.field("x-backend"), "v3");
        }
        assert!((325..=375).contains(&first), "{first} of 500 at 70 %");
        edge.stop().await;
    });
}
