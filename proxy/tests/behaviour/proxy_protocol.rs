//! The PROXY protocol: from trusted peers a header is required, and says who the client is; from
//! others it is never read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{App, Tcp};
use windrose_proxy::{ProxyTrust, Settings};
use windrose_telemetry::{HttpEvent, ProxyHeader, TcpEvent};

use crate::support::backend::Backend;
use crate::support::client::Client;
use crate::support::secure::Pki;
use crate::support::{HOST, Node, app, eventually, name, run, table};

const V1: &[u8] = b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A header of version 2 with the addresses of [`V1`] and a TLV.
fn v2() -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10";
    let addresses = [198, 51, 100, 7, 203, 0, 113, 1, 0x9c, 0x40, 0x01, 0xbb];
    [&head[..], &addresses, &[0xee, 0, 1, 0]].concat()
}

fn trusting(nets: &[&str]) -> Settings {
    let nets: Vec<_> = nets.iter().map(|net| net.parse().unwrap()).collect();
    Settings {
        proxy_trust: ProxyTrust {
            http: nets.clone(),
            https: nets.clone(),
            tcp: BTreeMap::from([(name("in"), nets)]),
        },
        ..Settings::default()
    }
}

async fn node(backend: &Backend) -> Node {
    let app = app(&[("c1", &[backend.address])]);
    Node::with(app, trusting(&["127.0.0.0/8"]))
}

fn counted(node: &Node, header: ProxyHeader) -> u64 {
    node.metrics.proxy_headers.sum(0, header as u32)
}

fn asked(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
}

#[test]
fn a_backend_hears_of_the_client_that_the_header_names() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = node(&backend).await;
        for header in [V1.to_vec(), v2()] {
            let mut client = node.client().await;
            // Header and request in one segment, then another request on the same connection.
            client.send([&header[..], &asked("/1")].concat()).await;
            let first = client.response().await;
            let second = client.get("/2").await;
            for response in [first, second] {
                assert_eq!(response.status, 200);
                let text = response.text();
                assert!(text.contains("x-forwarded-for: 198.51.100.7\r\n"), "{text}");
                assert!(text.contains("x-forwarded-port: 443\r\n"), "{text}");
            }
        }
        assert_eq!(counted(&node, ProxyHeader::Version1), 1);
        assert_eq!(counted(&node, ProxyHeader::Version2), 1);
    });
}

#[test]
fn a_header_may_come_octet_by_octet() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = node(&backend).await;
        for header in [V1.to_vec(), v2()] {
            let mut client = node.client().await;
            client.stream.set_nodelay(true).unwrap();
            for octet in header.iter().chain(&asked("/")) {
                client.send([*octet]).await;
                tokio::task::yield_now().await;
            }
            let response = client.response().await;
            assert!(
                response
                    .text()
                    .contains("x-forwarded-for: 198.51.100.7\r\n")
            );
        }
    });
}

#[test]
fn who_speaks_for_itself_is_its_own_client() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = node(&backend).await;
        for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
            let mut client = node.client().await;
            client.send([header, &asked("/")].concat()).await;
            let response = client.response().await;
            assert!(response.text().contains("x-forwarded-for: 127.0.0.1\r\n"));
        }
        assert_eq!(counted(&node, ProxyHeader::Local), 2);
    });
}

#[test]
fn without_a_whole_and_right_header_the_connection_is_closed() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = node(&backend).await;
        let mut wrong = v2();
        // A checksum that is none, in place of the TLV.
        wrong[15] = 19;
        wrong.truncate(28);
        wrong.extend_from_slice(&[3, 0, 4, 1, 2, 3, 4]);
        for (octets, counts) in [
            (asked("/"), ProxyHeader::Missing),
            (b"PROXY TCP4 nobody\r\n".to_vec(), ProxyHeader::Malformed),
            (wrong, ProxyHeader::Checksum),
        ] {
            let mut client = node.client().await;
            client.send(octets).await;
            let (said, _) = client.end().await;
            assert_eq!(said, b"");
            assert_eq!(counted(&node, counts), 1, "{}", counts.as_str());
        }
        let mut leaving = node.client().await;
        leaving.send(&V1[..9]).await;
        leaving.stream.shutdown().await.unwrap();
        leaving.end().await.1.unwrap();
        assert_eq!(counted(&node, ProxyHeader::Closed), 1);
        assert!(backend.seen.borrow().is_empty());
        assert_eq!(node.counted(HttpEvent::BadRequest), 0);
    });
}

