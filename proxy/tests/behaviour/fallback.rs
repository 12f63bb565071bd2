//! What stands in where nobody could serve: another place, then a response of the configuration.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use windrose_model::{
    App, Elsewhere, Fallback, Filters, Respond, RetryOn, Route, StatusRange, Version,
};
use windrose_telemetry::{FELL_ELSEWHERE, FELL_TO_RESPONSE, code_cell};

use crate::support::backend::{Backend, refusing};
use crate::support::{Node, app, name, run};

fn on(statuses: &[u16]) -> RetryOn {
    RetryOn {
        statuses: (statuses.iter().map(|s| StatusRange::new(*s, *s).unwrap())).collect(),
        ..RetryOn::default()
    }
}

fn sorry() -> Respond {
    let html = HeaderValue::from_static("text/html");
    Respond {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers: vec![(header::CONTENT_TYPE, html)],
        body: Bytes::from_static(b"<p>sorry</p>"),
    }
}

fn response(on: RetryOn) -> Fallback {
    Fallback {
        on,
        elsewhere: None,
        respond: Some(sorry()),
    }
}

fn to(version: Option<&str>, cluster: Option<&str>, on: RetryOn) -> Fallback {
    Fallback {
        on,
        elsewhere: Some(Elsewhere {
            version: version.map(name),
            cluster: cluster.map(name),
        }),
        respond: None,
    }
}

fn falling(mut app: App, fallback: Fallback) -> App {
    app.fallback = Some(Box::new(fallback));
    app.retry_budget.min_per_second = 1_000;
    app.retry.attempts = 0;
    app
}

/// `v1`, which all requests are for, and `old`, which gets none by the split.
fn versions(v1: &[(&str, SocketAddr)], old: &[(&str, SocketAddr)]) -> App {
    let lists: Vec<(&str, [SocketAddr; 1])> = v1.iter().map(|(c, a)| (*c, [*a])).collect();
    let lists: Vec<(&str, &[SocketAddr])> = lists.iter().map(|(c, a)| (*c, &a[..])).collect();
    let mut app = app(&lists);
    let endpoints = old.iter().map(|(c, a)| (name(c), vec![*a])).collect();
    app.versions.insert(name("old"), Version::at(endpoints));
    app.steering.clear();
    app
}

fn fell(node: &Node, cell: u32) -> u64 {
    node.metrics.fallbacks.sum(0, cell)
}

#[test]
fn a_response_of_the_configuration_stands_in_for_any_method_when_nobody_can_be_reached() {
    run(async {
        let nobody = app(&[("c1", &[refusing()]), ("c2", &[refusing()])]);
        let node = Node::start(falling(nobody, response(RetryOn::default())));
        let mut client = node.client().await;
        for method in ["GET", "POST", "GET"] {
            client
                .send(&format!(
                    "{method} / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n"
                ))
                .await;
            let response = client.response().await;
            assert_eq!((response.status, response.flags()), (503, "UF,CF,FB"));
            assert_eq!(response.field("content-type"), "text/html");
            assert_eq!(response.field("x-request-id").len(), 32);
            assert_eq!(response.text(), "<p>sorry</p>");
        }
        assert_eq!(
            (fell(&node, FELL_ELSEWHERE), fell(&node, FELL_TO_RESPONSE)),
            (0, 3)
        );
        node.stop().await;
    });
}

#[test]
fn a_listed_status_is_covered_and_its_group_counted_with_what_it_said() {
    run(async {
        let bad = Backend::answers_with("bad", "502 Bad Gateway").await;
        let mut fallback = response(on(&[502]));
        fallback.respond.as_mut().unwrap().status = StatusCode::OK;
        let one = app(&[("c1", &[bad.address])]);
        let mut node = Node::start(falling(one.clone(), fallback));
        let seen = node.get("/").await;
        assert_eq!(
            (seen.status, seen.flags(), seen.text()),
            (200, "FB", "<p>sorry</p>")
        );
        let counted = |status| node.metrics.http_requests.sum(0, code_cell(status));
        assert_eq!((counted(502), counted(200)), (1, 0));
        // What is not listed goes through as it is.
        node.publish(falling(one, response(on(&[500]))), 2, |_| {});
        let seen = node.get("/").await;
        assert_eq!((seen.status, seen.field("x-backend")), (502, "bad"));
        node.stop().await;
    });
}

