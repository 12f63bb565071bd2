//! The Autobahn cases of WebSocket, by a client and against a server of others, with a node in between
//! and without: the verdicts are the same.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Files, Node};

/// Says that a package is not there.
const ABSENT: i32 = 77;

fn config(backend: SocketAddr) -> String {
    format!(
        r#"schema: 1
listeners: {{dns: ["127.0.0.1:0"], http: ["127.0.0.1:0"], admin: "127.0.0.1:0"}}
data: {{geo: none}}
regions: {{r: {{lat: 50, lon: 8}}}}
clusters: {{a: {{region: r, addresses: [192.0.2.1]}}}}
apps:
  chat:
    hosts: [localhost]
    health: {{tcp: {{}}}}
    versions: {{v1: {{endpoints: {{a: ["{backend}"]}}}}}}
"#
    )
}

#[test]
fn a_websocket_behaves_through_a_node_as_it_does_without() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let child = Command::new("python3")
        .arg(root.join("tests/data/websocket_cases.py"))
        .env("PYTHONPATH", root.join("target/tools/python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("python3 is not installed; this is skipped");
        return;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let Some(Ok(port)) = lines.next() else {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(ABSENT), "{stderr}");
        eprintln!("kosoku and websockets are not installed; this is skipped");
        return;
    };
    let backend = format!("127.0.0.1:{port}").parse().unwrap();
    let files = Files::new(backend, backend);
    files.write(&config(backend));
    let node = Node::start(&files.config);
    let told = format!("{}\n", node.http);
    let mut asks = child.stdin.take().unwrap();
    asks.write_all(told.as_bytes()).unwrap();
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{}", node.log());
    let [line] = &rest[..] else {
        panic!("{rest:?}")
    };
    // One is this server's own fault, with a node and without.
    assert_eq!(line, "247 cases, 246 good, same");
}
