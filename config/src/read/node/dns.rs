//! `node.dns`.

use super::super::{number, value};
use crate::node::{DnsManners, DnsTcpLimits};
use crate::scalar;
use crate::tree::Node;

pub(super) fn read(node: &Node) -> DnsManners {
    let defaults = DnsManners::default();
    DnsManners {
        udp_size: number(node, "udp_size", defaults.udp_size),
        tcp: node
            .get("tcp")
            .map_or_else(DnsTcpLimits::default, tcp_limits),
    }
}

fn tcp_limits(node: &Node) -> DnsTcpLimits {
    let defaults = DnsTcpLimits::default();
    DnsTcpLimits {
        connections: number(node, "connections", defaults.connections),
        idle_timeout: value(node, "idle_timeout", scalar::duration)
            .unwrap_or(defaults.idle_timeout),
    }
}
