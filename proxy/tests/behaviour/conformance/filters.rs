//! HTTPRoute: what a route does to requests and responses.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use windrose_model::{Action, HeaderEdits, PathRewrite, Redirect, Respond, Rewrite, Timeouts};

use super::{Edge, Filters, Match, Route, fields, headed, header, is, to, with};
use crate::support::backend::Backend;
use crate::support::{Node, app, run};

fn edits() -> HeaderEdits {
    HeaderEdits {
        set: fields(&[("x-header-set", "set-overwrites-values")]),
        add: fields(&[
            ("x-header-add", "header-val-1"),
            ("x-header-add-append", "header-val-2"),
        ]),
        remove: vec![header("x-header-remove")],
    }
}

const SENT: [(&str, &str); 3] = [
    ("X-Header-Remove", "remove-val"),
    ("X-Header-Add-Append", "append-val-1"),
    ("X-Header-Set", "set-val"),
];

fn is_edited(head: &str) -> bool {
    [
        "x-header-set: set-overwrites-values\r\n",
        "x-header-add: header-val-1\r\n",
        "x-header-add-append: append-val-1\r\n",
        "x-header-add-append: header-val-2\r\n",
    ]
    .iter()
    .all(|line| head.contains(line))
        && !head.contains("x-header-remove")
        && !head.contains("set-val\r\n")
}

fn forwarded(rewrite: Rewrite) -> Filters {
    Filters {
        action: Action::Forward(rewrite),
        ..Filters::default()
    }
}

fn replaced(path: PathRewrite) -> Rewrite {
    Rewrite {
        path: Some(path),
        host: None,
    }
}

fn full(path: &str) -> PathRewrite {
    PathRewrite::Full(path.into())
}

fn prefix(path: &str) -> PathRewrite {
    PathRewrite::Prefix(path.into())
}

fn redirect(change: impl FnOnce(&mut Redirect)) -> Filters {
    let mut redirect = Redirect {
        scheme: None,
        host: None,
        port: None,
        path: None,
        status: StatusCode::FOUND,
    };
    change(&mut redirect);
    Filters {
        action: Action::Redirect(redirect),
        ..Filters::default()
    }
}

#[test]
fn httproute_request_header_modifier() {
    run(async {
        let filters = Filters {
            request_headers: edits(),
            ..Filters::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![with("/multiple", filters)]).await;
        let response = edge.ask("GET", "a.test", "/multiple", &SENT).await;
        assert!(is_edited(response.text()), "{}", response.text());
        edge.stop().await;
    });
}

#[test]
fn httproute_response_header_modifier() {
    run(async {
        let edits = HeaderEdits {
            set: fields(&[("x-set", "1"), ("content-type", "text/html")]),
            add: fields(&[("x-add", "2")]),
            remove: vec![header("x-backend")],
        };
        let filters = Filters {
            response_headers: edits,
            ..Filters::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![with("/", filters)]).await;
        let response = edge.ask("GET", "a.test", "/", &[]).await;
        let got = ["x-set", "x-add", "x-backend", "content-type"].map(|name| response.field(name));
        assert_eq!(got, ["1", "2", "", "text/html"]);
        edge.stop().await;
    });
}

