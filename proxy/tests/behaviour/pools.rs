//! Connections to backends belong to no app, unless they are counted for one.

use windrose_model::{App, Breakers, DnsName, ProxyProtocol};
use windrose_telemetry::Counted;

use crate::support::backend::{Backend, Peer};
use crate::support::{Node, app, run, table_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Two apps, `one.test` and `two.test`, in front of one backend.
fn two(backend: &Backend, change: impl Fn(&mut App)) -> Node {
    let of = |host: &str| {
        let mut app = app(&[("c1", &[backend.address])]);
        app.hosts = vec![DnsName::parse(host).unwrap()];
        change(&mut app);
        app
    };
    let apps = vec![("app", of("one.test")), ("other", of("two.test"))];
    Node::over(table_of(apps, 1, |_| {}))
}

/// One request to each app in turn, three times, over one connection.
async fn ask(node: &Node) {
    let mut client = node.client().await;
    for _ in 0..3 {
        for host in ["one.test", "two.test"] {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
            client.send(request).await;
            assert_eq!(client.response().await.status, 200);
        }
    }
}

#[test]
fn apps_in_front_of_one_backend_share_its_connections() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = two(&backend, |_| {});
        ask(&node).await;
        assert_eq!(backend.connections.get(), 1);
        node.stop().await;
    });
}

#[test]
fn connections_that_a_breaker_counts_are_those_of_its_cluster() {
    run(async {
        let limited = |connections| {
            move |app: &mut App| {
                app.breakers = Some(Breakers {
                    connections,
                    ..Breakers::default()
                });
            }
        };
        let backend = Backend::answers("a").await;
        let node = two(&backend, limited(1));
        ask(&node).await;
        assert_eq!(backend.connections.get(), 2);
        let in_use = &node.shared.live().breakers.in_use;
        for slot in [0, 1] {
            let counted = in_use.get(slot).unwrap().now(Counted::Connections);
            assert_eq!(counted, 1, "one each, idle ones included");
        }
        node.stop().await;
        // Without a limit there is nothing to tell apart.
        let backend = Backend::answers("a").await;
        let node = two(&backend, limited(0));
        ask(&node).await;
        assert_eq!(backend.connections.get(), 1);
        node.stop().await;
    });
}

#[test]
fn what_was_announced_as_a_clients_serves_that_client_for_all_apps() {
    run(async {
        let backend = Backend::start(|mut stream, _| async move {
            // Signature and length, addresses, checksum.
            let mut announced = [0; 16 + 12 + 7];
            stream.read_exact(&mut announced).await.unwrap();
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                peer.stream.write_all(ok).await.unwrap();
            }
        })
        .await;
        let node = two(&backend, |app| {
            app.upstream.proxy_protocol = Some(ProxyProtocol::V2);
        });
        ask(&node).await;
        assert_eq!(backend.connections.get(), 1);
        ask(&node).await;
        assert_eq!(backend.connections.get(), 2, "another client");
        node.stop().await;
    });
}
