//! The access log: what it says of requests that went well and of those that did not.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{
    Action, DnsName, Filters, Match, PathMatch, RateKey, RateLimit, Respond, Route, Tcp,
};
use windrose_proxy::{AccessLog, AccessSettings, Settings};
use windrose_telemetry::{LogTarget, Metrics, Writing};

use crate::support::backend::Backend;
use crate::support::{Node, app, name, run, table};
use crate::tcp::hello;

const PATIENCE: Duration = Duration::from_secs(20);

fn wanted(path: &Path) -> AccessSettings {
    AccessSettings {
        node: "edge1".to_owned(),
        sample: 1.0,
        errors: true,
        query: true,
        per_second: 1_000_000,
        to: LogTarget::File {
            path: path.to_owned(),
            max_bytes: 1 << 20,
            keep: 1,
        },
    }
}

fn logging(wanted: AccessSettings) -> (Settings, Writing) {
    let (log, writing) = AccessLog::start(wanted, Metrics::new()).unwrap();
    let settings = Settings {
        access: Some(log),
        forwarded_trust: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    };
    (settings, writing)
}

/// What was written, once the writer has ended.
fn lines(folder: &TempDir, writing: &Writing) -> Vec<Value> {
    assert!(writing.wait(PATIENCE), "the writer ends with the node");
    let text = std::fs::read_to_string(folder.path().join("access.json")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_record_says_who_asked_what_and_who_answered() {
    let folder = TempDir::new().unwrap();
    let (settings, writing) = logging(wanted(&folder.path().join("access.json")));
    let (mut sent, mut endpoint) = (0, String::new());
    let told = (&mut sent, &mut endpoint);
    run(async {
        let backend = Backend::answers("b1").await;
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        client
            .send(
                "POST /order?item=1 HTTP/1.1\r\nhost: app.test\r\nuser-agent: curl/8\r\n\
                 x-forwarded-for: 192.0.2.7\r\nx-request-id: id-1\r\n\
                 traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
                 content-length: 3\r\n\r\nabc",
            )
            .await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        *told.0 = response.body.len();
        *told.1 = backend.address.to_string();
        node.stop().await;
    });
    let [line] = &lines(&folder, &writing)[..] else {
        panic!("one request, one line")
    };
    for (key, value) in [
        ("node", "edge1"),
        ("client", "192.0.2.7"),
        ("protocol", "HTTP/1.1"),
        ("method", "POST"),
        ("host", "app.test"),
        ("target", "/order?item=1"),
        ("flags", ""),
        ("app", "app"),
        ("version", "v1"),
        ("cluster", "c1"),
        ("endpoint", endpoint.as_str()),
        ("request_id", "id-1"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("user_agent", "curl/8"),
        ("stamp", "1.1.1"),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    assert_eq!(line["status"], 200);
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["received_bytes"], 3);
    assert_eq!(line["sent_bytes"], sent);
    let (first, whole) = (&line["first_byte_s"], &line["duration_s"]);
    assert!(first.as_f64().unwrap() <= whole.as_f64().unwrap());
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn what_cannot_be_read_as_a_request_has_a_record_without_one() {
    let folder = TempDir::new().unwrap();
    let (settings, writing) = logging(wanted(&folder.path().join("access.json")));
    run(async {
        let backend = Backend::answers("b1").await;
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        for octets in [
            "\x16\x03\x01\x02\r\n\r\n".to_owned(),
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
                "x".repeat(70_000)
            ),
            "POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\ng\r\n"
                .to_owned(),
        ] {
            let mut client = node.client().await;
            client.send(octets).await;
            let _ = client.end().await;
        }
        node.stop().await;
    });
    let lines = lines(&folder, &writing);
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["status"].as_u64(), line["flags"].as_str()))
        .collect();
    let dpe = Some("DPE");
    assert_eq!(told, [(Some(400), dpe), (Some(431), dpe), (Some(400), dpe)]);
    assert_eq!(lines[0]["client"], "127.0.0.1");
    assert!(lines[0].get("method").is_none() && lines[2]["method"] == "POST");
}

#[test]
fn what_went_wrong_is_written_whatever_the_share() {
    let folder = TempDir::new().unwrap();
    let (settings, writing) = logging(AccessSettings {
        sample: 0.0,
        query: false,
        ..wanted(&folder.path().join("access.json"))
    });
    run(async {
        let backend = Backend::answers("b1").await;
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        assert_eq!(node.get("/fine").await.status, 200);
        let mut client = node.client().await;
        client
            .send("GET /lost?secret=1 HTTP/1.1\r\nhost: other.test\r\n\r\n")
            .await;
        assert_eq!(client.response().await.status, 404);
        node.stop().await;
    });
    let [line] = &lines(&folder, &writing)[..] else {
        panic!("only the request that went wrong")
    };
    assert_eq!(line["status"], 404);
    assert_eq!(line["flags"], "NR");
    assert_eq!(line["target"], "/lost");
    assert_eq!(line["attempts"], 0);
    assert_eq!(line["sent_bytes"], "no app has this host\n".len());
    assert!(line.get("app").is_none());
}

#[test]
fn a_request_that_moved_on_tells_how_often_and_where_it_ended() {
    let folder = TempDir::new().unwrap();
    let (settings, writing) = logging(wanted(&folder.path().join("access.json")));
    run(async {
        let dead = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let backend = Backend::answers("b1").await;
        let app = app(&[("c1", &[dead]), ("c2", &[backend.address])]);
        let node = Node::with(app, settings);
        assert_eq!(node.get("/").await.status, 200);
        node.stop().await;
    });
    let [line] = &lines(&folder, &writing)[..] else {
        panic!("one request, one line")
    };
    assert_eq!(line["attempts"], 2);
    assert_eq!(line["cluster"], "c2");
    assert_eq!(line["flags"], "CF");
}

#[test]
fn a_disk_without_room_costs_records_and_no_request() {
    let (settings, writing) = logging(wanted(Path::new("/dev/full")));
    run(async {
        let backend = Backend::answers("b1").await;
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        for _ in 0..5 {
            assert_eq!(node.get("/").await.status, 200);
        }
        node.stop().await;
    });
    assert!(writing.wait(PATIENCE));
}

/// A thread with a TCP listener whose app `app` takes TLS for `one.test`, and its log.
fn stream_node(
    folder: &TempDir,
    endpoint: SocketAddr,
    sample: f64,
    change: impl FnOnce(&mut Settings),
) -> (Node, Writing) {
    let (mut settings, writing) = logging(AccessSettings {
        sample,
        ..wanted(&folder.path().join("access.json"))
    });
    settings.head_timeout = Duration::from_millis(100);
    change(&mut settings);
    let mut app = app(&[("c1", &[endpoint])]);
    app.hosts = vec![DnsName::parse("one.test").unwrap()];
    let mut tcp = Tcp::all_of(name("in"));
    tcp.sni = true;
    app.tcp = Some(tcp);
    let node = Node::tcp("127.0.0.1:0", table(app, 1, |_| {}), settings);
    (node, writing)
}

/// Sends octets, closes, and reads to the end.
async fn converse(node: &Node, octets: &[u8]) -> Vec<u8> {
    let mut client = TcpStream::connect(node.address).await.unwrap();
    client.write_all(octets).await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    let _ = client.read_to_end(&mut got).await;
    got
}

#[test]
fn a_tcp_connection_has_one_record_when_it_ends() {
    let folder = TempDir::new().unwrap();
    let hello = hello("one.test");
    let length = hello.len();
    let mut endpoint = String::new();
    let mut ended = None;
    let told = (&mut endpoint, &mut ended);
    run(async {
        let backend = Backend::start(|mut stream, _| async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        })
        .await;
        let (node, writing) = stream_node(&folder, backend.address, 1.0, |settings| {
            settings.proxy_trust.tcp = [(name("in"), vec!["127.0.0.0/8".parse().unwrap()])].into();
        });
        let header = b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n";
        let got = converse(&node, &[&header[..], &hello].concat()).await;
        assert_eq!(got, hello);
        *told.0 = backend.address.to_string();
        *told.1 = Some(writing);
        node.stop().await;
    });
    let [line] = &lines(&folder, &ended.unwrap())[..] else {
        panic!("one connection, one line")
    };
    for (key, value) in [
        ("client", "198.51.100.7"),
        ("protocol", "TLS"),
        ("listener", "in"),
        ("sni", "one.test"),
        ("flags", ""),
        ("ended", "closed"),
        ("app", "app"),
        ("version", "v1"),
        ("cluster", "c1"),
        ("endpoint", endpoint.as_str()),
        ("stamp", "1.1.1"),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["received_bytes"], length);
    assert_eq!(line["sent_bytes"], length);
    assert!(line["duration_s"].as_f64().unwrap() > 0.0);
    assert!(line.get("status").is_none() && line.get("method").is_none());
}

