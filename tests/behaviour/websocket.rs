//! The Autobahn cases of WebSocket, by a client and against a server of others, with a node in between
//! and without: the verdicts are the same.

use std::net::SocketAddr;

use crate::support::foreign::talk;

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
    let Some((said, _node)) = talk("websocket_cases.py", config) else {
        return;
    };
    // One is this server's own fault, with a node and without.
    assert_eq!(said, ["247 cases, 246 good, same"]);
}
