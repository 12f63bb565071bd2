//! HTTP/1.1 over TLS.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{App, ClientAuth, DnsName, Hsts, Secure};
use windrose_proxy::Settings;
use windrose_telemetry::{HandshakeFailure, HttpEvent, handshake_cell};

use crate::support::backend::Backend;
use crate::support::secure::{OPTIONAL, Pki, REQUIRED, client, connect};
use crate::support::{HOST, Node, app, eventually, run};

fn secured(backend: &Backend, tls: Secure) -> App {
    let mut app = app(&[("c1", &[backend.address])]);
    app.hosts.push(DnsName::parse("*.app.test").unwrap());
    app.tls = tls;
    app
}

fn asking(policy: u64) -> Secure {
    Secure {
        client_auth: Some(ClientAuth {
            policy,
            required: policy == REQUIRED,
        }),
        ..Secure::default()
    }
}

fn failures(node: &Node, why: HandshakeFailure) -> u64 {
    node.metrics.tls_failures.sum(0, why as u32)
}

#[test]
fn requests_over_tls_share_a_connection_and_the_backend_hears_of_https() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut client = client(node.https, HOST, &pki.client(false, &[])).await;
        for _ in 0..3 {
            let response = client.get("/x").await;
            assert_eq!(response.status, 200);
            assert!(response.text().contains("x-forwarded-proto: https\r\n"));
            let port = format!("x-forwarded-port: {}\r\n", node.https.port());
            assert!(response.text().contains(&port));
        }
        client
            .send(format!(
                "GET https://{HOST}/abs HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
            ))
            .await;
        assert!(client.response().await.text().starts_with("GET /abs "));
        client
            .send(format!(
                "GET http://{HOST}/abs HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
            ))
            .await;
        assert_eq!(client.response().await.status, 400);
        assert_eq!(
            node.metrics
                .tls_handshakes
                .sum(0, handshake_cell(true, false)),
            1
        );
        assert_eq!(node.counted(HttpEvent::ClientConnection), 1);
    });
}

#[test]
fn a_large_body_arrives_whole_and_the_end_is_said() {
    run(async {
        let body: &'static [u8] = Box::leak(
            [
                b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n",
                vec![7; 3_000_000].as_slice(),
            ]
            .concat()
            .into_boxed_slice(),
        );
        let backend = Backend::says(body).await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut stream = connect(node.https, HOST, &pki.client(false, &[]))
            .await
            .unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        // Without close_notify this is an error.
        stream.read_to_end(&mut read).await.unwrap();
        assert!(read.ends_with(&[7; 1_000]) && read.len() > 3_000_000);
    });
}

#[test]
fn a_request_for_a_host_that_the_certificate_does_not_cover_is_misdirected() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let store = pki.store(&[HOST, "a.app.test"]);
        let node = Node::over_tls(app, Settings::default(), store);
        let mut client = client(node.https, HOST, &pki.client(false, &[])).await;
        for (host, status) in [
            ("a.app.test", 200),
            ("A.App.Test.", 200),
            ("b.app.test", 421),
            ("app.test:8443", 200),
            ("other.test", 404),
        ] {
            client
                .send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
                .await;
            assert_eq!(client.response().await.status, status, "{host}");
        }
        assert_eq!(node.counted(HttpEvent::Misdirected), 1);
    });
}

#[test]
fn a_client_certificate_is_told_to_the_backend_and_cannot_be_forged() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        for policy in [REQUIRED, OPTIONAL] {
            let app = secured(&backend, asking(policy));
            let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
            let forged = format!(
                "GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Client-Cert: Hash=00\r\nConnection: X-Forwarded-Client-Cert\r\n\r\n"
            );
            let mut known = client(node.https, HOST, &pki.client(true, &[])).await;
            known.send(&forged).await;
            let response = known.response().await;
            let lines: Vec<_> = response
                .text()
                .lines()
                .filter(|l| l.starts_with("x-forwarded-client-cert"))
                .collect();
            assert_eq!(lines.len(), 1);
            assert!(
                lines[0].starts_with("x-forwarded-client-cert: Hash="),
                "{lines:?}"
            );
            assert!(
                lines[0].ends_with(";Subject=\"CN=x\";DNS=client.test"),
                "{lines:?}"
            );
            let mut anonymous = match connect(node.https, HOST, &pki.client(false, &[])).await {
                Ok(stream) => crate::support::client::Client::over(stream),
                Err(_) => continue,
            };
            anonymous.stream.write_all(forged.as_bytes()).await.unwrap();
            let answer = anonymous.try_response(true).await;
            if policy == REQUIRED {
                answer.unwrap_err();
                let missing = HandshakeFailure::ClientCertificateMissing;
                assert_eq!(failures(&node, missing), 1);
            } else {
                assert!(!answer.unwrap().text().contains("x-forwarded-client-cert"));
            }
            let mut clear = node.client().await;
            clear.send(&forged).await;
            let answer = clear.response().await;
            assert_eq!(answer.status, if policy == REQUIRED { 403 } else { 200 });
            assert!(!answer.text().contains("x-forwarded-client-cert"));
        }
    });
}

