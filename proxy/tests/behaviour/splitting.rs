//! Versions by weight: who gets which, and who keeps it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::HeaderName;
use windrose_model::{
    App, DnsName, Match, PathMatch, Preview, Route, Split, SplitBy, SplitKey, TextMatch, Ttl,
    Version, Weight,
};
use windrose_proxy::Settings;

use crate::support::backend::Backend;
use crate::support::client::Response;
use crate::support::{Node, app, name, run};

/// Two versions at these weights.
fn two(backends: &[&Backend; 2], weights: (u32, u32), by: Option<SplitBy>) -> App {
    let mut app = app(&[("c1", &[backends[0].address])]);
    let endpoints = BTreeMap::from([(name("c1"), vec![backends[1].address])]);
    app.versions.insert(name("v2"), Version::at(endpoints));
    app.split = split(weights);
    app.split_by = by;
    app
}

fn split((v1, v2): (u32, u32)) -> Split {
    let weights = [("v1", v1), ("v2", v2)];
    Split(
        weights
            .map(|(n, w)| (name(n), Weight::new(w).unwrap()))
            .into(),
    )
}

fn by(key: SplitKey) -> Option<SplitBy> {
    Some(SplitBy { key, salt: None })
}

async fn ask(at: SocketAddr, path: &str, fields: &str) -> Response {
    let mut client = crate::support::client::Client::connect(at).await;
    let host = crate::support::HOST;
    client
        .send(format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
        ))
        .await;
    client.response().await
}

fn version(response: &Response) -> String {
    assert_eq!(response.status, 200);
    response.field("x-backend").to_owned()
}

#[test]
fn a_new_user_gets_a_cookie_and_with_it_the_same_version_ever_after() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let kept = Ttl::new(3_600).unwrap();
        let key = SplitKey::SetCookie("canary".into(), kept);
        let node = Node::start(two(&[&a, &b], (50, 50), by(key)));
        let mut seen = BTreeMap::<String, u32>::new();
        for _ in 0..20 {
            let first = ask(node.address, "/", "").await;
            let cookie = first.field("set-cookie").to_owned();
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            assert!(
                pair.starts_with("canary=") && pair.len() == 7 + 16,
                "{cookie}"
            );
            assert_eq!(attributes, "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
            let given = version(&first);
            for _ in 0..3 {
                let again = ask(node.address, "/", &format!("Cookie: x=1; {pair}\r\n")).await;
                assert_eq!(version(&again), given);
                assert_eq!(again.field("set-cookie"), "", "it has one");
            }
            *seen.entry(given).or_default() += 1;
        }
        assert_eq!(seen.len(), 2, "both versions have users: {seen:?}");
        node.stop().await;
    });
}

#[test]
fn no_cookie_is_set_where_there_is_nothing_to_choose_from() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let key = SplitKey::SetCookie("canary".into(), Ttl::new(60).unwrap());
        let node = Node::start(two(&[&a, &b], (100, 0), by(key)));
        let response = ask(node.address, "/", "").await;
        assert_eq!(version(&response), "v1");
        assert_eq!(response.field("set-cookie"), "");
        node.stop().await;
    });
}

#[test]
fn a_user_of_the_canary_keeps_it_while_it_grows() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let key = || by(SplitKey::Header(HeaderName::from_static("x-user")));
        let mut node = Node::start(two(&[&a, &b], (99, 1), key()));
        let mut canary = [false; 40];
        for (epoch, weight) in (2..).zip([1, 5, 20, 50, 90, 100]) {
            let app = two(&[&a, &b], (100 - weight, weight), key());
            node.publish(app, epoch, |_| {});
            for (user, was) in canary.iter_mut().enumerate() {
                let response = ask(node.address, "/", &format!("X-User: {user}\r\n")).await;
                let is = version(&response) == "v2";
                assert!(is || !*was, "user {user} left the canary at {weight} %");
                *was = is;
            }
        }
        assert_eq!(canary, [true; 40]);
        node.stop().await;
    });
}

#[test]
fn who_lacks_the_key_is_drawn_by_chance() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let key = SplitKey::Cookie("session".into());
        let node = Node::start(two(&[&a, &b], (50, 50), by(key)));
        let mut seen = BTreeMap::<String, u32>::new();
        for _ in 0..40 {
            // An empty one stands for nobody.
            let response = ask(node.address, "/", "Cookie: session=\r\n").await;
            assert_eq!(response.field("set-cookie"), "", "it is the backend's");
            *seen.entry(version(&response)).or_default() += 1;
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        node.stop().await;
    });
}

