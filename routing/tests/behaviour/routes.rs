//! Which route a request takes: precedence of the Gateway API, hosts, places, and the index against
//! a search through all matches.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use windrose_model::{
    ClientSet, Conditions, GrpcMatch, Match, PathMatch, Pattern, Route, TextMatch, UserKey,
    UserList, UserMatch,
};
use windrose_routing::{Data, RequestHead, Table, Users, explain, geo};

use crate::support::{Dice, app, draft, host, name, no_geo, table};

/// A Table whose one app, `*.example.com`, has these routes.
fn of(routes: Vec<Route>, data: &Data) -> Table {
    let mut draft = draft();
    let mut app = app("*.example.com", Vec::new());
    app.hosts.push(host("example.com"));
    app.routes = routes;
    draft.apps.insert(name("shop"), app);
    table(draft, data).1
}

fn exact(text: &str) -> TextMatch {
    TextMatch::Exact(text.into())
}

fn on(matches: Vec<Match>) -> Route {
    Route {
        matches,
        ..Route::default()
    }
}

fn path(path: PathMatch, conditions: Conditions) -> Match {
    Match {
        path: Some(path),
        conditions: (conditions != Conditions::default()).then(|| Box::new(conditions)),
    }
}

fn is(text: &str) -> PathMatch {
    PathMatch::Exact(text.into())
}

fn below(text: &str) -> PathMatch {
    PathMatch::Prefix(text.into())
}