#[test]
fn a_connection_made_before_a_host_asked_for_certificates_is_not_for_it_any_more() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let mut node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut client = client(node.https, HOST, &pki.client(false, &[])).await;
        assert_eq!(client.get("/").await.status, 200);
        node.publish(secured(&backend, asking(REQUIRED)), 2, |_| {});
        assert_eq!(client.get("/").await.status, 421);
    });
}

#[test]
fn plain_http_is_sent_to_https_with_its_method_and_target() {
    run(async {
        let backend = Backend::answers("a").await;
        let mut tls = Secure {
            redirect_http: Some(443),
            hsts: Some(Hsts {
                max_age: Duration::from_secs(86_400),
                include_subdomains: true,
            }),
            ..Secure::default()
        };
        let settings = Settings {
            forwarded_trust: vec!["127.0.0.1/32".parse().unwrap()],
            ..Settings::default()
        };
        let pki = Pki::new();
        let mut node = Node::over_tls(secured(&backend, tls), settings, pki.store(&[HOST]));
        let mut clear = node.client().await;
        clear
            .send("GET /a?b=c HTTP/1.1\r\nHost: app.test:8080\r\n\r\n")
            .await;
        let response = clear.response().await;
        assert_eq!(response.status, 308);
        assert_eq!(response.field("location"), "https://app.test/a?b=c");
        assert_eq!(response.field("strict-transport-security"), "");
        assert_eq!(response.flags(), "");
        // A trusted peer in front spoke HTTPS.
        let by_https = "X-Forwarded-Proto: https\r\n";
        clear
            .send(format!(
                "GET / HTTP/1.1\r\nHost: app.test\r\n{by_https}\r\n"
            ))
            .await;
        assert_eq!(clear.response().await.status, 200);
        let mut secure = client(node.https, HOST, &pki.client(false, &[])).await;
        let response = secure.get("/").await;
        let field = response.field("strict-transport-security");
        assert_eq!(field, "max-age=86400; includeSubDomains");
        tls.redirect_http = Some(8443);
        node.publish(secured(&backend, tls), 2, |_| {});
        let response = clear.get("/").await;
        assert_eq!(response.field("location"), "https://app.test:8443/");
    });
}

#[test]
fn a_handshake_has_a_deadline_and_counts_as_a_connection() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let settings = Settings {
            handshake_timeout: Duration::from_millis(60),
            max_connections: 2,
            ..Settings::default()
        };
        let node = Node::over_tls(app, settings, pki.store(&[HOST]));
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(node.https).await.unwrap();
            // The beginning of a ClientHello that never comes.
            stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
            slow.push(stream);
        }
        // It waits for its turn, and has it when the slow ones are out of time.
        let mut honest = client(node.https, HOST, &pki.client(false, &[])).await;
        assert_eq!(honest.get("/").await.status, 200);
        assert_eq!(failures(&node, HandshakeFailure::Timeout), 2);
        let mut rest = Vec::new();
        assert_eq!(slow[0].read_to_end(&mut rest).await.unwrap_or(0), 0);
    });
}

#[test]
fn who_does_not_speak_tls_is_told_so_and_counted() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut stream = TcpStream::connect(node.https).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
        eventually("counted", || {
            failures(&node, HandshakeFailure::Garbage) == 1
        })
        .await;
        connect(node.https, "other.test", &pki.client(false, &[]))
            .await
            .unwrap_err();
        assert_eq!(failures(&node, HandshakeFailure::NoCertificate), 1);
    });
}

#[test]
fn no_handshake_is_lost_while_certificates_change() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let store = pki.store(&[HOST]);
        let node = Node::over_tls(app, Settings::default(), store.clone());
        let config = pki.client(false, &[]);
        let mut long = client(node.https, HOST, &config).await;
        for n in 0..30 {
            pki.serve(&store, &[HOST]);
            let mut client = client(node.https, HOST, &config).await;
            assert_eq!(client.get("/").await.status, 200, "{n}");
            assert_eq!(long.get("/").await.status, 200, "{n}");
        }
        let failed: u64 = HandshakeFailure::ALL
            .iter()
            .map(|why| failures(&node, *why))
            .sum();
        assert_eq!(failed, 0);
    });
}

#[test]
fn a_stop_finishes_the_exchange_and_says_goodbye() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let app = secured(&backend, Secure::default());
        let mut node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut idle = client(node.https, HOST, &pki.client(false, &[])).await;
        assert_eq!(idle.get("/").await.status, 200);
        node.begin_stop();
        let (rest, ended) = idle.end().await;
        assert!(rest.is_empty());
        ended.unwrap();
        node.stop().await;
    });
}