#[test]
fn a_client_keeps_its_version_by_the_address_that_trusted_proxies_tell() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let settings = Settings {
            forwarded_trust: vec!["127.0.0.0/8".parse().unwrap()],
            ..Settings::default()
        };
        let app = two(&[&a, &b], (50, 50), by(SplitKey::CLIENT));
        let node = Node::with(app, settings);
        let mut seen = BTreeMap::<String, u32>::new();
        for client in 1..20 {
            let fields = format!("X-Forwarded-For: 192.0.2.{client}\r\n");
            let given = version(&ask(node.address, "/", &fields).await);
            for _ in 0..3 {
                assert_eq!(version(&ask(node.address, "/", &fields).await), given);
            }
            *seen.entry(given).or_default() += 1;
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        node.stop().await;
    });
}

/// A percentage inside a match, as `HTTPRouteWeight` has it, but sticky: who the app's split would
/// give the canary has it on the route as well, because both have the app's salt.
#[test]
fn a_route_splits_what_it_matches_and_knows_the_users_of_the_app() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let user = HeaderName::from_static("x-user");
        let mut app = two(&[&a, &b], (70, 30), by(SplitKey::Header(user.clone())));
        let of = |path: &str, weights, salt: Option<&str>| Route {
            matches: vec![Match::path(PathMatch::Prefix(path.into()))],
            split: Some(split(weights).into()),
            split_by: salt.map(|salt| {
                Box::new(SplitBy {
                    key: SplitKey::Header(user.clone()),
                    salt: Some(salt.into()),
                })
            }),
            ..Route::default()
        };
        app.routes = vec![
            of("/half", (50, 50), None),
            of("/other", (70, 30), Some("other")),
        ];
        let node = Node::start(app);
        let mut differ = 0;
        let mut on_half = 0;
        for user in 0..200 {
            let fields = format!("X-User: {user}\r\n");
            let usual = version(&ask(node.address, "/", &fields).await);
            let half = version(&ask(node.address, "/half", &fields).await);
            let other = version(&ask(node.address, "/other", &fields).await);
            assert!(usual != "v2" || half == "v2", "user {user}");
            on_half += u32::from(half == "v2");
            differ += u32::from(usual != other);
        }
        assert!((70..=130).contains(&on_half), "{on_half} of 200 at 50 %");
        assert!(
            (50..=120).contains(&differ),
            "{differ} of 200 differ, about 84 should"
        );
        node.stop().await;
    });
}

#[test]
fn a_preview_shows_the_idle_version_by_host_or_header_and_nowhere_else() {
    run(async {
        let (a, b) = (Backend::answers("v1").await, Backend::answers("v2").await);
        let mut app = two(&[&a, &b], (1, 0), None);
        let host = |text: &str| DnsName::parse(text).unwrap();
        app.hosts.push(host("*.next.test"));
        let exact = |text: &str| TextMatch::Exact(text.into());
        let named = |name: &str| name.parse::<HeaderName>().unwrap();
        app.preview = Some(Preview {
            version: name("v2"),
            hosts: vec![host("*.next.test")],
            headers: vec![
                (named("x-preview"), exact("yes")),
                (named("x-team"), exact("a")),
            ],
        });
        app.routes = vec![
            Route::prefix("/pinned", split((1, 0))),
            Route {
                matches: vec![Match::path(PathMatch::Prefix("/any".into()))],
                ..Route::default()
            },
        ];
        let node = Node::start(app);
        let both = "X-Preview: yes\r\nX-Team: a\r\n";
        for (path, fields, expected) in [
            ("/", "", "v1"),
            ("/", both, "v2"),
            ("/any", both, "v2"),
            ("/pinned", both, "v1"),
            ("/", "X-Preview: yes\r\n", "v1"),
            ("/", "X-Preview: no\r\nX-Team: a\r\n", "v1"),
        ] {
            let given = version(&ask(node.address, path, fields).await);
            assert_eq!(given, expected, "{path} {fields}");
        }
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.1\r\nHost: a.next.test\r\n\r\n".to_owned())
            .await;
        assert_eq!(version(&client.response().await), "v2");
        node.stop().await;
    });
}