fn like(text: &str) -> PathMatch {
    PathMatch::Regex(Pattern::new(text).unwrap())
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What is asked: method, host, path with query, fields.
type Ask<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

/// The route of a request from 1; 0 for none.
fn route(table: &Table, (method, host, target, fields): Ask<'_>, client: &str) -> u16 {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let entry = table.app(table.host(host).unwrap());
    let head = RequestHead {
        host,
        path,
        query,
        method: &Method::from_bytes(method.as_bytes()).unwrap(),
        headers: &headers(fields),
        leaf: table.leaf(client.parse().unwrap()),
    };
    let found = entry.route(table, &head).route.0;
    let request = explain::HttpRequest {
        host,
        path,
        query,
        method: head.method,
        headers: head.headers,
        tls: false,
        port: 80,
    };
    // Explain goes through all matches in their order.
    let told = explain::http(
        table,
        &request,
        client.parse().unwrap(),
        0,
        None,
        windrose_model::WallTime(0),
    );
    let told = told.steps.iter().find_map(|step| {
        let (route, _) = step.strip_prefix("route ")?.split_once(" (")?;
        step.contains("): yes, ")
            .then(|| route.parse::<u16>().unwrap())
    });
    assert_eq!(told.unwrap_or(0), found, "{method} {target} {fields:?}");
    found
}

fn get(table: &Table, target: &str) -> u16 {
    route(table, ("GET", "example.com", target, &[]), "192.0.2.1")
}

#[test]
fn exact_goes_before_regex_before_the_longest_prefix() {
    let table = of(
        vec![
            on(vec![Match::path(below("/"))]),
            on(vec![Match::path(below("/api/"))]),
            on(vec![Match::path(below("/api/v2"))]),
            on(vec![Match::path(is("/api/v2"))]),
            on(vec![Match::path(like("/api/v2/[0-9]+"))]),
            on(vec![Match::path(is("/api/v2/7"))]),
        ],
        &no_geo(),
    );
    for (path, expected) in [
        ("/", 1),
        ("/x", 1),
        ("/apix", 1),
        ("/api", 2),
        ("/api/", 2),
        ("/api/v1/x/y/z", 2),
        ("/api/v2", 4),
        ("/api/v2/", 3),
        ("/api/v2x", 2),
        ("/api/v2/x/y", 3),
        ("/api/v2/12", 5),
        ("/api/v2/12/", 3),
        ("/api/v2/7", 6),
    ] {
        assert_eq!(get(&table, path), expected, "{path}");
    }
}

#[test]
fn then_method_then_most_headers_then_most_parameters_then_the_first() {
    let given = |method: Option<Method>, headers: &[&str], query: &[&str]| Conditions {
        method,
        headers: headers
            .iter()
            .map(|n| (n.parse().unwrap(), exact("1")))
            .collect(),
        query: query.iter().map(|n| (Box::from(*n), exact("1"))).collect(),
        ..Conditions::default()
    };
    let of_path = |conditions| on(vec![path(below("/a"), conditions)]);
    let table = of(
        vec![
            of_path(given(None, &[], &[])),
            of_path(given(None, &[], &["q"])),
            of_path(given(None, &[], &["q", "r"])),
            of_path(given(None, &["x-h"], &[])),
            of_path(given(None, &["x-h", "x-i"], &[])),
            of_path(given(Some(Method::POST), &[], &[])),
            of_path(given(Some(Method::POST), &[], &[])),
        ],
        &no_geo(),
    );
    let (h, i) = (("x-h", "1"), ("x-i", "1"));
    let all = |method, target, fields: &[_]| {
        route(&table, (method, "example.com", target, fields), "192.0.2.1")
    };
    assert_eq!(all("GET", "/a", &[]), 1);
    assert_eq!(all("GET", "/a?q=1", &[]), 2);
    assert_eq!(all("GET", "/a?r=1&q=1", &[]), 3);
    assert_eq!(all("GET", "/a?r=1&q=1", &[h]), 4);
    assert_eq!(all("GET", "/a?r=1&q=1", &[i, h]), 5);
    assert_eq!(all("POST", "/a?r=1&q=1", &[i, h]), 6);
}

#[test]
fn values_are_compared_as_the_gateway_api_says() {
    let header = Conditions {
        headers: vec![("x-h".parse().unwrap(), exact("a, b"))],
        ..Conditions::default()
    };
    let query = Conditions {
        query: vec![("a b".into(), exact("c/d"))],
        ..Conditions::default()
    };
    let cookie = Conditions {
        cookies: vec![("c".into(), TextMatch::Regex(Pattern::new("a|b").unwrap()))],
        ..Conditions::default()
    };
    let table = of(
        [header, query, cookie]
            .map(|c| on(vec![path(below("/"), c)]))
            .into(),
        &no_geo(),
    );
    let check = |target, fields: &[_], expected| {
        let asked = ("GET", "example.com", target, fields);
        assert_eq!(
            route(&table, asked, "192.0.2.1"),
            expected,
            "{target} {fields:?}"
        );
    };
    check("/", &[("X-H", "a, b")], 1);
    check("/", &[("x-h", "a"), ("x-h", "b")], 1);
    check("/", &[("x-h", "a")], 0);
    check("/", &[("x-h", "A, b")], 0);
    check("/?a%20b=c%2fd", &[], 2);
    check("/?x&a+b=c/d&a+b=other", &[], 2);
    check("/?a+b=other&a+b=c/d", &[], 0);
    check("/", &[("cookie", "x=1; c=a")], 3);
    check("/", &[("cookie", "x=1"), ("cookie", " c = b ")], 3);
    check("/", &[("cookie", "c=no; c=a")], 0);
    check("/", &[("cookie", "cc=a")], 0);
}

#[test]
fn calls_of_grpc_go_by_service_then_method() {
    let call = |service: Option<&str>, method: Option<&str>| {
        let grpc = GrpcMatch::new(service.map(exact), method.map(exact));
        Match::path(PathMatch::Grpc(Box::new(grpc)))
    };
    let table = of(
        vec![
            on(vec![call(None, None)]),
            on(vec![call(None, Some("Login"))]),
            on(vec![call(Some("a.User"), None)]),
            on(vec![call(Some("a.User"), Some("Login"))]),
        ],
        &no_geo(),
    );
    let check = |target, content: &str, expected| {
        let fields = [("content-type", content)];
        let asked = ("POST", "example.com", target, &fields[..]);
        assert_eq!(
            route(&table, asked, "192.0.2.1"),
            expected,
            "{target} {content}"
        );
    };
    check("/x.Y/Z", "application/grpc", 1);
    check("/x.Y/Login", "application/grpc+proto", 2);
    check("/a.User/Logout", "application/grpc", 3);
    check("/a.User/Login", "application/grpc", 4);
    check("/a.User/Login/x", "application/grpc", 0);
    check("/a.User/Login", "application/grpc-web", 0);
    check("/a.User/Login", "text/plain", 0);
}

#[test]
fn routes_of_a_host_go_before_those_of_all_whatever_their_path() {
    let of_hosts = |hosts: &[&str], matches| Route {
        hosts: hosts.iter().map(|text| host(text)).collect(),
        ..on(matches)
    };
    let table = of(
        vec![
            on(vec![Match::path(is("/x"))]),
            of_hosts(&["*.example.com"], vec![Match::path(below("/"))]),
            of_hosts(
                &["*.b.example.com", "c.example.com"],
                vec![Match::path(below("/x"))],
            ),
            of_hosts(&["a.b.example.com"], vec![Match::path(below("/y"))]),
        ],
        &no_geo(),
    );
    for (host, path, expected) in [
        ("example.com", "/x", 1),
        ("example.com", "/y", 0),
        ("z.example.com", "/x", 2),
        ("c.example.com", "/x", 3),
        ("c.example.com", "/y", 2),
        ("z.b.example.com", "/x", 3),
        ("a.b.example.com", "/y", 4),
        ("a.b.example.com", "/x", 3),
        ("a.b.example.com", "/z", 2),
    ] {
        let asked = ("GET", host, path, &[][..]);
        assert_eq!(route(&table, asked, "192.0.2.1"), expected, "{host}{path}");
    }
}

#[test]
fn clients_are_told_apart_by_prefix_and_country() {
    let set = |clients: ClientSet| {
        let conditions = Conditions {
            clients: Some(clients),
            ..Conditions::default()
        };
        on(vec![path(below("/"), conditions)])
    };
    let office = ClientSet {
        cidrs: vec!["192.0.2.0/24".parse().unwrap()],
        ..ClientSet::default()
    };
    let germans = ClientSet {
        countries: vec!["DE".parse().unwrap()],
        ..ClientSet::default()
    };
    let data = Data::of_geo(geo::GeoDb::builtin());
    let table = of(vec![on(Vec::new()), set(office), set(germans)], &data);
    let from = |client| route(&table, ("GET", "example.com", "/", &[]), client);
    assert_eq!(from("192.0.2.9"), 2);
    assert_eq!(from("::ffff:192.0.2.9"), 2);
    assert_eq!(from("192.0.3.9"), 1);
    assert_eq!(from("53.0.0.1"), 3);
}

/// Whatever the routes, the index finds what a search through all matches in their order finds, and
/// the order does not depend on how they were compiled.
#[test]
fn the_index_finds_what_a_search_through_all_matches_finds() {
    const SEGMENTS: [&str; 4] = ["a", "b", "api", "v2"];
    let mut dice = Dice(7);
    let mut found = [0u32; 2];
    for _ in 0..150 {
        let some = |dice: &mut Dice| {
            let depth = dice.below(4);
            let mut text: String = (0..depth)
                .flat_map(|_| ["/", SEGMENTS[dice.below(4)]])
                .collect();
            if depth == 0 || dice.below(4) == 0 {
                text.push('/');
            }
            text
        };
        let routes = (0..1 + dice.below(12))
            .map(|_| {
                let text = some(&mut dice);
                let wanted = match dice.below(5) {
                    0 => is(&text),
                    1 => like(&text.replace('a', ".")),
                    _ => below(&text),
                };
                let mut conditions = Conditions::default();
                if dice.below(3) == 0 {
                    conditions.method = Some(Method::POST);
                }
                if dice.below(3) == 0 {
                    conditions.headers = vec![("x-h".parse().unwrap(), exact("1"))];
                }
                on(vec![path(wanted, conditions)])
            })
            .collect();
        let table = of(routes, &no_geo());
        for _ in 0..60 {
            let target = some(&mut dice);
            let method = ["GET", "POST"][dice.below(2)];
            let fields: &[_] = [&[][..], &[("x-h", "1")]][dice.below(2)];
            // `route` asks explain, which goes through them all, and compares.
            let at = route(
                &table,
                (method, "example.com", &target, fields),
                "192.0.2.1",
            );
            found[usize::from(at > 0)] += 1;
        }
    }
    assert!(found.iter().all(|count| *count > 500), "{found:?}");
}

#[test]
fn users_of_a_list_are_known_by_header_or_cookie() {
    let list = |users: &[&str]| {
        let list = UserList::new(users.iter().map(|user| user.as_bytes()));
        (list.fingerprint(), Arc::new(list))
    };
    let by = |key| Conditions {
        user: Some(UserMatch {
            key,
            list: name("beta"),
        }),
        ..Conditions::default()
    };
    let header = UserKey::Header(HeaderName::from_static("x-user"));
    let table = |(named, is): (_, Arc<UserList>), there: Arc<UserList>| {
        let mut draft = draft();
        let mut app = app("example.com", Vec::new());
        app.routes = vec![
            on(vec![
                path(below("/"), by(header.clone())),
                path(below("/"), by(UserKey::Cookie("uid".into()))),
            ]),
            on(vec![]),
        ];
        draft.apps.insert(name("shop"), app);
        draft.users.insert(name("beta"), (named, is.len()));
        let data = Data {
            users: Users::new([(name("beta"), there)].into()),
            ..no_geo()
        };
        table(draft, &data).1
    };
    let beta = list(&["ann", "ben"]);
    let with = table(beta.clone(), Arc::clone(&beta.1));
    let asked = |table: &Table, fields: &[(&str, &str)]| {
        route(table, ("GET", "example.com", "/", fields), "192.0.2.1")
    };
    for (fields, expected) in [
        (&[("x-user", "ann")][..], 1),
        (&[("cookie", "a=b; uid=ben")], 1),
        (&[("x-user", "Ann")], 2),
        (&[("x-user", "ann"), ("x-user", "ben")], 2),
        (&[("uid", "ann")], 2),
        (&[], 2),
    ] {
        assert_eq!(asked(&with, fields), expected, "{fields:?}");
    }
    let fewer = list(&["ben"]);
    let changed = table(fewer.clone(), Arc::clone(&fewer.1));
    assert_eq!(asked(&changed, &[("x-user", "ann")]), 2);
    assert_ne!(changed.digest(), with.digest());
    // Not the list that the Model means: nobody is in it.
    let other = table(beta, fewer.1);
    assert_eq!(asked(&other, &[("x-user", "ben")]), 2);
}