#[test]
fn tcp_connections_that_went_wrong_are_written_whatever_the_share() {
    let folder = TempDir::new().unwrap();
    let mut ended = None;
    let told = &mut ended;
    run(async {
        let refusing = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let (node, writing) = stream_node(&folder, refusing, 0.0, |_| {});
        converse(&node, &hello("one.test")).await;
        converse(&node, &hello("two.test")).await;
        converse(&node, b"no TLS").await;
        converse(&node, &[22, 3, 1, 0, 0]).await;
        converse(&node, b"").await;
        *told = Some(writing);
        node.stop().await;
    });
    let lines = lines(&folder, &ended.unwrap());
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            [text("flags"), text("ended"), text("sni"), text("cluster")]
        })
        .collect();
    let expected = [
        ["UF", "unreachable", "one.test", "c1"],
        ["NR", "unknown_name", "two.test", "-"],
        ["NR", "no_app", "-", "-"],
        ["DPE", "malformed_hello", "-", "-"],
        ["DC", "client_gone", "-", "-"],
    ];
    assert_eq!(told, expected.map(|row| row.map(str::to_owned)));
}

#[test]
fn a_connection_that_was_fine_is_written_by_its_share_alone() {
    let folder = TempDir::new().unwrap();
    let mut ended = None;
    let told = &mut ended;
    run(async {
        let backend = Backend::start(|mut stream, _| async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        })
        .await;
        let (node, writing) = stream_node(&folder, backend.address, 0.0, |_| {});
        converse(&node, &hello("one.test")).await;
        *told = Some(writing);
        node.stop().await;
    });
    assert!(lines(&folder, &ended.unwrap()).is_empty());
}

