//! How connections to an app's endpoints begin.

use windrose_model::{ProxyProtocol, Upstream};

use crate::tree::Node;

pub(super) fn read(node: &Node) -> Upstream {
    Upstream {
        proxy_protocol: match node.get("proxy_protocol").and_then(Node::text) {
            Some("v1") => Some(ProxyProtocol::V1),
            Some("v2") => Some(ProxyProtocol::V2),
            _ => None,
        },
    }
}
