//! HTTPRoute: which route a request takes.

use super::{And, Edge, Method, Route, asked, below, headed, is, like, method, split, to};
use crate::support::run;
use std::sync::Arc;
use windrose_model::{DnsName, Match, PathMatch, Pattern};

/// Host or method, path, fields, and who answers.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// Runs cases of (host, path, fields, version) over routes of an app.
fn check(hosts: &[&str], routes: Vec<Route>, cases: &[Case<'_>]) {
    run(async {
        let mut edge = Edge::new(hosts, routes).await;
        for (host, path, fields, expected) in cases {
            edge.check(host, path, fields, expected).await;
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_simple_same_namespace() {
    check(
        &["example.com"],
        vec![to("v1", Vec::new())],
        &[("example.com", "/", &[], "v1")],
    );
}

#[test]
fn httproute_exact_path_matching() {
    let routes = vec![to("v1", vec![is("/one")]), to("v2", vec![is("/two")])];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/one", &[], "v1"),
            ("a.test", "/two", &[], "v2"),
            ("a.test", "/", &[], "404"),
            ("a.test", "/one/example", &[], "404"),
            ("a.test", "/two/", &[], "404"),
            ("a.test", "/Two", &[], "404"),
        ],
    );
}

#[test]
fn httproute_header_matching() {
    let any = Match::default;
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
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/", &[("Version", "one")], "v1"),
            ("a.test", "/", &[("Version", "two")], "v2"),
            (
                "a.test",
                "/",
                &[("Version", "two"), ("Color", "orange")],
                "v1",
            ),
            (
                "a.test",
                "/",
                &[("Version", "one"), ("Color", "orange")],
                "v1",
            ),
            ("a.test", "/", &[("Color", "blue")], "v1"),
            ("a.test", "/", &[("Color", "green")], "v1"),
            ("a.test", "/", &[("Color", "red")], "v2"),
            ("a.test", "/", &[("Color", "yellow")], "v2"),
            ("a.test", "/", &[("Color", "orange")], "404"),
            ("a.test", "/", &[("Color", "purple")], "404"),
            ("a.test", "/", &[("Version", "three")], "404"),
            ("a.test", "/", &[], "404"),
        ],
    );
}

#[test]
fn httproute_matching() {
    let routes = vec![
        to(
            "v1",
            vec![below("/"), headed(Match::default(), &[("version", "one")])],
        ),
        to(
            "v2",
            vec![
                below("/v2"),
                headed(Match::default(), &[("version", "two")]),
            ],
        ),
    ];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/", &[], "v1"),
            ("a.test", "/example", &[], "v1"),
            ("a.test", "/", &[("Version", "one")], "v1"),
            ("a.test", "/v2", &[], "v2"),
            ("a.test", "/v2example", &[], "v1"),
            ("a.test", "/foo/v2/example", &[], "v1"),
            ("a.test", "/", &[("Version", "two")], "v2"),
            ("a.test", "/v2/", &[], "v2"),
            ("a.test", "/v2/", &[("Version", "one")], "v2"),
        ],
    );
}

#[test]
fn httproute_matching_across_routes() {
    let of = |hosts: &[&str], route: Route| Route {
        hosts: hosts.iter().map(|h| DnsName::parse(h).unwrap()).collect(),
        ..route
    };
    let routes = vec![
        of(
            &["example.com", "example.net"],
            to(
                "v1",
                vec![below("/"), headed(Match::default(), &[("version", "one")])],
            ),
        ),
        of(
            &["*.com"],
            to(
                "v2",
                vec![
                    below("/v2"),
                    headed(Match::default(), &[("version", "two")]),
                ],
            ),
        ),
    ];
    check(
        &["*.com", "*.net"],
        routes,
        &[
            ("example.com", "/", &[], "v1"),
            ("example.com", "/example", &[], "v1"),
            ("example.net", "/example", &[], "v1"),
            ("example.com", "/example", &[("Version", "one")], "v1"),
            ("example.com", "/v2", &[], "v1"),
            ("example.net", "/v2", &[], "v1"),
            ("example.com", "/v2/example", &[("Version", "two")], "v1"),
            ("blog.example.com", "/v2", &[], "v2"),
            ("blog.example.com", "/v2/example", &[], "v2"),
            ("blog.example.com", "/", &[("Version", "two")], "v2"),
            ("blog.example.com", "/", &[], "404"),
        ],
    );
}