#[test]
fn a_stop_ends_connections_and_says_so_in_their_records() {
    let folder = TempDir::new().unwrap();
    let mut ended = None;
    let told = &mut ended;
    run(async {
        let backend = Backend::start(|mut stream, _| async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        })
        .await;
        let (node, writing) = stream_node(&folder, backend.address, 0.0, |settings| {
            settings.grace = Duration::ZERO;
        });
        let mut client = TcpStream::connect(node.address).await.unwrap();
        let hello = hello("one.test");
        client.write_all(&hello).await.unwrap();
        let mut got = vec![0; hello.len()];
        client.read_exact(&mut got).await.unwrap();
        *told = Some(writing);
        node.stop().await;
    });
    let lines = lines(&folder, &ended.unwrap());
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["flags"], &lines[0]["ended"]),
        (&"LR".into(), &"stopped".into())
    );
}

#[test]
fn responses_without_a_backend_have_a_request_id_and_so_has_their_record() {
    let folder = TempDir::new().unwrap();
    let (settings, writing) = logging(wanted(&folder.path().join("access.json")));
    let mut ids = Vec::new();
    let told = &mut ids;
    run(async {
        let backend = Backend::answers("b1").await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.routes = vec![Route {
            matches: vec![Match {
                path: Some(PathMatch::Exact("/here".into())),
                ..Match::default()
            }],
            filters: Some(Box::new(Filters {
                action: Action::Respond(Respond {
                    status: http::StatusCode::OK,
                    headers: Vec::new(),
                    body: "here\n".into(),
                }),
                ..Filters::default()
            })),
            ..Route::default()
        }];
        app.rate_limits = [(
            name("all"),
            RateLimit {
                rate: 1,
                per: Duration::from_secs(3_600),
                burst: 1,
                by: RateKey::App,
                enforced: true,
            },
        )]
        .into();
        let node = Node::with(app, settings);
        let mut client = node.client().await;
        for (path, host, given, status) in [
            ("/here", "app.test", "", 200),
            ("/late", "app.test", "", 429),
            ("/", "other.test", "", 404),
            ("/", "other.test", "x-request-id: theirs\r\n", 404),
        ] {
            let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{given}\r\n");
            client.send(head).await;
            let response = client.response().await;
            assert_eq!(response.status, status, "{path} {host}");
            told.push(response.field("x-request-id").to_owned());
        }
        node.stop().await;
    });
    assert_eq!(ids[3], "theirs", "of a trusted peer");
    assert!(ids[..3].iter().all(|id| id.len() == 32), "{ids:?}");
    let lines = lines(&folder, &writing);
    let logged: Vec<_> = lines
        .iter()
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    assert_eq!(logged, ids);
}
