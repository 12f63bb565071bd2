//! What a proxy thread counts, by slot; names are resolved when somebody scrapes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use windrose_telemetry::{
    EndpointTlsFailure, GroupEvent, HandshakeFailure, Hedged, Http2Event, HttpEvent, Injected,
    Local, Metrics, Mirrored, Prefix, ProxyHeader, Steps, StreamEvent, StreamKind, TcpEvent,
    code_cell, grpc_cell, handshake_cell, stream_cell,
};

/// The writing ends of one thread.
#[derive(Debug)]
pub(crate) struct Recorder {
    requests: Local,
    durations: Local,
    first_bytes: Local,
    connects: Local,
    groups: Local,
    arrivals: Local,
    limited: Local,
    fallbacks: Local,
    hedges: Local,
    ejections: Local,
    breakers: Local,
    grpc: Local,
    mirrored: Local,
    faults: Local,
    clients: Steps,
    events: Local,
    streams: Local,
    streams_open: Local,
    http2: Local,
    proxy_headers: Local,
    handshakes: Local,
    handshake_failures: Local,
    endpoint_tls: Local,
    endpoint_tls_failures: Local,
    tcp: Local,
    metrics: Arc<Metrics>,
}

impl Recorder {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            requests: metrics.http_requests.local(),
            durations: metrics.http_duration.local(),
            first_bytes: metrics.http_first_byte.local(),
            connects: metrics.http_connect.local(),
            groups: metrics.group_events.local(),
            arrivals: metrics.http_arrivals.local(),
            limited: metrics.http_rate_limited.local(),
            fallbacks: metrics.fallbacks.local(),
            hedges: metrics.hedges.local(),
            ejections: metrics.ejections.local(),
            breakers: metrics.breakers.local(),
            grpc: metrics.grpc_calls.local(),
            mirrored: metrics.mirrored.local(),
            faults: metrics.faults.local(),
            clients: metrics.http_footprints.steps(),
            events: metrics.http_events.local(),
            streams: metrics.streams.local(),
            streams_open: metrics.streams_open.local(),
            http2: metrics.http2_events.local(),
            proxy_headers: metrics.proxy_headers.local(),
            handshakes: metrics.tls_handshakes.local(),
            handshake_failures: metrics.tls_failures.local(),
            endpoint_tls: metrics.endpoint_tls.local(),
            endpoint_tls_failures: metrics.endpoint_tls_failures.local(),
            tcp: metrics.tcp_events.local(),
            metrics,
        }
    }

    /// A request of a group ended.
    #[inline]
    pub(crate) fn ended(&self, group: u32, status: u16, took: Duration) {
        self.requests.add(group, code_cell(status), 1);
        self.durations.record(group, took);
    }

    /// The head of a response of a group is here.
    #[inline]
    pub(crate) fn answered(&self, group: u32, took: Duration) {
        self.first_bytes.record(group, took);
    }

    /// A connection to an endpoint of a group stands.
    pub(crate) fn connected(&self, group: u32, took: Duration) {
        self.connects.record(group, took);
    }

    /// A call of gRPC ended, with a status or without.
    pub(crate) fn called(&self, group: u32, status: Option<u8>) {
        self.grpc.add(group, grpc_cell(status), 1);
    }

    /// What a rate limit of an app did: a position in `RATE_LIMITED`.
    pub(crate) fn rate_limited(&self, app_slot: u32, what: u32) {
        self.limited.add(app_slot, what, 1);
    }

    /// Something stood in for what nobody could serve: a position in `FALLBACKS`.
    pub(crate) fn fell_back(&self, app_slot: u32, what: u32) {
        self.fallbacks.add(app_slot, what, 1);
    }

    /// What became of a second try beside the first.
    pub(crate) fn hedged(&self, app_slot: u32, what: Hedged) {
        self.hedges.add(app_slot, what as u32, 1);
    }

    /// An endpoint of (app, cluster) was ejected, or would have been: a position in `EJECTIONS`.
    pub(crate) fn ejected(&self, steered: u32, what: u32) {
        self.ejections.add(steered, what, 1);
    }

    /// A cluster of an app had no room, or its circuit opened: a position in `OVERFLOWS`, or `OPENED`.
    pub(crate) fn breaker(&self, steered: u32, what: u32) {
        self.breakers.add(steered, what, 1);
    }

    /// What became of a copy for a group.
    pub(crate) fn mirrored(&self, group: u32, what: Mirrored) {
        self.mirrored.add(group, what as u32, 1);
    }

    /// A fault was injected into an attempt in (app, cluster).
    pub(crate) fn injected(&self, steered: u32, what: Injected) {
        self.faults.add(steered, what as u32, 1);
    }

    /// A request of a client came in at the edge of (app, cluster).
    #[inline]
    pub(crate) fn arrived(&self, steered: u32, client: IpAddr) {
        self.arrivals.add(steered, 0, 1);
        self.clients.note(steered, Prefix::of(client));
    }

    /// Something happened in a group.
    pub(crate) fn group(&self, group: u32, event: GroupEvent) {
        self.groups.add(group, event as u32, 1);
    }

    /// Something happened on this node.
    pub(crate) fn event(&self, event: HttpEvent) {
        self.events.add(0, event as u32, 1);
    }

    /// Something happened on a connection that speaks HTTP/2.
    pub(crate) fn http2(&self, event: Http2Event) {
        self.http2.add(0, event as u32, 1);
    }

    /// The same thing several times.
    pub(crate) fn events(&self, event: HttpEvent, times: u64) {
        self.events.add(0, event as u32, times);
    }

    /// The PROXY header of a connection came, or did not.
    pub(crate) fn proxy_header(&self, header: ProxyHeader) {
        self.proxy_headers.add(0, header as u32, 1);
    }

    /// A TLS handshake went through.
    pub(crate) fn handshake(&self, tls13: bool, resumed: bool) {
        self.handshakes.add(0, handshake_cell(tls13, resumed), 1);
    }

    /// A TLS handshake did not.
    pub(crate) fn handshake_failed(&self, why: HandshakeFailure) {
        self.handshake_failures.add(0, why as u32, 1);
    }

    /// A TLS handshake with an endpoint went through.
    pub(crate) fn endpoint_tls(&self, tls13: bool, resumed: bool) {
        self.endpoint_tls.add(0, handshake_cell(tls13, resumed), 1);
    }

    /// A TLS handshake with an endpoint did not.
    pub(crate) fn endpoint_tls_failed(&self, why: EndpointTlsFailure) {
        self.endpoint_tls_failures.add(0, why as u32, 1);
    }

    /// Something that was open is not any more.
    pub(crate) fn closed(&self, event: HttpEvent) {
        self.events.add(0, event as u32, u64::MAX);
    }

    /// Something happened to a stream of a group.
    pub(crate) fn stream(&self, group: u32, kind: StreamKind, event: StreamEvent, n: u64) {
        self.streams.add(group, stream_cell(kind, event), n);
    }

    /// A stream of a group began.
    pub(crate) fn stream_opened(&self, group: u32, kind: StreamKind) {
        self.streams_open.add(group, kind as u32, 1);
    }

    /// A stream of a group is over.
    pub(crate) fn stream_closed(&self, group: u32, kind: StreamKind) {
        self.streams_open.add(group, kind as u32, u64::MAX);
    }

    /// A connection of a TCP listener reached no endpoint.
    pub(crate) fn tcp(&self, event: TcpEvent) {
        self.tcp.add(0, event as u32, 1);
    }

    /// The queue to control was full.
    pub(crate) fn report_dropped(&self) {
        self.metrics.scalars.reports_dropped.increment();
    }
}
