//! Among the endpoints of a cluster: by weight, in turn, and past those that are drained.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{App, EndpointState, EndpointTraits, Policy, SplitKey, Tcp, Weight};
use windrose_proxy::Settings;

use crate::support::backend::{Backend, refusing};
use crate::support::{Node, app, name, run, table};

/// Says of an endpoint of version v1 in cluster c1 what it weighs and whether it is drained.
fn say(app: &mut App, cluster: &str, address: SocketAddr, weight: u32, drain: bool) {
    let version = app.versions.get_mut("v1").unwrap();
    let weight = Weight::new(weight).unwrap();
    let traits = EndpointTraits { weight, drain };
    version.traits.insert((name(cluster), address), traits);
}

/// Who answers so many requests of one client.
async fn tally(node: &Node, count: usize) -> BTreeMap<String, usize> {
    let mut client = node.client().await;
    let mut tally = BTreeMap::new();
    for _ in 0..count {
        let response = client.get("/").await;
        assert_eq!(response.status, 200);
        *tally
            .entry(response.field("x-backend").to_owned())
            .or_default() += 1;
    }
    tally
}

#[test]
fn requests_go_in_turn_and_by_weight() {
    run(async {
        let (a, b) = (Backend::answers("a").await, Backend::answers("b").await);
        let mut app = app(&[("c1", &[a.address, b.address])]);
        app.balance.policy = Policy::RoundRobin;
        say(&mut app, "c1", a.address, 3, false);
        let node = Node::start(app);
        let tally = tally(&node, 80).await;
        assert!((59..=61).contains(&tally["a"]), "{tally:?}");
        node.stop().await;
    });
}

#[test]
fn under_the_default_policy_weights_count_as_well() {
    run(async {
        let (a, b) = (Backend::answers("a").await, Backend::answers("b").await);
        let mut app = app(&[("c1", &[a.address, b.address])]);
        say(&mut app, "c1", a.address, 9, false);
        let node = Node::start(app);
        let tally = tally(&node, 400).await;
        assert!((330..=385).contains(&tally["a"]), "{tally:?}");
        node.stop().await;
    });
}

#[test]
fn a_drained_endpoint_gets_nothing_new_and_its_connections_stay() {
    run(async {
        let greets = |mark: &'static [u8]| {
            Backend::start(move |mut stream, _| async move {
                if stream.write_all(mark).await.is_ok() {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                }
            })
        };
        let (a, b) = (greets(b"a").await, greets(b"b").await);
        let mut app = app(&[("c1", &[a.address, b.address])]);
        app.tcp = Some(Tcp::all_of(name("in")));
        app.balance.policy = Policy::RoundRobin;
        let first = table(app.clone(), 1, |_| {});
        let mut node = Node::tcp("127.0.0.1:0", first, Settings::default());
        let greeted = || async {
            let mut client = TcpStream::connect(node.address).await.unwrap();
            let mark = client.read_u8().await.unwrap();
            (client, mark)
        };
        let mut clients = [greeted().await, greeted().await];
        let marks = clients.each_ref().map(|(_, mark)| *mark);
        assert!(marks == *b"ab" || marks == *b"ba", "in turn: {marks:?}");
        say(&mut app, "c1", a.address, 1, true);
        node.publish(app, 2, |_| {});
        let greeted = || async {
            let mut client = TcpStream::connect(node.address).await.unwrap();
            client.read_u8().await.unwrap()
        };
        for _ in 0..6 {
            assert_eq!(greeted().await, b'b');
        }
        for (client, _) in &mut clients {
            client.write_all(b"x").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'x');
        }
        drop(clients);
        node.stop().await;
    });
}

#[test]
fn a_cluster_whose_endpoints_are_all_drained_is_passed_over_and_used_when_nothing_else_is_left() {
    run(async {
        let (a, b) = (Backend::answers("a").await, Backend::answers("b").await);
        let mut app = app(&[("c1", &[a.address]), ("c2", &[b.address])]);
        say(&mut app, "c1", a.address, 0, false);
        let mut node = Node::start(app.clone());
        assert_eq!(tally(&node, 10).await, [("b".to_owned(), 10)].into());
        say(&mut app, "c2", b.address, 1, true);
        node.publish(app, 2, |_| {});
        tally(&node, 10).await;
        node.stop().await;
    });
}

