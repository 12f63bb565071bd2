//! Calls of gRPC by a client and a server of others (grpcio), with a node in between: unary and streams,
//! metadata, trailers, deadlines, cancellation, big messages.

use std::net::SocketAddr;

use crate::support::foreign::talk;

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
    let Some((said, node)) = talk("grpc_calls.py", config) else {
        return;
    };
    assert_eq!(said, ["done"]);
    let (_, metrics) = node.get("/metrics");
    for status in ["OK", "FAILED_PRECONDITION", "UNIMPLEMENTED"] {
        let series = format!("version=\"v1\",cluster=\"a\",grpc_status=\"{status}\"}}");
        assert!(metrics.contains(&series), "{status} in {metrics}");
    }
    assert!(metrics.contains("windrose_http_connections_total{side=\"upstream\"}"));
}