#[test]
fn a_header_has_the_deadline_of_a_head() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            head_timeout: Duration::from_millis(50),
            ..trusting(&["127.0.0.1/32"])
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        for beginning in [&b""[..], &V1[..20]] {
            let mut client = node.client().await;
            client.send(beginning).await;
            client.end().await.1.unwrap();
        }
        assert_eq!(counted(&node, ProxyHeader::Timeout), 2);
    });
}

#[test]
fn from_a_stranger_no_header_is_read() {
    run(async {
        let backend = Backend::answers("a").await;
        let app = app(&[("c1", &[backend.address])]);
        let node = Node::with(app, trusting(&["192.0.2.0/24", "2001:db8::/32"]));
        let mut client = node.client().await;
        client.send([V1, &asked("/")].concat()).await;
        assert_eq!(client.response().await.status, 400);
        let plain = node.get("/").await;
        assert!(plain.text().contains("x-forwarded-for: 127.0.0.1\r\n"));
        for header in ProxyHeader::ALL {
            assert_eq!(counted(&node, header), 0);
        }
    });
}

#[test]
fn a_proxy_that_the_header_names_may_name_the_client_in_its_turn() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            forwarded_trust: vec!["198.51.100.0/24".parse().unwrap()],
            ..trusting(&["127.0.0.0/8"])
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        let request =
            format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n");
        client.send([V1, request.as_bytes()].concat()).await;
        let response = client.response().await;
        let both = "x-forwarded-for: 192.0.2.9, 198.51.100.7\r\n";
        assert!(response.text().contains(both), "{}", response.text());
    });
}

#[test]
fn over_tls_the_header_comes_first() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = app(&[("c1", &[backend.address])]);
        let node = Node::over_tls(app, trusting(&["127.0.0.0/8"]), pki.store(&[HOST]));
        let mut stream = TcpStream::connect(node.https).await.unwrap();
        stream.write_all(&v2()).await.unwrap();
        let host = rustls::pki_types::ServerName::try_from(HOST).unwrap();
        let connector = tokio_rustls::TlsConnector::from(pki.client(false, &[]));
        let mut client = Client::over(connector.connect(host, stream).await.unwrap());
        let response = client.get("/").await;
        assert!(
            response
                .text()
                .contains("x-forwarded-for: 198.51.100.7\r\n")
        );
        assert!(response.text().contains("x-forwarded-proto: https\r\n"));
        // A handshake without a header is none.
        let mut bare = TcpStream::connect(node.https).await.unwrap();
        bare.write_all(b"\x16\x03\x01\x02\0\x01\0").await.unwrap();
        let mut rest = Vec::new();
        let _ = bare.read_to_end(&mut rest).await;
        assert_eq!(
            (rest, counted(&node, ProxyHeader::Missing)),
            (Vec::new(), 1)
        );
    });
}

fn tcp_app(backend: &Backend, sni: bool) -> App {
    let mut app = app(&[("c1", &[backend.address])]);
    app.tcp = Some(Tcp {
        sni,
        ..Tcp::all_of(name("in"))
    });
    app
}

/// Sends back what comes.
async fn echoes() -> Backend {
    Backend::start(|stream, _| async move {
        let (mut read, mut write) = stream.into_split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

#[test]
fn a_tcp_connection_is_carried_without_its_header() {
    run(async {
        let backend = echoes().await;
        let table = table(tcp_app(&backend, false), 1, |_| {});
        let node = Node::tcp("127.0.0.1:0", table, trusting(&["127.0.0.0/8"]));
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(&[V1, b"octets"].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"octets");
        let mut bare = TcpStream::connect(node.address).await.unwrap();
        bare.write_all(b"octets").await.unwrap();
        let mut got = Vec::new();
        let _ = bare.read_to_end(&mut got).await;
        assert_eq!(got, b"");
        let rejected = || node.metrics.tcp_events.sum(0, TcpEvent::NoHeader as u32);
        eventually("it is counted", || rejected() == 1).await;
        assert_eq!(counted(&node, ProxyHeader::Missing), 1);
    });
}

#[test]
fn behind_a_header_the_name_in_the_hello_is_read() {
    run(async {
        let backend = echoes().await;
        let table = table(tcp_app(&backend, true), 1, |_| {});
        let node = Node::tcp("127.0.0.1:0", table, trusting(&["127.0.0.0/8"]));
        let hello = crate::tcp::hello(HOST);
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream
            .write_all(&[&v2(), &hello[..]].concat())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, hello);
    });
}
