//! Where requests go: hosts, paths, versions, clusters, and always the same as DNS says.

use std::collections::BTreeMap;

use crate::support::backend::Backend;
use crate::support::{self, Node, app, name, run};
use windrose_model::{ClientSet, FenceRule, Route, Split, Step, Version, Weight};
use windrose_proxy::Settings;
use windrose_routing::{DnsChoice, prefix_key};

#[test]
fn versions_are_split_by_weight_and_routes_by_longest_prefix() {
    run(async {
        let (one, two, api) = (
            Backend::answers("v1").await,
            Backend::answers("v2").await,
            Backend::answers("v3").await,
        );
        let mut app = app(&[("c1", &[one.address])]);
        for (version, backend) in [("v2", &two), ("v3", &api)] {
            let endpoints = BTreeMap::from([(name("c1"), vec![backend.address])]);
            app.versions.insert(name(version), Version::at(endpoints));
        }
        let split = |parts: &[(&str, u32)]| {
            Split(
                parts
                    .iter()
                    .map(|(v, w)| (name(v), Weight::new(*w).unwrap()))
                    .collect(),
            )
        };
        app.split = split(&[("v1", 90), ("v2", 10)]);
        app.routes = vec![Route::prefix("/api", split(&[("v3", 1)]))];
        let node = Node::start(app);
        let mut client = node.client().await;
        let mut second = 0;
        for _ in 0..2_000 {
            second += u32::from(client.get("/").await.field("x-backend") == "v2");
        }
        assert!((150..250).contains(&second), "{second} of 2,000 at 10 %");
        for (path, version) in [("/api", "v3"), ("/api/x", "v3"), ("/api?q", "v3")] {
            assert_eq!(client.get(path).await.field("x-backend"), version, "{path}");
        }
        assert_ne!(client.get("/apix").await.field("x-backend"), "v3");
        node.stop().await;
    });
}

#[test]
fn a_node_with_a_home_keeps_requests_there_while_it_may() {
    run(async {
        let (near, far) = (Backend::answers("c1").await, Backend::answers("c2").await);
        let clusters: [(&str, &[_]); 2] = [("c1", &[near.address]), ("c2", &[far.address])];
        let mut app = app(&clusters);
        // Whatever steering prefers ...
        app.steering = vec![Step::Failover(vec![vec![name("c1")], vec![name("c2")]])];
        let home = |cluster: &str| Settings {
            home: Some(name(cluster)),
            ..Settings::default()
        };
        let node = Node::with(app.clone(), home("c2"));
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.field("x-backend"), "c2");
        node.stop().await;
        // ... but not against a fence.
        app.steering.push(Step::Fence(vec![FenceRule {
            clients: ClientSet {
                cidrs: vec!["127.0.0.0/8".parse().unwrap()],
                ..ClientSet::default()
            },
            clusters: vec![name("c1")],
        }]));
        let node = Node::with(app, home("c2"));
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.field("x-backend"), "c1");
        node.stop().await;
    });
}

#[test]
fn a_sticky_client_gets_the_cluster_that_dns_gives_its_prefix() {
    run(async {
        let names = ["c1", "c2", "c3", "c4"];
        let mut backends = Vec::new();
        for name in names {
            backends.push(Backend::answers(name).await);
        }
        let clusters: Vec<_> = names
            .iter()
            .zip(&backends)
            .map(|(n, b)| (*n, [b.address]))
            .collect();
        let clusters: Vec<_> = clusters.iter().map(|(n, a)| (*n, &a[..])).collect();
        let mut app = app(&clusters);
        app.sticky = true;
        let weights = names.iter().map(|n| (name(n), Weight::ONE)).collect();
        app.steering = vec![Step::Weighted(weights)];
        let settings = Settings {
            forwarded_trust: vec!["127.0.0.1/32".parse().unwrap()],
            ..Settings::default()
        };
        let node = Node::with(app, settings);
        let table = node.publisher.current();
        let app = table.app(table.host("app.test").unwrap());
        let mut used = std::collections::BTreeSet::new();
        let mut client = node.client().await;
        for n in 0..100u8 {
            let address = format!("198.51.{n}.7").parse().unwrap();
            let view = app.view(table, table.leaf(address));
            let key = prefix_key(app.plan.salt, address);
            let DnsChoice::Clusters(picked) = app.choose_dns(view, key) else {
                panic!("DNS answers");
            };
            let expected = app.plan.clusters[usize::from(picked[0])].name.as_str();
            for last in [7, 200] {
                client
                    .send(format!(
                        "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 198.51.{n}.{last}\r\n\r\n"
                    ))
                    .await;
                let response = client.response().await;
                assert_eq!(response.field("x-backend"), expected, "198.51.{n}.{last}");
                used.insert(expected.to_owned());
            }
        }
        assert_eq!(used.len(), 4, "all clusters have clients");
        node.stop().await;
    });
}

#[test]
fn a_fence_that_leaves_no_endpoint_fails_closed() {
    run(async {
        let (one, two) = (Backend::answers("one").await, Backend::answers("two").await);
        let mut app = app(&[("c1", &[one.address])]);
        let endpoints = BTreeMap::from([(name("c2"), vec![two.address])]);
        app.versions.insert(name("v2"), Version::at(endpoints));
        let clients = ClientSet {
            cidrs: vec!["127.0.0.0/8".parse().unwrap()],
            ..ClientSet::default()
        };
        let clusters = vec![name("c2")];
        app.steering = vec![Step::Fence(vec![FenceRule { clients, clusters }])];
        let node = Node::start(app);
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (503, "UH"));
        assert_eq!(one.connections.get(), 0);
        node.stop().await;
    });
}

#[test]
fn a_new_table_holds_from_the_next_request_on_and_the_old_one_is_let_go() {
    run(async {
        let (one, two) = (Backend::answers("one").await, Backend::answers("two").await);
        let mut node = Node::before(&one);
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.field("x-backend"), "one");
        node.publish(app(&[("c1", &[two.address])]), 2, |_| {});
        // The slot is the same, the address is not: pooled connections must not be mixed up.
        assert_eq!(client.get("/").await.field("x-backend"), "two");
        assert_eq!(node.publisher.sweep(), 1, "nobody holds the old Table");
        node.stop().await;
    });
}

#[test]
fn who_waits_for_an_endpoint_that_is_called_down_goes_elsewhere() {
    run(async {
        let (stopped, other) = (Backend::stalls().await, Backend::answers("other").await);
        let build = || {
            let mut app = app(&[("c1", &[stopped.address]), ("c2", &[other.address])]);
            app.timeouts.first_byte = std::time::Duration::from_secs(3_600);
            app
        };
        let mut node = Node::start(build());
        let (mut get, mut post) = (node.client().await, node.client().await);
        get.begin("/").await;
        post.send("POST / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
        support::eventually("both wait", || stopped.connections.get() == 2).await;
        node.publish(build(), 2, |status| {
            status.endpoints[0] = windrose_model::EndpointState::Down;
            status.clusters[0].usable = false;
        });
        let response = get.response().await;
        assert_eq!(
            (response.status, response.field("x-backend")),
            (200, "other")
        );
        // What may not be repeated waits on.
        let second = std::time::Duration::from_millis(1_200);
        assert!(tokio::time::timeout(second, post.response()).await.is_err());
        drop(post);
        stopped.kill();
        node.stop().await;
    });
}
