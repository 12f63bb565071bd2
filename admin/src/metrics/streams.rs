//! Byte streams by group: tunnels after an upgrade, and TCP connections. A group appears with its
//! first stream.

use windrose_control::Snapshot;
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{Metrics, ProxyHeader, StreamEvent, StreamKind, TcpEvent, stream_cell};

use super::groups;

/// Names and help of the families of one kind.
struct Names {
    kind: StreamKind,
    opened: [&'static str; 2],
    open: [&'static str; 2],
    octets: [&'static str; 2],
    ended: [&'static str; 2],
}

const KINDS: [Names; 2] = [
    Names {
        kind: StreamKind::Tunnel,
        opened: [
            "windrose_http_tunnels_total",
            "HTTP connections that switched protocols (WebSocket and others), by the group they went to.",
        ],
        open: ["windrose_http_tunnels_open", "Of these, open now."],
        octets: [
            "windrose_http_tunnel_bytes_total",
            "Octets through tunnels: in from clients, out to clients.",
        ],
        ended: [
            "windrose_http_tunnels_ended_total",
            "Tunnels that ended, by how.",
        ],
    },
    Names {
        kind: StreamKind::Tcp,
        opened: [
            "windrose_tcp_connections_total",
            "Connections of TCP listeners that reached an endpoint, by its group.",
        ],
        open: ["windrose_tcp_connections_open", "Of these, open now."],
        octets: [
            "windrose_tcp_bytes_total",
            "Octets through TCP connections: in from clients, out to clients.",
        ],
        ended: [
            "windrose_tcp_connections_ended_total",
            "TCP connections that ended, by how.",
        ],
    },
];

pub(super) fn families(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics) {
    for names in &KINDS {
        family(page, snapshot, metrics, names);
    }
    let mut rejected = page.counter(
        "windrose_tcp_rejected_total",
        "Connections of TCP listeners that reached no endpoint, by reason.",
    );
    for (event, reason) in TcpEvent::ALL {
        let count = metrics.tcp_events.sum(0, event as u32);
        rejected.count(&[("reason", reason)], count);
    }
    let mut headers = page.counter(
        "windrose_proxy_headers_total",
        "Connections that had to begin with a PROXY header, by what it was.",
    );
    for header in ProxyHeader::ALL {
        let count = metrics.proxy_headers.sum(0, header as u32);
        headers.count(&[("result", header.as_str())], count);
    }
}

fn family(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics, names: &Names) {
    let kind = names.kind;
    let count = |slot, event| metrics.streams.sum(slot, stream_cell(kind, event));
    let seen = || groups(snapshot).filter(|(_, group)| count(group.slot, StreamEvent::Opened) > 0);
    let mut opened = page.counter(names.opened[0], names.opened[1]);
    for (labels, group) in seen() {
        opened.count(&labels, count(group.slot, StreamEvent::Opened));
    }
    let mut open = page.gauge(names.open[0], names.open[1]);
    for (labels, group) in seen() {
        // Threads are summed one after the other, so a close may be seen before its open.
        let now = metrics.streams_open.sum(group.slot, kind as u32);
        open.count(&labels, now.cast_signed().max(0).cast_unsigned());
    }
    let mut octets = page.counter(names.octets[0], names.octets[1]);
    for ([app, version, cluster], group) in seen() {
        for (direction, event) in [
            ("in", StreamEvent::FromClient),
            ("out", StreamEvent::ToClient),
        ] {
            let labels = [app, version, cluster, ("direction", direction)];
            octets.count(&labels, count(group.slot, event));
        }
    }
    let mut ended = page.counter(names.ended[0], names.ended[1]);
    for ([app, version, cluster], group) in seen() {
        for (event, how) in StreamEvent::ENDS {
            let n = count(group.slot, event);
            if n > 0 {
                ended.count(&[app, version, cluster, ("how", how)], n);
            }
        }
    }
}