#[test]
fn resets_and_late_answers_are_covered_unless_they_are_not_named() {
    run(async {
        let (resets, stalls) = (Backend::resets().await, Backend::stalls().await);
        for (backend, plain) in [(&resets, (502, "UC,URX")), (&stalls, (504, "UT,URX"))] {
            let one = app(&[("c1", &[backend.address])]);
            let mut node = Node::start(falling(one.clone(), response(RetryOn::default())));
            assert_eq!(node.get("/").await.text(), "<p>sorry</p>");
            let statuses_only = RetryOn {
                reset: false,
                timeout: false,
                ..on(&[502])
            };
            node.publish(falling(one, response(statuses_only)), 2, |_| {});
            node.shared.forget_endpoint(0);
            let seen = node.get("/").await;
            assert_eq!((seen.status, seen.flags()), plain);
            node.stop().await;
        }
    });
}

#[test]
fn another_version_takes_what_the_first_cannot() {
    run(async {
        let old = Backend::answers("old").await;
        let both = versions(&[("c1", refusing())], &[("c1", old.address)]);
        let node = Node::start(falling(both, to(Some("old"), None, RetryOn::default())));
        let mut client = node.client().await;
        for body in ["", "abc"] {
            let length = body.len();
            client
                .send(&format!(
                    "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n{body}"
                ))
                .await;
            assert_eq!(client.response().await.field("x-backend"), "old");
        }
        assert_eq!(fell(&node, FELL_ELSEWHERE), 2);
        node.stop().await;
    });
}

#[test]
fn what_a_backend_may_have_is_sent_elsewhere_by_the_rules_of_retries() {
    run(async {
        let bad = Backend::answers_with("bad", "500 Internal Server Error").await;
        let old = Backend::answers("old").await;
        let both = versions(&[("c1", bad.address)], &[("c2", old.address)]);
        let mut app = falling(both, to(Some("old"), None, on(&[500])));
        let mut node = Node::start(app.clone());
        assert_eq!(node.get("/").await.field("x-backend"), "old");
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n")
            .await;
        let posted = client.response().await;
        assert_eq!((posted.status, posted.field("x-backend")), (500, "bad"));
        // Nor beyond the budget.
        app.retry_budget.min_per_second = 0;
        app.retry_budget.share = windrose_model::Percent::ZERO;
        node.publish(app, 2, |_| {});
        assert_eq!(node.get("/").await.status, 500);
        assert_eq!(fell(&node, FELL_ELSEWHERE), 1);
        node.stop().await;
    });
}

#[test]
fn another_cluster_is_tried_though_steering_would_not_and_then_the_response_is_given() {
    run(async {
        let bad = Backend::answers_with("bad", "503 Service Unavailable").await;
        let spare = Backend::answers("spare").await;
        let two = app(&[("c1", &[bad.address]), ("c2", &[spare.address])]);
        let mut fallback = to(None, Some("c2"), on(&[503]));
        fallback.respond = Some(sorry());
        let mut node = Node::start(falling(two.clone(), fallback.clone()));
        // As a cluster whose share is nothing.
        node.publish(falling(two, fallback.clone()), 2, |status| {
            status.clusters[1].usable = false;
        });
        assert_eq!(node.get("/").await.field("x-backend"), "spare");
        let worse = Backend::answers_with("worse", "503 Service Unavailable").await;
        let two = app(&[("c1", &[bad.address]), ("c2", &[worse.address])]);
        node.publish(falling(two, fallback), 3, |_| {});
        let seen = node.get("/").await;
        assert_eq!((seen.text(), seen.flags()), ("<p>sorry</p>", "FB"));
        assert_eq!(worse.seen.borrow().len(), 1, "it is tried once");
        node.stop().await;
    });
}

#[test]
fn a_route_has_a_fallback_of_its_own() {
    run(async {
        let mut app = falling(app(&[("c1", &[refusing()])]), response(RetryOn::default()));
        let mut own = response(RetryOn::default());
        own.respond.as_mut().unwrap().status = StatusCode::NO_CONTENT;
        own.respond.as_mut().unwrap().body = Bytes::new();
        let split = app.split.clone();
        app.routes = vec![Route {
            filters: Some(Box::new(Filters {
                fallback: Some(Box::new(own)),
                ..Filters::default()
            })),
            ..Route::prefix("/pixel", split)
        }];
        let node = Node::start(app);
        assert_eq!(node.get("/pixel").await.status, 204);
        assert_eq!(node.get("/").await.status, 503);
        node.stop().await;
    });
}