#[test]
fn in_turn_too_nobody_is_asked_twice_for_one_request() {
    run(async {
        let good = Backend::answers("good").await;
        let mut app = app(&[("c1", &[refusing(), good.address, refusing()])]);
        app.balance.policy = Policy::RoundRobin;
        let node = Node::start(app);
        assert_eq!(tally(&node, 30).await, [("good".to_owned(), 30)].into());
        node.stop().await;
    });
}

#[test]
fn by_hash_a_user_keeps_its_endpoint_and_only_those_of_one_that_is_down_move() {
    run(async {
        let backends = [
            Backend::answers("a").await,
            Backend::answers("b").await,
            Backend::answers("c").await,
        ];
        let addresses = backends.each_ref().map(|backend| backend.address);
        let mut app = app(&[("c1", &addresses)]);
        for (epoch, policy) in [(2, Policy::RingHash), (4, Policy::Maglev)] {
            app.balance.policy = policy;
            app.balance.by = SplitKey::Header(http::HeaderName::from_static("x-user"));
            let mut node = Node::start(app.clone());
            let whole = owners(&node).await;
            assert_eq!(owners(&node).await, whole);
            let names: std::collections::BTreeSet<_> = whole.iter().collect();
            assert_eq!(names.len(), 3, "{whole:?}");
            node.publish(app.clone(), epoch, |status| {
                status.endpoints[1] = EndpointState::Down;
            });
            let without = owners(&node).await;
            for (before, after) in whole.iter().zip(&without) {
                assert_ne!(after, "b");
                assert!(before == "b" || before == after, "{whole:?} {without:?}");
            }
            node.publish(app.clone(), epoch + 1, |_| {});
            assert_eq!(owners(&node).await, whole, "they come back");
            node.stop().await;
        }
    });
}

/// Who answers each of thirty users.
async fn owners(node: &Node) -> Vec<String> {
    let mut client = node.client().await;
    let mut owners = Vec::new();
    for user in 0..30 {
        let head = format!("GET / HTTP/1.1\r\nhost: app.test\r\nx-user: u{user}\r\n\r\n");
        client.send(&head).await;
        owners.push(client.response().await.field("x-backend").to_owned());
    }
    owners
}

#[test]
fn connections_of_one_client_go_to_one_endpoint_and_on_when_it_refuses() {
    run(async {
        let greets = |mark: &'static [u8]| {
            Backend::start(move |mut stream, _| async move {
                let _ = stream.write_all(mark).await;
            })
        };
        let (a, b) = (greets(b"a").await, greets(b"b").await);
        let mut app = app(&[("c1", &[a.address, b.address])]);
        app.tcp = Some(Tcp::all_of(name("in")));
        app.balance.policy = Policy::Maglev;
        let table = table(app, 1, |_| {});
        let node = Node::tcp("127.0.0.1:0", table, Settings::default());
        let greeted = || async {
            let mut client = TcpStream::connect(node.address).await.unwrap();
            client.read_u8().await.unwrap()
        };
        let first = greeted().await;
        for _ in 0..10 {
            assert_eq!(greeted().await, first);
        }
        if first == b'a' {
            a.kill()
        } else {
            b.kill()
        };
        for _ in 0..10 {
            assert_ne!(greeted().await, first);
        }
        node.stop().await;
    });
}

#[test]
fn by_peak_ewma_who_fails_at_once_draws_no_crowd() {
    run(async {
        let good = Backend::answers("good").await;
        let bad = Backend::answers_with("bad", "500 Internal Server Error").await;
        let mut app = app(&[("c1", &[good.address, bad.address])]);
        app.balance.policy = Policy::PeakEwma;
        let node = Node::start(app);
        let mut client = node.client().await;
        let mut tally: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..100 {
            let response = client.get("/").await;
            *tally
                .entry(response.field("x-backend").to_owned())
                .or_default() += 1;
        }
        assert_eq!(
            tally.get("bad").copied().unwrap_or(0).max(1),
            1,
            "{tally:?}"
        );
        node.stop().await;
    });
}

#[test]
fn connections_by_peak_ewma_leave_who_cannot_be_reached() {
    run(async {
        let good = Backend::start(|mut stream, _| async move {
            let _ = stream.write_all(b"g").await;
        })
        .await;
        let mut app = app(&[("c1", &[refusing(), good.address])]);
        app.tcp = Some(Tcp::all_of(name("in")));
        app.balance.policy = Policy::PeakEwma;
        let node = Node::tcp("127.0.0.1:0", table(app, 1, |_| {}), Settings::default());
        for _ in 0..10 {
            let mut client = TcpStream::connect(node.address).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'g');
        }
        node.stop().await;
    });
}