#[test]
fn httproute_hostname_intersection() {
    let of = |host: &str, route: Route| Route {
        hosts: vec![DnsName::parse(host).unwrap()],
        ..route
    };
    let routes = vec![
        of("very.specific.com", to("v1", vec![below("/s1")])),
        of("*.wildcard.io", to("v2", vec![below("/s2")])),
        of("foo.bar.wildcard.io", to("v3", vec![below("/s2")])),
    ];
    check(
        &["very.specific.com", "*.wildcard.io"],
        routes,
        &[
            ("very.specific.com", "/s1", &[], "v1"),
            ("very.specific.com", "/non-matching", &[], "404"),
            ("very.specific.com", "/s2", &[], "404"),
            ("foo.wildcard.io", "/s2", &[], "v2"),
            ("bar.wildcard.io:8080", "/s2", &[], "v2"),
            ("foo.bar.wildcard.io", "/s2", &[], "v3"),
            ("wildcard.io", "/s2", &[], "404"),
            ("non.matching.com", "/s1", &[], "404"),
        ],
    );
}

#[test]
fn httproute_path_match_order() {
    let routes = vec![
        to("v3", vec![is("/match/exact/one")]),
        to("v2", vec![is("/match/exact")]),
        to("v1", vec![below("/match")]),
        to("v2", vec![below("/match/prefix/")]),
        to("v3", vec![below("/match/prefix/one")]),
        to("v1", vec![below("/match/")]),
    ];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/match/exact/one", &[], "v3"),
            ("a.test", "/match/exact", &[], "v2"),
            ("a.test", "/match", &[], "v1"),
            ("a.test", "/match/prefix/one/any", &[], "v3"),
            ("a.test", "/match/prefix/any", &[], "v2"),
            ("a.test", "/match/any", &[], "v1"),
        ],
    );
}

