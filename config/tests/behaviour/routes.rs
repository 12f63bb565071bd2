//! Routes as they are written.

use windrose_config::load_text;
use windrose_model::{PathMatch, Revision, Route};

fn load(routes: &str) -> windrose_config::Loaded {
    let text = format!(
        r#"schema: 1
listeners: {{http: ["127.0.0.1:80"]}}
regions: {{eu: {{lat: 50, lon: 8}}}}
clusters: {{c1: {{region: eu, addresses: [192.0.2.1]}}}}
apps:
  shop:
    hosts: [shop.example.com]
    versions: {{v1: {{endpoints: {{c1: ["127.0.0.1:9000"]}}}}}}
    timeouts: {{connect: 3s}}
    routes:
{routes}
"#
    );
    load_text("t", &text, Revision(1), None).unwrap_or_else(|report| panic!("{report}"))
}

fn routes(loaded: &windrose_config::Loaded) -> &[Route] {
    &loaded.model.apps()[0].1.routes
}

/// Warnings by route, and what they say.
fn warned(text: &str) -> Vec<String> {
    let loaded = load(text);
    let said = loaded.warnings.iter();
    said.filter(|warning| warning.code == "unreachable-route")
        .map(|warning| warning.message.clone())
        .collect()
}

#[test]
fn the_spelling_of_before_means_the_same() {
    let loaded = load("      - {match: {path: {prefix: /api}}, split: {v1: 1}}");
    let [route] = routes(&loaded) else { panic!() };
    assert_eq!(route.matches.len(), 1);
    assert_eq!(
        route.matches[0].path,
        Some(PathMatch::Prefix("/api".into()))
    );
    assert!(route.split.is_some() && route.filters.is_none());
}

#[test]
fn one_match_or_a_list_and_timeouts_that_are_not_named_are_the_apps() {
    let loaded = load(
        "      - match: [{path: {exact: /a}}, {method: POST}]
        timeouts: {request: 2s}",
    );
    let [route] = routes(&loaded) else { panic!() };
    assert_eq!(route.matches.len(), 2);
    let timeouts = route.filters.as_ref().unwrap().timeouts.unwrap();
    assert_eq!(
        (timeouts.connect.as_secs(), timeouts.request.as_secs()),
        (3, 2)
    );
}

#[test]
fn a_match_that_no_request_reaches_is_told() {
    assert_eq!(
        warned(
            "      - {name: first, match: {path: {prefix: /a}, headers: {X-B: '1', x-c: '2'}}}
      - {match: {path: {prefix: /a/}, headers: {x-c: '2', x-b: '1'}}}
      - {match: {path: {prefix: /a}, headers: {x-c: '2'}}}"
        ),
        ["no request gets here: route first asks for the same and stands before"]
    );
    assert_eq!(
        warned(
            "      - {match: {path: {prefix: /a}}}
      - {match: {path: {exact: /b}}}
      - {match: {path: {regex: '/.*'}}}"
        ),
        ["no request gets here: route 3 takes every path, and a regex goes before a prefix"]
    );
    assert_eq!(
        warned(
            "      - {match: {path: {prefix: /a}}}
      - {hosts: [shop.example.com]}"
        ),
        [
            "no request gets here: route 2 takes every request of each host, and routes of hosts go before others"
        ]
    );
    assert_eq!(
        warned(
            "      - {match: {path: {prefix: /a}}}
      - {match: {path: {prefix: /a}, method: GET}}
      - {match: {path: {prefix: /a}, clients: {cidrs: [192.0.2.0/24]}}}"
        ),
        [""; 0]
    );
}
