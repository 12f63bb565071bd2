//! Connections of TCP listeners: carried, steered as requests are, kept or closed, limited; and TLS
//! passed through by name.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{
    App, DnsName, EndpointState, Fact, PassiveKind, Percent, Split, Tcp, Weight, WhenEndpointDown,
};
use windrose_proxy::Settings;
use windrose_telemetry::{GroupEvent, StreamEvent, StreamKind, TcpEvent, stream_cell};

use crate::support::backend::{Backend, Blackhole, refusing};
use crate::support::{Node, app, eventually, name, run, table, table_of};

fn tcp_app(clusters: &[(&str, &[SocketAddr])]) -> App {
    let mut app = app(clusters);
    app.tcp = Some(Tcp::all_of(name("in")));
    app
}

fn with_tcp(mut app: App, change: impl FnOnce(&mut Tcp)) -> App {
    change(app.tcp.as_mut().unwrap());
    app
}

fn start(app: App) -> Node {
    Node::tcp("127.0.0.1:0", table(app, 1, |_| {}), Settings::default())
}

/// Greets with its name, then sends back what comes, until the other side ends.
async fn greets(mark: &'static str) -> Backend {
    Backend::start(move |mut stream, _| async move {
        if stream.write_all(mark.as_bytes()).await.is_ok() {
            let (mut read, mut write) = stream.into_split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        }
    })
    .await
}

async fn connect(node: &Node) -> TcpStream {
    TcpStream::connect(node.address).await.unwrap()
}

async fn expect(stream: &mut TcpStream, octets: &[u8]) {
    let mut got = vec![0; octets.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, octets);
}

/// What comes until the end, and whether that was a clean one.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    let clean = stream.read_to_end(&mut got).await.is_ok();
    (got, clean)
}

fn counted(node: &Node, event: StreamEvent) -> u64 {
    let cell = stream_cell(StreamKind::Tcp, event);
    node.metrics.streams.sum(0, cell)
}

fn rejected(node: &Node, event: TcpEvent) -> u64 {
    node.metrics.tcp_events.sum(0, event as u32)
}

fn open(node: &Node) -> u64 {
    node.metrics.streams_open.sum(0, StreamKind::Tcp as u32)
}

#[test]
fn octets_pass_both_ways_and_each_half_closes_by_itself() {
    run(async {
        let backend = greets("hello ").await;
        let node = start(tcp_app(&[("c1", &[backend.address])]));
        let mut client = connect(&node).await;
        // The server speaks first.
        expect(&mut client, b"hello ").await;
        assert_eq!(open(&node), 1);
        client.write_all(b"\0\xffany octets").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(
            rest(&mut client).await,
            (b"\0\xffany octets".to_vec(), true)
        );
        eventually("it is over", || open(&node) == 0).await;
        assert_eq!(counted(&node, StreamEvent::Closed), 1);
        assert_eq!(counted(&node, StreamEvent::FromClient), 12);
        assert_eq!(counted(&node, StreamEvent::ToClient), 18);
        node.stop().await;
    });
}