#[test]
fn httproute_method_matching() {
    let any = Match::default;
    run(async {
        let routes = vec![
            to("v1", vec![method(any(), Method::POST)]),
            to("v2", vec![method(any(), Method::GET)]),
            to("v1", vec![method(below("/path1"), Method::GET)]),
            to(
                "v2",
                vec![method(headed(any(), &[("version", "one")]), Method::PUT)],
            ),
            to(
                "v3",
                vec![method(
                    headed(below("/path2"), &[("version", "two")]),
                    Method::POST,
                )],
            ),
            to("v1", vec![method(below("/path3"), Method::PATCH)]),
            to(
                "v2",
                vec![method(
                    headed(below("/path4"), &[("version", "three")]),
                    Method::DELETE,
                )],
            ),
            to("v1", vec![below("/path5")]),
            to("v2", vec![method(below("/path5"), Method::PATCH)]),
            to("v3", vec![headed(below("/path5"), &[("version", "four")])]),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        let cases: [Case<'_>; 14] = [
            ("POST", "/", &[], "v1"),
            ("GET", "/", &[], "v2"),
            ("HEAD", "/", &[], "404"),
            ("GET", "/path1", &[], "v1"),
            ("PUT", "/", &[("version", "one")], "v2"),
            ("PUT", "/", &[], "404"),
            ("POST", "/path2", &[("version", "two")], "v3"),
            ("POST", "/path2", &[("version", "three")], "v1"),
            ("PATCH", "/path3", &[], "v1"),
            ("DELETE", "/path4", &[("version", "three")], "v2"),
            ("DELETE", "/path4", &[], "404"),
            ("GET", "/path5", &[], "v1"),
            ("PATCH", "/path5", &[("version", "four")], "v2"),
            ("GET", "/path5", &[("version", "four")], "v3"),
        ];
        for (method, path, fields, expected) in cases {
            edge.check_method(method, "a.test", path, fields, expected)
                .await;
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_query_param_matching() {
    let any = Match::default;
    let routes = vec![
        to("v1", vec![asked(any(), &[("animal", "whale")])]),
        to("v2", vec![asked(any(), &[("animal", "dolphin")])]),
        to(
            "v3",
            vec![asked(any(), &[("animal", "dolphin"), ("color", "blue")])],
        ),
        to("v3", vec![asked(any(), &[("ANIMAL", "Whale")])]),
        to("v1", vec![asked(below("/path1"), &[("animal", "whale")])]),
        to(
            "v2",
            vec![headed(
                asked(any(), &[("animal", "whale")]),
                &[("version", "one")],
            )],
        ),
        to(
            "v3",
            vec![
                asked(below("/path3"), &[("animal", "shark")]),
                asked(below("/path4"), &[("animal", "kraken")]),
            ],
        ),
    ];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/?animal=whale", &[], "v1"),
            ("a.test", "/?animal=dolphin", &[], "v2"),
            ("a.test", "/?animal=whale&otherparam=irrelevant", &[], "v1"),
            ("a.test", "/?animal=dolphin&color=yellow", &[], "v2"),
            ("a.test", "/?animal=dolphin&color=blue", &[], "v3"),
            ("a.test", "/?ANIMAL=Whale", &[], "v3"),
            (
                "a.test",
                "/?animal=whale&otherparam=irrelevant#fragment",
                &[],
                "v1",
            ),
            ("a.test", "/?animal=whale", &[("version", "one")], "v2"),
            ("a.test", "/path1?animal=whale", &[], "v1"),
            ("a.test", "/path3?animal=shark", &[], "v3"),
            ("a.test", "/path4?animal=kraken", &[], "v3"),
            ("a.test", "/?animal=shark", &[], "404"),
            ("a.test", "/?color=blue", &[], "404"),
            ("a.test", "/?animal=dog", &[], "404"),
            ("a.test", "/", &[], "404"),
        ],
    );
}

#[test]
fn httproute_named_rule() {
    let named = |rule: &str, route: Route| Route {
        name: Some(crate::support::name(rule)),
        ..route
    };
    let routes = vec![
        named("named-rule", to("v1", vec![below("/named")])),
        to("v2", vec![below("/unnamed")]),
    ];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/named", &[], "v1"),
            ("a.test", "/unnamed", &[], "v2"),
        ],
    );
}

#[test]
fn httproute_weight() {
    run(async {
        let weighted = Route {
            split: Some(Arc::new(split(&[("v1", 70), ("v2", 30), ("v3", 0)]))),
            ..Route::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![weighted]).await;
        let mut seen = [0u32; 3];
        for _ in 0..500 {
            let response = edge.ask("GET", "a.test", "/", &[]).await;
            let at = ["v1", "v2", "v3"]
                .iter()
                .position(|v| *v == response.field("x-backend"));
            seen[at.unwrap()] += 1;
        }
        // Theirs: 500 requests, 5 % of tolerance.
        assert!((325..=375).contains(&seen[0]) && seen[2] == 0, "{seen:?}");
        edge.stop().await;
    });
}

#[test]
fn header_and_path_patterns_match_whole_texts() {
    let pattern = |text| Match::path(PathMatch::Regex(Pattern::new(text).unwrap()));
    let by_header = Match::default()
        .and(|all| all.headers = vec![(super::header("version"), like("v[0-9]+|canary"))]);
    let by_cookie =
        Match::default().and(|all| all.cookies = vec![("user".into(), like("beta-.*"))]);
    let routes = vec![
        to("v1", vec![pattern("/users/[0-9]+"), pattern("/u/.*")]),
        to("v2", vec![by_header]),
        to("v3", vec![by_cookie]),
    ];
    check(
        &["a.test"],
        routes,
        &[
            ("a.test", "/users/12", &[], "v1"),
            ("a.test", "/u/x/y", &[], "v1"),
            ("a.test", "/users/12/x", &[], "404"),
            ("a.test", "/x/users/12", &[], "404"),
            ("a.test", "/", &[("version", "v12")], "v2"),
            ("a.test", "/", &[("version", "xv12")], "404"),
            ("a.test", "/", &[("version", "v12, canary")], "404"),
            ("a.test", "/", &[("cookie", "a=b; user=beta-7")], "v3"),
            ("a.test", "/", &[("cookie", "other=beta-7")], "404"),
        ],
    );
}
