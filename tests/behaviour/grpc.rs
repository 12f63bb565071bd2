//! Calls of gRPC by a client and a server of others (grpcio), with a node in between: unary and streams,
//! metadata, trailers, deadlines, cancellation, big messages.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Files, Node};

/// Says that grpcio is not there.
const ABSENT: i32 = 77;

fn config(backend: SocketAddr) -> String {
    format!(
        r#"schema: 1
listeners: {{dns: ["127.0.0.1:0"], http: ["127.0.0.1:0"], admin: "127.0.0.1:0"}}
regions: {{r: {{lat: 50, lon: 8}}}}
clusters: {{a: {{region: r, addresses: [192.0.2.1]}}}}
apps:
  test:
    hosts: [grpc.example.com]
    upstream: {{protocol: http2}}
    health: {{tcp: {{}}, interval: 100ms, timeout: 80ms}}
    timeouts: {{request: 10s}}
    versions: {{v1: {{endpoints: {{a: ["{backend}"]}}}}}}
zones:
  example.com:
    soa: {{mname: ns1.example.net., rname: hostmaster@example.com}}
    records: [{{name: "@", type: NS, values: [ns1.example.net.]}}]
"#
    )
}

#[test]
fn calls_of_every_kind_pass_between_a_client_and_a_server_of_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let child = Command::new("python3")
        .arg(root.join("tests/data/grpc_calls.py"))
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
        eprintln!("grpcio is not installed; this is skipped");
        return;
    };
    let backend = format!("127.0.0.1:{port}").parse().unwrap();
    let files = Files::new(backend, backend);
    files.write(&config(backend));
    let node = Node::start(&files.config);
    let told = format!("{}\n", node.http);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(told.as_bytes())
        .unwrap();
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{}", node.log());
    assert_eq!(rest, ["done"]);
    let (_, metrics) = node.get("/metrics");
    for status in ["OK", "FAILED_PRECONDITION", "UNIMPLEMENTED"] {
        let series = format!("version=\"v1\",cluster=\"a\",grpc_status=\"{status}\"}}");
        assert!(metrics.contains(&series), "{status} in {metrics}");
    }
    assert!(metrics.contains("windrose_http_connections_total{side=\"upstream\"}"));
}
