//! The access log: what it says of requests that went well and of those that did not.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use windrose_proxy::{AccessLog, AccessSettings, Settings};
use windrose_telemetry::{LogTarget, Metrics, Writing};

use crate::support::backend::Backend;
use crate::support::{Node, app, run};

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
