//! A cluster that hangs holds what its breaker allows and no more; others are not held up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use windrose_model::{App, Breakers, DnsName, ProxyProtocol, Tcp};
use windrose_proxy::Settings;
use windrose_telemetry::{BREAKER_CELLS, Counted, GroupEvent, OPENED, OVERFLOWS};

use crate::support::backend::{Backend, Blackhole, Peer};
use crate::support::{HOST, Node, app, eventually, name, run, table, table_of};

/// Steered slots of the first app: its clusters in order.
const FIRST: u32 = 0;

fn limited(mut app: App, breakers: Breakers) -> App {
    app.timeouts.first_byte = Duration::from_secs(20);
    app.breakers = Some(breakers);
    app
}

fn requests(most: u32) -> Breakers {
    Breakers {
        requests: most,
        ..Breakers::default()
    }
}

fn in_use(node: &Node, slot: u32, what: Counted) -> u32 {
    let live = node.shared.live();
    live.breakers.in_use.get(slot).unwrap().now(what)
}

fn overflows(node: &Node, slot: u32) -> Vec<u64> {
    let cells = (0..BREAKER_CELLS).map(|cell| node.metrics.breakers.sum(slot, cell));
    cells.collect()
}

#[test]
fn a_hung_cluster_holds_no_more_than_it_may_and_other_apps_are_served() {
    run(async {
        let hung = Backend::stalls().await;
        let good = Backend::answers("good").await;
        let mut other = app(&[("c2", &[good.address])]);
        other.hosts = vec![DnsName::parse("other.test").unwrap()];
        let one = limited(app(&[("c1", &[hung.address])]), requests(4));
        let node = Node::over(table_of(vec![("app", one), ("other", other)], 1, |_| {}));
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let mut client = node.client().await;
            client.begin("/").await;
            waiting.push(client);
        }
        eventually("four requests hang", || {
            in_use(&node, FIRST, Counted::Requests) == 4
        })
        .await;
        let began = Instant::now();
        for _ in 0..50 {
            let refused = node.get("/").await;
            assert_eq!((refused.status, refused.flags()), (503, "UO"));
            let mut client = node.client().await;
            client
                .send("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
                .await;
            assert_eq!(client.response().await.field("x-backend"), "good");
        }
        assert!(began.elapsed() < Duration::from_secs(10), "nobody waited");
        assert_eq!(overflows(&node, FIRST)[Counted::Requests as usize], 50);
        assert_eq!(hung.connections.get(), 4);
        // What ends makes room.
        hung.kill();
        eventually("room again", || {
            in_use(&node, FIRST, Counted::Requests) == 0
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn what_finds_no_room_goes_to_the_next_cluster() {
    run(async {
        let hung = Backend::stalls().await;
        let good = Backend::answers("good").await;
        let all = app(&[("c1", &[hung.address]), ("c2", &[good.address])]);
        let node = Node::start(limited(all, requests(1)));
        let mut waits = node.client().await;
        waits.begin("/").await;
        eventually("it hangs", || in_use(&node, FIRST, Counted::Requests) == 1).await;
        for _ in 0..10 {
            let response = node.get("/").await;
            assert_eq!(
                (response.status, response.field("x-backend")),
                (200, "good")
            );
        }
        let moved = GroupEvent::MovedCluster as u32;
        assert_eq!(node.metrics.group_events.sum(0, moved), 10);
        let retries = GroupEvent::Retry as u32;
        assert_eq!(
            node.metrics.group_events.sum(0, retries),
            0,
            "nothing failed"
        );
        assert_eq!(in_use(&node, FIRST + 1, Counted::Requests), 0);
        hung.kill();
        node.stop().await;
    });
}

fn connections(most: u32) -> Breakers {
    Breakers {
        connections: most,
        ..Breakers::default()
    }
}

#[test]
fn connections_are_limited() {
    run(async {
        let hung = Backend::stalls().await;
        let node = Node::start(limited(app(&[("c1", &[hung.address])]), connections(2)));
        let mut waiting = Vec::new();
        for number in 1..=2 {
            let mut client = node.client().await;
            client.begin("/").await;
            waiting.push(client);
            eventually("it hangs", || hung.connections.get() == number).await;
        }
        let refused = node.get("/").await;
        assert_eq!((refused.status, refused.flags()), (503, "UO"));
        assert_eq!(overflows(&node, FIRST)[Counted::Connections as usize], 1);
        hung.kill();
        node.stop().await;
    });
}

#[test]
fn idle_connections_to_other_endpoints_make_room() {
    run(async {
        let (a, b) = (Backend::answers("a").await, Backend::answers("b").await);
        let (c, d) = (Backend::answers("c").await, Backend::answers("d").await);
        let all = app(&[("c1", &[a.address, b.address, c.address, d.address])]);
        let node = Node::start(limited(all, connections(2)));
        let mut client = node.client().await;
        for _ in 0..60 {
            assert_eq!(client.get("/").await.status, 200);
            assert!(in_use(&node, FIRST, Counted::Connections) <= 2);
        }
        assert!(
            [a, b, c, d]
                .iter()
                .all(|backend| backend.connections.get() > 0)
        );
        assert_eq!(overflows(&node, FIRST)[Counted::Connections as usize], 0);
        drop(client);
        node.stop().await;
    });
}

#[test]
fn idle_clients_with_connections_of_their_own_keep_nobody_out() {
    run(async {
        let backend = Backend::answers("a").await;
        let mut all = limited(app(&[("c1", &[backend.address])]), connections(2));
        all.upstream.proxy_protocol = Some(ProxyProtocol::V1);
        let node = Node::start(all);
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = node.client().await;
            assert_eq!(client.get("/").await.status, 200);
            clients.push(client);
        }
        for client in &mut clients {
            assert_eq!(client.get("/").await.status, 200);
        }
        drop(clients);
        node.stop().await;
    });
}

#[test]
fn requests_that_wait_for_a_connection_are_limited() {
    run(async {
        let hole = Blackhole::new();
        let mut app = limited(
            app(&[("c1", &[hole.address])]),
            Breakers {
                pending: 2,
                ..Breakers::default()
            },
        );
        app.timeouts.connect = Duration::from_secs(10);
        let node = Node::start(app);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut client = node.client().await;
            client.begin("/").await;
            waiting.push(client);
        }
        eventually("two wait", || in_use(&node, FIRST, Counted::Pending) == 2).await;
        let refused = node.get("/").await;
        assert_eq!((refused.status, refused.flags()), (503, "UO"));
        assert_eq!(overflows(&node, FIRST)[Counted::Pending as usize], 1);
        drop(hole);
        eventually("room again", || in_use(&node, FIRST, Counted::Pending) == 0).await;
        node.stop().await;
    });
}

#[test]
fn retries_are_limited_at_one_time() {
    run(async {
        let resets = Backend::resets().await;
        let hung = Backend::stalls().await;
        let breakers = Breakers {
            retries: 1,
            ..Breakers::default()
        };
        // Whoever begins at the first endpoint is repeated at the second, and hangs there.
        let mut app = limited(app(&[("c1", &[resets.address, hung.address])]), breakers);
        app.retry.attempts = 1;
        let node = Node::start(app);
        let mut waiting = Vec::new();
        while in_use(&node, FIRST, Counted::Retries) == 0 {
            let mut client = node.client().await;
            client.begin("/").await;
            waiting.push(client);
            eventually("it hangs", || hung.connections.get() == waiting.len()).await;
            // An endpoint that failed is left alone for a second.
            node.shared.forget_endpoint(0);
        }
        let refused = node.get("/").await;
        assert_eq!((refused.status, refused.flags()), (502, "UC,UO"));
        assert_eq!(overflows(&node, FIRST)[Counted::Retries as usize], 1);
        assert_eq!(in_use(&node, FIRST, Counted::Retries), 1);
        hung.kill();
        node.stop().await;
    });
}

#[test]
fn a_cluster_that_fails_in_a_row_is_left_alone_until_a_trial_succeeds() {
    run(async {
        let fails = Rc::new(Cell::new(true));
        let failing = Rc::clone(&fails);
        let backend = Backend::start(move |stream, _| {
            let failing = Rc::clone(&failing);
            async move {
                let mut peer = Peer::new(stream);
                while peer.request().await.is_some() {
                    let status = if failing.get() {
                        "504 Gateway Timeout"
                    } else {
                        "200 OK"
                    };
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    let _ = peer.stream.write_all(answer.as_bytes()).await;
                }
            }
        })
        .await;
        let breakers = Breakers {
            failures: 3,
            open_for: Duration::from_secs(1),
            ..Breakers::default()
        };
        let node = Node::start(limited(app(&[("c1", &[backend.address])]), breakers));
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let response = node.get("/").await;
            statuses.push((response.status, response.flags().to_owned()));
        }
        let uo = || (503, "UO".to_owned());
        let failed = || (504, String::new());
        assert_eq!(statuses, [failed(), failed(), failed(), uo(), uo(), uo()]);
        let open = node.shared.live().breakers.open.list();
        assert_eq!(open[&FIRST].failures, 3);
        let counts = overflows(&node, FIRST);
        let circuit = OVERFLOWS
            .iter()
            .position(|what| *what == "circuit")
            .unwrap();
        assert_eq!((counts[circuit], counts[OPENED as usize]), (3, 1));
        fails.set(false);
        let (mut client, mut trials) = (node.client().await, 0);
        loop {
            // Refused at once until the second is over.
            match client.get("/").await.status {
                200 => break,
                503 => trials += 1,
                other => panic!("{other}"),
            }
        }
        assert!(trials > 0);
        assert!(node.shared.live().breakers.open.is_empty());
        assert_eq!(client.get("/").await.status, 200);
        node.stop().await;
    });
}

#[test]
fn a_tcp_connection_that_finds_no_room_goes_to_the_next_cluster() {
    run(async {
        let first = Backend::stalls().await;
        let second = Backend::says(b"second").await;
        let mut app = limited(
            app(&[("c1", &[first.address]), ("c2", &[second.address])]),
            requests(1),
        );
        app.tcp = Some(Tcp::all_of(name("in")));
        let node = Node::tcp("127.0.0.1:0", table(app, 1, |_| {}), Settings::default());
        let held = node.client().await;
        eventually("the first has its one", || first.connections.get() == 1).await;
        let mut client = node.client().await;
        client
            .send(format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n"))
            .await;
        assert_eq!(client.end().await.0, b"second");
        first.kill();
        drop(held);
        eventually("room again", || {
            in_use(&node, FIRST, Counted::Requests) == 0
        })
        .await;
        node.stop().await;
    });
}