#[test]
fn httproute_rewrite_host() {
    run(async {
        let host = |host| {
            forwarded(Rewrite {
                host: Some(HeaderValue::from_static(host)),
                path: None,
            })
        };
        let routes = vec![
            with("/one", host("one.example.org")),
            with("/port", host("b.example:8080")),
        ];
        let mut edge = Edge::new(&["rewrite.example"], routes).await;
        for (path, expected) in [("/one", "one.example.org"), ("/port", "b.example:8080")] {
            let response = edge.ask("GET", "rewrite.example", path, &[]).await;
            let seen = response.text();
            assert!(seen.contains(&format!("host: {expected}\r\n")), "{seen}");
            assert!(
                seen.contains("x-forwarded-host: rewrite.example\r\n"),
                "{seen}"
            );
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_rewrite_path() {
    run(async {
        let edited = |path| Filters {
            request_headers: edits(),
            ..forwarded(replaced(path))
        };
        let routes = vec![
            with("/prefix/one", forwarded(replaced(prefix("/one")))),
            with("/strip-prefix", forwarded(replaced(prefix("/")))),
            with("/full/one", forwarded(replaced(full("/one")))),
            with(
                "/full/rewrite-path-and-modify-headers",
                edited(full("/test")),
            ),
            with(
                "/prefix/rewrite-path-and-modify-headers",
                edited(prefix("/prefix")),
            ),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        for (asked, seen) in [
            ("/prefix/one/two", "/one/two"),
            ("/prefix/one/two?q=%20", "/one/two?q=%20"),
            ("/strip-prefix/three", "/three"),
            ("/strip-prefix", "/"),
            ("/full/one/two", "/one"),
            ("/full/rewrite-path-and-modify-headers/test", "/test"),
            ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"),
        ] {
            let response = edge.ask("GET", "a.test", asked, &SENT).await;
            let head = response.text();
            assert!(
                head.starts_with(&format!("GET {seen} HTTP/1.1")),
                "{asked}: {head}"
            );
            assert_eq!(is_edited(head), asked.contains("modify"), "{asked}: {head}");
        }
        edge.stop().await;
    });
}

/// Where a GET is sent: status and location.
async fn location(edge: &mut Edge, path: &str) -> (u16, String) {
    let response = edge.ask("GET", "a.test", path, &[]).await;
    assert_eq!(response.text(), "");
    (response.status, response.field("location").to_owned())
}

#[test]
fn httproute_redirect_host_and_status() {
    run(async {
        let host = |status| {
            redirect(|to| {
                to.host = Some("example.org".into());
                to.port = Some(80);
                to.status = status;
            })
        };
        let routes = vec![
            with("/hostname-redirect", host(StatusCode::FOUND)),
            with("/host-and-status", host(StatusCode::MOVED_PERMANENTLY)),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        let got = location(&mut edge, "/hostname-redirect").await;
        assert_eq!(got, (302, "http://example.org/hostname-redirect".into()));
        let got = location(&mut edge, "/host-and-status").await;
        assert_eq!(got, (301, "http://example.org/host-and-status".into()));
        edge.stop().await;
    });
}

/// `HTTPRoute303RedirectStatusCode` and its kin.
#[test]
fn httproute_303_307_308_redirect_status_code() {
    run(async {
        let codes = [303, 307, 308];
        let routes = codes.map(|code| {
            let filters = redirect(|to| {
                to.host = Some("example.org".into());
                to.scheme = Some("http".into());
                to.status = StatusCode::from_u16(code).unwrap();
            });
            with(&format!("/{code}"), filters)
        });
        let mut edge = Edge::new(&["a.test"], routes.into()).await;
        for code in codes {
            let got = location(&mut edge, &format!("/{code}/x")).await;
            assert_eq!(got, (code, format!("http://example.org/{code}/x")));
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_redirect_path() {
    run(async {
        let to = |path, change: fn(&mut Redirect)| {
            redirect(|to| {
                to.port = Some(80);
                to.path = Some(path);
                change(to);
            })
        };
        let routes = vec![
            with(
                "/original-prefix",
                to(prefix("/replacement-prefix"), |_| {}),
            ),
            with("/full", to(full("/full-path-replacement"), |_| {})),
            with(
                "/path-and-host",
                to(prefix("/replacement-prefix"), |to| {
                    to.host = Some("example.org".into())
                }),
            ),
            with(
                "/path-and-status",
                to(prefix("/replacement-prefix"), |to| {
                    to.status = StatusCode::MOVED_PERMANENTLY
                }),
            ),
            with(
                "/full-path-and-host",
                to(full("/replacement-full"), |to| {
                    to.host = Some("example.org".into())
                }),
            ),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        for (path, status, expected) in [
            (
                "/original-prefix/lemon",
                302,
                "http://a.test/replacement-prefix/lemon",
            ),
            (
                "/full/path/original",
                302,
                "http://a.test/full-path-replacement",
            ),
            (
                "/path-and-host/lemon",
                302,
                "http://example.org/replacement-prefix/lemon",
            ),
            (
                "/path-and-status/lemon?a=b",
                301,
                "http://a.test/replacement-prefix/lemon?a=b",
            ),
            (
                "/full-path-and-host/lemon",
                302,
                "http://example.org/replacement-full",
            ),
        ] {
            assert_eq!(
                location(&mut edge, path).await,
                (status, expected.into()),
                "{path}"
            );
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_redirect_port() {
    run(async {
        let routes = vec![
            with("/port", redirect(|to| to.port = Some(8083))),
            with(
                "/port-and-host",
                redirect(|to| {
                    to.port = Some(8083);
                    to.host = Some("example.org".into());
                }),
            ),
            with(
                "/port-and-status",
                redirect(|to| {
                    to.port = Some(8083);
                    to.status = StatusCode::MOVED_PERMANENTLY;
                }),
            ),
            with(
                "/listener",
                redirect(|to| to.host = Some("example.org".into())),
            ),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        let listener = format!("http://example.org:{}/listener", edge.node.address.port());
        for (path, status, expected) in [
            ("/port", 302, "http://a.test:8083/port"),
            (
                "/port-and-host",
                302,
                "http://example.org:8083/port-and-host",
            ),
            (
                "/port-and-status",
                301,
                "http://a.test:8083/port-and-status",
            ),
            ("/listener", 302, &listener),
        ] {
            assert_eq!(location(&mut edge, path).await, (status, expected.into()));
        }
        edge.stop().await;
    });
}

#[test]
fn httproute_redirect_scheme() {
    run(async {
        let https = |change: fn(&mut Redirect)| {
            redirect(|to| {
                to.scheme = Some("https".into());
                change(to);
            })
        };
        let routes = vec![
            with("/scheme", https(|_| {})),
            with(
                "/scheme-and-host",
                https(|to| to.host = Some("example.org".into())),
            ),
            with(
                "/scheme-and-status",
                https(|to| to.status = StatusCode::MOVED_PERMANENTLY),
            ),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        for (path, status, expected) in [
            ("/scheme", 302, "https://a.test/scheme"),
            (
                "/scheme-and-host",
                302,
                "https://example.org/scheme-and-host",
            ),
            (
                "/scheme-and-status",
                301,
                "https://a.test/scheme-and-status",
            ),
        ] {
            assert_eq!(location(&mut edge, path).await, (status, expected.into()));
        }
        edge.stop().await;
    });
}

/// `HTTPRouteTimeoutRequest`, and `HTTPRouteTimeoutBackendRequest`, which is `first_byte`.
#[test]
fn httproute_timeout_request_and_backend_request() {
    run(async {
        let slow = Backend::stalls().await;
        let mut app = app(&[("c1", &[slow.address])]);
        let usual = Timeouts {
            first_byte: Duration::ZERO,
            ..app.timeouts
        };
        app.timeouts = usual;
        let off = Timeouts {
            request: Duration::ZERO,
            ..usual
        };
        let within = |timeouts| Filters {
            timeouts: Some(timeouts),
            ..Filters::default()
        };
        let short = Duration::from_millis(100);
        app.routes = vec![
            with(
                "/request-timeout",
                within(Timeouts {
                    request: short,
                    ..usual
                }),
            ),
            with(
                "/backend-timeout",
                within(Timeouts {
                    first_byte: short,
                    ..usual
                }),
            ),
            with("/disabled", within(off)),
        ];
        let node = Node::start(app);
        for (path, flags) in [("/request-timeout", "UT,DT"), ("/backend-timeout", "UT")] {
            let response = node.get(path).await;
            assert_eq!((response.status, response.flags()), (504, flags), "{path}");
        }
        let mut patient = node.client().await;
        patient.begin("/disabled").await;
        let waited = tokio::time::timeout(Duration::from_millis(700), patient.response()).await;
        assert!(waited.is_err(), "0s is off");
        drop(patient);
        slow.kill();
        node.stop().await;
    });
}

#[test]
fn direct_responses_have_status_body_and_fields() {
    run(async {
        let respond = Respond {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: fields(&[("retry-after", "30"), ("content-type", "application/json")]),
            body: "{}".into(),
        };
        let filters = Filters {
            action: Action::Respond(respond),
            ..Filters::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![with("/closed", filters)]).await;
        let response = edge.ask("GET", "a.test", "/closed/x", &[]).await;
        let got = (
            response.status,
            response.text(),
            response.field("retry-after"),
        );
        assert_eq!(got, (503, "{}", "30"));
        assert_eq!(response.field("content-type"), "application/json");
        assert_eq!(response.field("x-backend"), "");
        let head = edge.ask("HEAD", "a.test", "/closed", &[]).await;
        assert_eq!((head.status, head.field("content-length")), (503, "2"));
        edge.check("a.test", "/other", &[], "404").await;
        edge.stop().await;
    });
}

#[test]
fn a_body_above_the_limit_is_refused_by_its_length_and_while_it_streams() {
    run(async {
        let filters = Filters {
            max_body: Some(10),
            ..Filters::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![with("/upload", filters)]).await;
        let begin = "POST /upload HTTP/1.1\r\nHost: a.test\r\n";
        let client = &mut edge.client;
        client
            .send(format!("{begin}Content-Length: 10\r\n\r\n0123456789"))
            .await;
        assert_eq!(client.response().await.status, 200);
        client
            .send(format!(
                "{begin}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"
            ))
            .await;
        assert_eq!(client.response().await.status, 200);
        // By its length: nothing of the body is waited for, nothing is forwarded.
        client
            .send(format!(
                "{begin}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"
            ))
            .await;
        let refused = client.response().await;
        assert_eq!(
            (refused.status, refused.field("connection")),
            (413, "close")
        );
        assert_eq!(
            refused.text(),
            "the request body is larger than allowed here\n"
        );
        assert!(edge._backends[0].seen.borrow().len() == 2);
        // While it streams.
        let mut client = edge.node.client().await;
        client
            .send(format!(
                "{begin}Transfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n"
            ))
            .await;
        client.send("3\r\n012\r\n").await;
        let refused = client.response().await;
        assert_eq!(
            (refused.status, refused.field("connection")),
            (413, "close")
        );
        drop(client);
        edge.stop().await;
    });
}

#[test]
fn no_spelling_of_a_path_goes_around_a_route() {
    run(async {
        let respond = Respond {
            status: StatusCode::FORBIDDEN,
            headers: Vec::new(),
            body: "no".into(),
        };
        let closed = Filters {
            action: Action::Respond(respond),
            ..Filters::default()
        };
        let routes = vec![
            with("/admin", closed),
            to("v1", vec![super::below("/public")]),
        ];
        let mut edge = Edge::new(&["a.test"], routes).await;
        for path in [
            "/admin",
            "/admin/",
            "//admin/x",
            "/./admin",
            "/%61dmin",
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/.%2E//admin/x",
            "/public/x/../..//./admin",
            "/../admin",
        ] {
            edge.check("a.test", path, &[], "403").await;
        }
        for path in [
            "/public/..%2fadmin",
            "/public%2f..%2fadmin",
            "/admin%2fx",
            "/public/..%5cadmin",
            "/public/..;/admin",
            "/public/%00/../admin",
            "/public/%zz",
        ] {
            let refused = edge.ask("GET", "a.test", path, &[]).await;
            assert_eq!((refused.status, refused.flags()), (400, "DPE"), "{path}");
        }
        // What is matched is what the backend gets.
        let response = edge
            .ask(
                "GET",
                "a.test",
                "/x/../public//a%2e%e2%82%ac?q=/../%2e",
                &[],
            )
            .await;
        let seen = response.text();
        assert!(
            seen.starts_with("GET /public/a.%E2%82%AC?q=/../%2e HTTP/1.1"),
            "{seen}"
        );
        edge.stop().await;
    });
}

#[test]
fn responses_of_ours_are_edited_and_decorated_too() {
    run(async {
        let mut filters = redirect(|to| to.host = Some("b.test".into()));
        filters.response_headers.set = fields(&[("cache-control", "no-store")]);
        let moved = Route {
            matches: vec![is("/moved"), headed(Match::default(), &[("x-go", "1")])],
            filters: Some(Box::new(filters)),
            ..Route::default()
        };
        let mut edge = Edge::new(&["a.test"], vec![moved]).await;
        for (path, fields) in [("/moved", &[][..]), ("/x", &[("x-go", "1")])] {
            let response = edge.ask("GET", "a.test", path, fields).await;
            assert_eq!(
                (response.status, response.field("cache-control")),
                (302, "no-store")
            );
        }
        edge.stop().await;
    });
}