#[test]
fn many_connections_and_many_octets_arrive_whole() {
    run(async {
        let backend = greets("").await;
        let node = start(tcp_app(&[("c1", &[backend.address])]));
        let tasks: Vec<_> = (0..20u8)
            .map(|n| {
                let address = node.address;
                tokio::task::spawn_local(async move {
                    let stream = TcpStream::connect(address).await.unwrap();
                    let (mut read, mut write) = stream.into_split();
                    let sent: Vec<u8> = (0..300_000usize).map(|i| (i % 249) as u8 ^ n).collect();
                    let copy = sent.clone();
                    let writing = tokio::task::spawn_local(async move {
                        write.write_all(&copy).await.unwrap();
                        write.shutdown().await.unwrap();
                    });
                    let mut got = Vec::new();
                    read.read_to_end(&mut got).await.unwrap();
                    writing.await.unwrap();
                    assert!(got == sent);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        eventually("all are over", || counted(&node, StreamEvent::Closed) == 20).await;
        node.stop().await;
    });
}

#[test]
fn what_cannot_be_connected_to_is_passed_over_and_told() {
    run(async {
        let (blackhole, backend) = (Blackhole::new(), greets("b").await);
        let app = tcp_app(&[
            ("c1", &[refusing(), blackhole.address]),
            ("c2", &[backend.address]),
        ]);
        let mut node = start(app);
        for _ in 0..3 {
            expect(&mut connect(&node).await, b"b").await;
        }
        let mut told = 0;
        while let Ok(report) = node.reports.try_recv() {
            assert!(matches!(
                report.fact,
                Fact::Passive(_, PassiveKind::Connect)
            ));
            told += 1;
        }
        assert_eq!(told, 2, "one edge per endpoint");
        let events = &node.metrics.group_events;
        assert_eq!(events.sum(0, GroupEvent::ConnectFailure as u32), 2);
        assert_eq!(events.sum(0, GroupEvent::MovedCluster as u32), 3);
        node.stop().await;
    });
}

#[test]
fn with_nobody_there_the_connection_is_closed() {
    run(async {
        let node = start(tcp_app(&[("c1", &[refusing()])]));
        assert_eq!(rest(&mut connect(&node).await).await.0, b"");
        eventually("it is counted", || {
            rejected(&node, TcpEvent::Unreachable) == 1
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn endpoints_that_are_down_get_no_connection() {
    run(async {
        let (one, other) = (greets("1").await, greets("2").await);
        let app = tcp_app(&[("c1", &[one.address, other.address])]);
        let down = table(app, 1, |status| status.endpoints[0] = EndpointState::Down);
        let node = Node::tcp("127.0.0.1:0", down, Settings::default());
        for _ in 0..20 {
            expect(&mut connect(&node).await, b"2").await;
        }
        assert_eq!(one.connections.get(), 0);
        node.stop().await;
    });
}

#[test]
fn the_endpoint_with_fewer_connections_is_taken() {
    run(async {
        let (one, other) = (greets("1").await, greets("2").await);
        let node = start(tcp_app(&[("c1", &[one.address, other.address])]));
        let mut held = Vec::new();
        for _ in 0..10 {
            let mut stream = connect(&node).await;
            let mut mark = [0];
            stream.read_exact(&mut mark).await.unwrap();
            held.push(stream);
        }
        // Of two, power of two choices always sees both.
        assert_eq!((one.connections.get(), other.connections.get()), (5, 5));
        node.stop().await;
    });
}

#[test]
fn versions_share_connections_by_their_weights() {
    run(async {
        let (one, other) = (greets("1").await, greets("2").await);
        let mut app = tcp_app(&[("c1", &[one.address])]);
        let mut second = app.versions[&name("v1")].clone();
        second.endpoints = [(name("c1"), vec![other.address])].into();
        app.versions.insert(name("v2"), second);
        app.split = Split([(name("v1"), Weight::ONE), (name("v2"), Weight::ONE)].into());
        let node = start(app);
        for _ in 0..60 {
            let mut mark = [0];
            connect(&node).await.read_exact(&mut mark).await.unwrap();
        }
        let (a, b) = (one.connections.get(), other.connections.get());
        assert!(a > 10 && b > 10 && a + b == 60, "{a} {b}");
        node.stop().await;
    });
}

#[test]
fn established_connections_stay_when_their_endpoint_goes_down() {
    run(async {
        let (one, other) = (greets("1").await, greets("2").await);
        let same = || tcp_app(&[("c1", &[one.address]), ("c2", &[other.address])]);
        let mut node = start(same());
        let mut client = connect(&node).await;
        expect(&mut client, b"1").await;
        node.publish(same(), 2, |status| {
            status.endpoints[0] = EndpointState::Down;
            status.clusters[0].usable = false;
            status.clusters[0].share = Percent::ZERO;
        });
        expect(&mut connect(&node).await, b"2").await;
        client.write_all(b"still").await.unwrap();
        expect(&mut client, b"still").await;
        eventually("no old table is left", || node.publisher.sweep() == 1).await;
        node.stop().await;
    });
}

#[test]
fn an_app_may_have_them_closed_instead() {
    run(async {
        let one = greets("1").await;
        let same = || {
            with_tcp(tcp_app(&[("c1", &[one.address])]), |tcp| {
                tcp.when_endpoint_down = WhenEndpointDown::Close;
            })
        };
        let mut node = start(same());
        let mut client = connect(&node).await;
        expect(&mut client, b"1").await;
        node.publish(same(), 2, |status| {
            status.endpoints[0] = EndpointState::Down;
        });
        rest(&mut client).await;
        eventually("it is counted", || {
            counted(&node, StreamEvent::EndpointDown) == 1
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn idle_and_old_connections_are_closed() {
    run(async {
        let backend = greets("1").await;
        let mut app = tcp_app(&[("c1", &[backend.address])]);
        app.timeouts.tunnel = Duration::from_millis(50);
        let node = start(app);
        assert_eq!(rest(&mut connect(&node).await).await, (b"1".to_vec(), true));
        eventually("it is counted", || counted(&node, StreamEvent::Idle) == 1).await;
        node.stop().await;

        let app = with_tcp(tcp_app(&[("c1", &[backend.address])]), |tcp| {
            tcp.max_duration = Duration::from_millis(80);
        });
        let node = start(app);
        let mut client = connect(&node).await;
        let mut every = tokio::time::interval(Duration::from_millis(10));
        while counted(&node, StreamEvent::Duration) == 0 {
            every.tick().await;
            let _ = client.write_all(b"x").await;
        }
        node.stop().await;
    });
}

#[test]
fn an_app_has_no_more_connections_than_it_may() {
    run(async {
        let backend = greets("1").await;
        let app = with_tcp(tcp_app(&[("c1", &[backend.address])]), |tcp| {
            tcp.max_connections = 2;
        });
        let node = start(app);
        let mut first = connect(&node).await;
        expect(&mut first, b"1").await;
        let mut second = connect(&node).await;
        expect(&mut second, b"1").await;
        assert_eq!(rest(&mut connect(&node).await).await.0, b"");
        assert_eq!(rejected(&node, TcpEvent::Limit), 1);
        drop(first);
        eventually("one is free", || open(&node) == 1).await;
        expect(&mut connect(&node).await, b"1").await;
        node.stop().await;
    });
}

#[test]
fn a_stop_waits_for_connections_as_long_as_its_grace() {
    run(async {
        let backend = greets("1").await;
        let settings = Settings {
            grace: Duration::from_millis(150),
            ..Settings::default()
        };
        let app = table(tcp_app(&[("c1", &[backend.address])]), 1, |_| {});
        let mut node = Node::tcp("127.0.0.1:0", app, settings);
        let (mut one, mut other) = (connect(&node).await, connect(&node).await);
        expect(&mut one, b"1").await;
        expect(&mut other, b"1").await;
        node.begin_stop();
        one.write_all(b"last words").await.unwrap();
        one.shutdown().await.unwrap();
        assert_eq!(rest(&mut one).await, (b"last words".to_vec(), true));
        rest(&mut other).await;
        node.stop().await;
    });
}

#[test]
fn ipv6_is_accepted_on_and_connected_to() {
    run(async {
        let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backend = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"six").await.unwrap();
        });
        let table = table(tcp_app(&[("c1", &[address])]), 1, |_| {});
        let node = Node::tcp("[::1]:0", table, Settings::default());
        assert!(node.address.is_ipv6());
        assert_eq!(
            rest(&mut connect(&node).await).await,
            (b"six".to_vec(), true)
        );
        backend.await.unwrap();
        node.stop().await;
    });
}

/// A ClientHello for a name, in one record.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let prefixed = |width: usize, data: &[u8]| {
        let length = (data.len() as u32).to_be_bytes();
        [&length[4 - width..], data].concat()
    };
    let entry = [&[0][..], &prefixed(2, name.as_bytes())].concat();
    let sni = [&[0, 0][..], &prefixed(2, &prefixed(2, &entry))].concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &prefixed(1, &[]),
        &prefixed(2, &[0x13, 1]),
        &prefixed(1, &[0]),
        &prefixed(2, &sni),
    ]
    .concat();
    let message = [&[1][..], &prefixed(3, &body)].concat();
    [&[22, 3, 1][..], &prefixed(2, &message)].concat()
}

/// Of two names and, if wanted, all the rest.
fn by_name(one: &Backend, below: &Backend, others: Option<&Backend>) -> Node {
    let of = |hosts: &[&str], backend: &Backend, sni: bool| {
        let mut app = tcp_app(&[("c1", &[backend.address])]);
        app.hosts = hosts.iter().map(|h| DnsName::parse(h).unwrap()).collect();
        with_tcp(app, |tcp| tcp.sni = sni)
    };
    let mut apps = vec![
        ("app", of(&["one.test"], one, true)),
        ("below", of(&["*.wild.test"], below, true)),
    ];
    if let Some(others) = others {
        apps.push(("others", of(&["others.test"], others, false)));
    }
    let settings = Settings {
        head_timeout: Duration::from_millis(100),
        ..Settings::default()
    };
    Node::tcp("127.0.0.1:0", table_of(apps, 1, |_| {}), settings)
}

/// What comes back for these octets.
async fn answer(node: &Node, octets: &[u8]) -> Vec<u8> {
    let mut client = connect(node).await;
    client.write_all(octets).await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await.0
}

#[test]
fn tls_is_passed_through_by_the_name_it_asks_for() {
    run(async {
        let (one, below) = (greets("1").await, greets("2").await);
        let node = by_name(&one, &below, None);
        for (name, mark) in [
            ("one.test", "1"),
            ("ONE.test.", "1"),
            ("a.wild.test", "2"),
            ("a.b.wild.test", "2"),
        ] {
            let hello = hello(name);
            let expected = [mark.as_bytes(), &hello].concat();
            assert_eq!(answer(&node, &hello).await, expected, "{name}");
        }
        node.stop().await;
    });
}

#[test]
fn a_hello_may_come_octet_by_octet_and_nothing_is_lost() {
    run(async {
        let (one, below) = (greets("1").await, greets("2").await);
        let node = by_name(&one, &below, None);
        let hello = [hello("one.test"), b"early data".to_vec()].concat();
        let mut client = connect(&node).await;
        client.set_nodelay(true).unwrap();
        for octet in &hello {
            client.write_all(&[*octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        client.shutdown().await.unwrap();
        let got = rest(&mut client).await.0;
        assert_eq!(got, [b"1", &hello[..]].concat());
        node.stop().await;
    });
}

#[test]
fn a_name_nobody_has_is_told_so_by_an_alert() {
    run(async {
        let (one, below) = (greets("1").await, greets("2").await);
        let node = by_name(&one, &below, None);
        for name in ["two.test", "wild.test", "one.test.evil"] {
            let alert = [21, 3, 3, 0, 2, 2, 112];
            assert_eq!(answer(&node, &hello(name)).await, alert, "{name}");
        }
        assert_eq!(rejected(&node, TcpEvent::UnknownName), 3);
        assert_eq!(
            answer(&node, &[22, 3, 1, 0, 0]).await,
            [21, 3, 3, 0, 2, 2, 50]
        );
        assert_eq!(rejected(&node, TcpEvent::MalformedHello), 1);
        assert_eq!(answer(&node, b"GET / HTTP/1.1\r\n\r\n").await, b"");
        assert_eq!(rejected(&node, TcpEvent::NoApp), 1);
        // Half a hello, and no more.
        let mut client = connect(&node).await;
        client.write_all(&hello("one.test")[..20]).await.unwrap();
        assert_eq!(rest(&mut client).await.0, b"");
        assert_eq!(rejected(&node, TcpEvent::HelloTimeout), 1);
        assert_eq!(one.connections.get() + below.connections.get(), 0);
        node.stop().await;
    });
}

#[test]
fn an_app_without_a_name_takes_the_rest() {
    run(async {
        let (one, below) = (greets("1").await, greets("2").await);
        let others = greets("3").await;
        let node = by_name(&one, &below, Some(&others));
        let unknown = hello("two.test");
        assert_eq!(answer(&node, &unknown).await, [b"3", &unknown[..]].concat());
        assert_eq!(answer(&node, b"no TLS").await, b"3no TLS");
        // Who waits to be spoken to first gets there when no hello came in time.
        let mut silent = connect(&node).await;
        expect(&mut silent, b"3").await;
        // Malformed TLS is nobody's.
        assert_eq!(
            answer(&node, &[22, 3, 1, 0, 0]).await,
            [21, 3, 3, 0, 2, 2, 50]
        );
        node.stop().await;
    });
}

#[test]
fn an_app_of_a_tcp_listener_is_not_served_over_http() {
    run(async {
        let backend = greets("1").await;
        let node = Node::start(tcp_app(&[("c1", &[backend.address])]));
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (404, "NR"));
        assert_eq!(backend.connections.get(), 0);
        node.stop().await;
    });
}
