//! The PROXY protocol to backends: every connection says first whose it is, and serves nobody else.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{App, ProxyProtocol, Tcp, Upstream};
use windrose_proxy::proxy_protocol::{Addresses, HeaderReader};
use windrose_proxy::{ProxyTrust, Settings};

use crate::support::backend::{Backend, Peer, refusing};
use crate::support::client::Client;
use crate::support::secure::{self, Pki};
use crate::support::{HOST, Node, app, name, run, table};

const VERSIONS: [ProxyProtocol; 2] = [ProxyProtocol::V1, ProxyProtocol::V2];

/// What headers said, in their order.
type Heard = Rc<RefCell<Vec<(u8, Addresses)>>>;

/// Takes the header off a connection; `None` if there is none.
async fn hear(stream: &mut TcpStream, heard: &Heard) -> Option<Vec<u8>> {
    let mut reader = HeaderReader::default();
    let mut raw = Vec::new();
    loop {
        raw.push(stream.read_u8().await.ok()?);
        let (_, end) = reader.read(&raw[raw.len() - 1..]);
        if let Some(end) = end {
            let header = end.ok()?;
            heard.borrow_mut().push((header.version, header.addresses?));
            return Some(raw);
        }
    }
}

/// Takes a header, then answers each request with 200; the connection closes without a header.
async fn answers() -> (Backend, Heard) {
    let heard = Heard::default();
    let log = Rc::clone(&heard);
    let backend = Backend::start(move |mut stream, _| {
        let log = Rc::clone(&log);
        async move {
            if hear(&mut stream, &log).await.is_none() {
                return;
            }
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                let switches = request.head.contains("upgrade: websocket");
                let response: &[u8] = match switches {
                    true => b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                    false => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                };
                if peer.stream.write_all(response).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, heard)
}

fn announcing(mut app: App, version: ProxyProtocol) -> App {
    app.upstream = Upstream {
        proxy_protocol: Some(version),
        ..Upstream::default()
    };
    app
}

fn ends(heard: &Heard) -> Vec<(SocketAddr, SocketAddr)> {
    let heard = heard.borrow();
    let ends = heard
        .iter()
        .map(|(_, told)| (told.source, told.destination));
    ends.collect()
}

#[test]
fn a_connection_for_http_is_one_clients_and_lasts_for_its_requests() {
    run(async {
        for version in VERSIONS {
            let (backend, heard) = answers().await;
            let node = Node::start(announcing(app(&[("c1", &[backend.address])]), version));
            let (mut one, mut other) = (node.client().await, node.client().await);
            for _ in 0..3 {
                assert_eq!(one.get("/").await.status, 200);
                assert_eq!(other.get("/").await.status, 200);
            }
            assert_eq!(backend.connections.get(), 2, "one for each client");
            let expected: Vec<_> = [&one, &other]
                .map(|client| (client.stream.local_addr().unwrap(), node.address))
                .into();
            assert_eq!(ends(&heard), expected);
            let number = heard.borrow()[0].0;
            assert_eq!(number, if version == ProxyProtocol::V1 { 1 } else { 2 });
            node.stop().await;
        }
    });
}

#[test]
fn a_connection_ends_with_the_client_it_was_made_for() {
    run(async {
        let gone = Rc::new(RefCell::new(0));
        let count = Rc::clone(&gone);
        let backend = Backend::start(move |mut stream, _| {
            let count = Rc::clone(&count);
            async move {
                hear(&mut stream, &Heard::default()).await.unwrap();
                let mut peer = Peer::new(stream);
                while peer.request().await.is_some() {
                    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    peer.stream.write_all(ok).await.unwrap();
                }
                *count.borrow_mut() += 1;
            }
        })
        .await;
        let app = announcing(app(&[("c1", &[backend.address])]), ProxyProtocol::V2);
        let node = Node::start(app);
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.status, 200);
        assert_eq!(*gone.borrow(), 0);
        drop(client);
        crate::support::eventually("it has ended", || *gone.borrow() == 1).await;
        node.stop().await;
    });
}

#[test]
fn the_client_that_a_header_named_is_announced_in_its_turn_with_the_name_it_asked_for() {
    run(async {
        let (backend, heard) = answers().await;
        let nets = vec!["127.0.0.0/8".parse().unwrap()];
        let settings = Settings {
            proxy_trust: ProxyTrust {
                https: nets,
                ..ProxyTrust::default()
            },
            ..Settings::default()
        };
        let pki = Pki::new();
        let app = announcing(app(&[("c1", &[backend.address])]), ProxyProtocol::V2);
        let node = Node::over_tls(app, settings, pki.store(&[HOST]));
        let mut stream = TcpStream::connect(node.https).await.unwrap();
        let header = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n";
        stream.write_all(header).await.unwrap();
        let mut client = Client::over(secure::over(stream, HOST, &pki.client(false, &[])).await);
        assert_eq!(client.get("/").await.status, 200);
        let expected = (
            "[2001:db8::7]:40000".parse().unwrap(),
            "[2001:db8::1]:443".parse().unwrap(),
        );
        assert_eq!(ends(&heard), [expected]);
        node.stop().await;
    });
}

#[test]
fn every_endpoint_that_is_tried_hears_it_and_so_does_one_that_switches_protocols() {
    run(async {
        let (backend, heard) = answers().await;
        let app = app(&[("c1", &[refusing()]), ("c2", &[backend.address])]);
        let node = Node::start(announcing(app, ProxyProtocol::V1));
        assert_eq!(node.get("/").await.status, 200);
        let mut client = node.client().await;
        client
            .send(format!(
                "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ))
            .await;
        assert_eq!(client.head().await.status, 101);
        assert_eq!(heard.borrow().len(), 2);
        node.stop().await;
    });
}

#[test]
fn a_connection_of_the_pool_is_not_used_once_headers_are_wanted() {
    run(async {
        let heard = Heard::default();
        let log = Rc::clone(&heard);
        let backend = Backend::start(move |mut stream, number| {
            let log = Rc::clone(&log);
            async move {
                if number > 0 {
                    hear(&mut stream, &log).await.unwrap();
                }
                let mut peer = Peer::new(stream);
                while peer.request().await.is_some() {
                    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    peer.stream.write_all(ok).await.unwrap();
                }
            }
        })
        .await;
        let plain = || app(&[("c1", &[backend.address])]);
        let mut node = Node::start(plain());
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.status, 200);
        node.publish(announcing(plain(), ProxyProtocol::V2), 2, |_| {});
        assert_eq!(client.get("/").await.status, 200);
        assert_eq!((backend.connections.get(), heard.borrow().len()), (2, 1));
        node.stop().await;
    });
}

#[test]
fn a_tcp_connection_begins_with_its_header_and_the_name_of_its_hello() {
    run(async {
        for version in VERSIONS {
            let heard = Heard::default();
            let log = Rc::clone(&heard);
            // Sends back what comes, the header too.
            let backend = Backend::start(move |mut stream, _| {
                let log = Rc::clone(&log);
                async move {
                    let raw = hear(&mut stream, &log).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    write.write_all(&raw).await.unwrap();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                }
            })
            .await;
            let mut app = announcing(app(&[("c1", &[backend.address])]), version);
            app.tcp = Some(Tcp {
                sni: true,
                ..Tcp::all_of(name("in"))
            });
            let table = table(app, 1, |_| {});
            let node = Node::tcp("127.0.0.1:0", table, Settings::default());
            let mut stream = TcpStream::connect(node.address).await.unwrap();
            let here = stream.local_addr().unwrap();
            let hello = crate::tcp::hello(HOST);
            stream.write_all(&hello).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).await.unwrap();
            assert!(got.ends_with(&hello));
            let header = &got[..got.len() - hello.len()];
            let named = [&[2, 0, 8][..], HOST.as_bytes()].concat();
            let names = header.windows(named.len()).any(|w| w == named);
            assert_eq!(names, version == ProxyProtocol::V2);
            assert_eq!(ends(&heard), [(here, node.address)]);
            node.stop().await;
        }
    });
}
