//! Connections on which nothing happens: their engine is given up, and nobody can tell.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use windrose_proxy::Settings;
use windrose_telemetry::HttpEvent;

use crate::support::backend::Backend;
use crate::support::client::Client;
use crate::support::http2::{Http2, get};
use crate::support::secure::{self, Pki};
use crate::support::{HOST, Node, app, run};

/// The timer of a connection looks at least so often.
const LOOKS: Duration = Duration::from_millis(40);

fn node(backend: &Backend, pki: &Pki) -> Node {
    let settings = Settings {
        head_timeout: LOOKS,
        ..Settings::default()
    };
    let app = app(&[("c1", &[backend.address])]);
    Node::over_tls(app, settings, pki.store(&[HOST]))
}

/// Until every connection without a request rests: another one's head has had its time, twice.
async fn rest(node: &Node) {
    for _ in 0..2 {
        let mut other = node.client().await;
        other.send("GET / HTTP/1.1\r\n").await;
        let _ = other.end().await;
    }
}

async fn serves<S: AsyncRead + AsyncWrite + Unpin>(node: &Node, client: &mut Client<S>) {
    for n in 0..3 {
        // Two in one write: the second is not lost with the engine of the first.
        let get = format!("GET /{n} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        client.send(get.repeat(2)).await;
        for _ in 0..2 {
            let response = client.response().await;
            assert_eq!(response.status, 200);
            assert!(response.text().starts_with(&format!("GET /{n} ")));
        }
        rest(node).await;
    }
}

#[test]
fn a_connection_that_rested_is_served_like_any_other() {
    run(async {
        let (backend, pki) = (Backend::answers("a").await, Pki::new());
        let node = node(&backend, &pki);
        let mut clear = node.client().await;
        rest(&node).await;
        serves(&node, &mut clear).await;
        let config = pki.client(false, &[]);
        let mut secure = secure::client(node.https, HOST, &config).await;
        rest(&node).await;
        serves(&node, &mut secure).await;
        assert_eq!(node.counted(HttpEvent::BrokenResponse), 0);
        node.stop().await;
    });
}

#[test]
fn a_connection_that_rested_may_become_http_2_or_a_head_that_is_too_slow() {
    run(async {
        let (backend, pki) = (Backend::answers("a").await, Pki::new());
        let node = node(&backend, &pki);
        let mut slow = node.client().await;
        let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        rest(&node).await;
        let mut http2 = Http2::over(stream, &h2::client::Builder::new()).await;
        assert_eq!(http2.fetch(get("/")).await.status, 200);
        let before = node.counted(HttpEvent::HeadTimeout);
        slow.send("GET / HTTP/1.1\r\n").await;
        let _ = slow.end().await;
        assert!(node.counted(HttpEvent::HeadTimeout) > before);
        node.stop().await;
    });
}

#[test]
fn a_stop_closes_connections_that_rest() {
    run(async {
        let (backend, pki) = (Backend::answers("a").await, Pki::new());
        let mut node = node(&backend, &pki);
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.status, 200);
        rest(&node).await;
        node.begin_stop();
        let (octets, end) = client.end().await;
        assert!(octets.is_empty() && end.is_ok());
        node.stop().await;
    });
}
