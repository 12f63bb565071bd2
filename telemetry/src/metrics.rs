//! All numbers of a node.

use std::sync::Arc;
use std::time::Duration;

use crate::cells::{self, DURATION_CELLS, SUM_CELL};
use crate::{
    BREAKER_CELLS, Bank, CAPACITY, CODES, COOKIES, DnsEvent, EJECTIONS, EXTENDED_ERRORS,
    EndpointTlsFailure, FALLBACKS, Footprints, GroupEvent, HANDSHAKE_CELLS, HandshakeFailure,
    Hedged, Http2Event, HttpEvent, Injected, LIMITED_CELLS, Local, Mirrored, ProxyHeader, QTYPES,
    RATE_LIMITED, RCODES, SIZE_CELLS, Scalars, StreamEvent, StreamKind, TcpEvent, Way,
};

/// The zone slot of queries for names outside all zones. No zone has it.
pub const NO_ZONE: u32 = CAPACITY - 1;

/// The numbers of a node. Banks are written by data-path threads, each through a [`Local`] of its
/// own; scalars by anyone.
#[derive(Debug)]
pub struct Metrics {
    /// Slot = zone slot or [`NO_ZONE`], cell = rcode.
    pub dns_queries: Arc<Bank>,
    /// Slot = steered slot of (app, cluster), one cell: answers that led there.
    pub dns_steered: Arc<Bank>,
    /// Who was led where by steered answers, by steered slot.
    pub dns_footprints: Arc<Footprints>,
    /// Slot 0, cell = [`qtype_cell`](crate::qtype_cell) × [`Way::COUNT`] + [`Way::cell`]: what was
    /// answered, by what was asked and how.
    pub dns_asked: Arc<Bank>,
    /// Slot 0 for UDP, 1 for TCP; cell = [`size_cell`](crate::size_cell) of the answer, and the sum
    /// of octets.
    pub dns_sizes: Arc<Bank>,
    /// Slot 0, cell = [`limited_cell`](crate::limited_cell).
    pub dns_limited: Arc<Bank>,
    /// Slot 0, cell = position in [`COOKIES`].
    pub dns_cookies: Arc<Bank>,
    /// Slot 0, cell = position in [`EXTENDED_ERRORS`].
    pub dns_extended_errors: Arc<Bank>,
    /// Slot 0, cell = [`DnsEvent`].
    pub dns_events: Arc<Bank>,
    /// Slot = group slot of (app, version, cluster), cell = [`code_cell`](crate::code_cell).
    pub http_requests: Arc<Bank>,
    /// Slot = group slot, cells = duration buckets and sum; written by [`Local::record`].
    pub http_duration: Arc<Bank>,
    /// Slot = group slot, cells as above: from the request head to the head of the response.
    pub http_first_byte: Arc<Bank>,
    /// Slot = group slot, cells as above: until a new connection to an endpoint stood.
    pub http_connect: Arc<Bank>,
    /// Slot = steered slot of (app, cluster), one cell: requests that came in at that cluster's
    /// edge, wherever they went from there.
    pub http_arrivals: Arc<Bank>,
    /// Whose requests those were.
    pub http_footprints: Arc<Footprints>,
    /// Slot = group slot, cell = [`GroupEvent`].
    pub group_events: Arc<Bank>,
    /// Slot 0, cell = [`HttpEvent`].
    pub http_events: Arc<Bank>,
    /// Slot = steered slot of the app's first cluster, cell = position in [`RATE_LIMITED`].
    pub http_rate_limited: Arc<Bank>,
    /// Slot = steered slot of the app's first cluster, cell = position in [`FALLBACKS`].
    pub fallbacks: Arc<Bank>,
    /// Slot = steered slot of the app's first cluster, cell = [`Hedged`].
    pub hedges: Arc<Bank>,
    /// Slot = steered slot of (app, cluster), cell = position in [`EJECTIONS`].
    pub ejections: Arc<Bank>,
    /// Slot = steered slot of (app, cluster), cell = position in [`OVERFLOWS`](crate::OVERFLOWS), or
    /// [`OPENED`](crate::OPENED).
    pub breakers: Arc<Bank>,
    /// Slot = group slot, cell = [`grpc_cell`](crate::grpc_cell).
    pub grpc_calls: Arc<Bank>,
    /// Slot = group slot, cell = [`Mirrored`].
    pub mirrored: Arc<Bank>,
    /// Slot = steered slot of (app, cluster), cell = [`Injected`].
    pub faults: Arc<Bank>,
    /// Slot = group slot, cell = [`stream_cell`](crate::stream_cell).
    pub streams: Arc<Bank>,
    /// Slot = group slot, cell = [`StreamKind`]: add 1, later add [`u64::MAX`]. Never rebased: a
    /// stream may outlive what its slot stood for, and must be taken off again all the same.
    pub streams_open: Arc<Bank>,
    /// Slot 0, cell = [`TcpEvent`].
    pub tcp_events: Arc<Bank>,
    /// Slot 0, cell = [`Http2Event`].
    pub http2_events: Arc<Bank>,
    /// Slot 0, cell = [`ProxyHeader`].
    pub proxy_headers: Arc<Bank>,
    /// Slot 0, cell = [`handshake_cell`](crate::handshake_cell).
    pub tls_handshakes: Arc<Bank>,
    /// Slot 0, cell = [`HandshakeFailure`].
    pub tls_failures: Arc<Bank>,
    /// The same of endpoints, cell = [`handshake_cell`](crate::handshake_cell).
    pub endpoint_tls: Arc<Bank>,
    /// Slot 0, cell = [`EndpointTlsFailure`].
    pub endpoint_tls_failures: Arc<Bank>,
    /// Numbers of the whole process.
    pub scalars: Arc<Scalars>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            dns_queries: Bank::new(RCODES),
            dns_steered: Bank::new(1),
            dns_footprints: Footprints::new(),
            dns_asked: Bank::new(QTYPES.len() as u32 * Way::COUNT),
            dns_sizes: Bank::new(SIZE_CELLS),
            dns_limited: Bank::new(LIMITED_CELLS),
            dns_cookies: Bank::new(COOKIES.len() as u32),
            dns_extended_errors: Bank::new(EXTENDED_ERRORS.len() as u32),
            dns_events: Bank::new(DnsEvent::COUNT),
            http_requests: Bank::new(CODES.len() as u32),
            http_duration: Bank::new(DURATION_CELLS),
            http_first_byte: Bank::new(DURATION_CELLS),
            http_connect: Bank::new(DURATION_CELLS),
            http_arrivals: Bank::new(1),
            http_footprints: Footprints::new(),
            group_events: Bank::new(GroupEvent::COUNT),
            http_events: Bank::new(HttpEvent::COUNT),
            http_rate_limited: Bank::new(RATE_LIMITED.len() as u32),
            fallbacks: Bank::new(FALLBACKS.len() as u32),
            hedges: Bank::new(Hedged::ALL.len() as u32),
            ejections: Bank::new(EJECTIONS.len() as u32),
            breakers: Bank::new(BREAKER_CELLS),
            grpc_calls: Bank::new(crate::GRPC_STATUSES.len() as u32),
            mirrored: Bank::new(Mirrored::ALL.len() as u32),
            faults: Bank::new(Injected::ALL.len() as u32),
            streams: Bank::new(StreamKind::COUNT * StreamEvent::COUNT),
            streams_open: Bank::new(StreamKind::COUNT),
            tcp_events: Bank::new(TcpEvent::COUNT),
            http2_events: Bank::new(Http2Event::COUNT),
            proxy_headers: Bank::new(ProxyHeader::ALL.len() as u32),
            tls_handshakes: Bank::new(HANDSHAKE_CELLS),
            tls_failures: Bank::new(HandshakeFailure::ALL.len() as u32),
            endpoint_tls: Bank::new(HANDSHAKE_CELLS),
            endpoint_tls_failures: Bank::new(EndpointTlsFailure::ALL.len() as u32),
            scalars: Arc::default(),
        })
    }

    /// Additions that found no place, in any bank.
    pub fn dropped(&self) -> u64 {
        [
            &self.dns_queries,
            &self.dns_steered,
            &self.dns_asked,
            &self.dns_sizes,
            &self.dns_limited,
            &self.dns_cookies,
            &self.dns_extended_errors,
            &self.dns_events,
            &self.http_requests,
            &self.http_duration,
            &self.http_first_byte,
            &self.http_connect,
            &self.http_arrivals,
            &self.group_events,
            &self.http_events,
            &self.http_rate_limited,
            &self.fallbacks,
            &self.hedges,
            &self.ejections,
            &self.breakers,
            &self.grpc_calls,
            &self.mirrored,
            &self.faults,
            &self.streams,
            &self.streams_open,
            &self.tcp_events,
            &self.http2_events,
            &self.proxy_headers,
            &self.tls_handshakes,
            &self.tls_failures,
            &self.endpoint_tls,
            &self.endpoint_tls_failures,
        ]
        .iter()
        .map(|bank| bank.dropped())
        .fold(0, u64::wrapping_add)
    }

    /// Starts the numbers of a zone slot that is used again from zero.
    pub fn rebase_zone(&self, slot: u32) {
        self.dns_queries.rebase(slot);
    }

    /// Starts the numbers of a steered slot that is used again from zero.
    pub fn rebase_steered(&self, slot: u32) {
        self.dns_steered.rebase(slot);
        self.http_arrivals.rebase(slot);
        self.http_rate_limited.rebase(slot);
        self.fallbacks.rebase(slot);
        self.hedges.rebase(slot);
        self.ejections.rebase(slot);
        self.breakers.rebase(slot);
        self.faults.rebase(slot);
    }

    /// Starts the numbers of a group slot that is used again from zero.
    pub fn rebase_group(&self, slot: u32) {
        self.http_requests.rebase(slot);
        self.http_duration.rebase(slot);
        self.http_first_byte.rebase(slot);
        self.http_connect.rebase(slot);
        self.group_events.rebase(slot);
        self.grpc_calls.rebase(slot);
        self.mirrored.rebase(slot);
        self.streams.rebase(slot);
    }
}

impl Local {
    /// Records a duration: its bucket and its microseconds. For banks of [`DURATION_CELLS`].
    #[inline]
    pub fn record(&self, slot: u32, duration: Duration) {
        let micros = cells::micros(duration);
        self.add(slot, cells::bucket_cell(micros), 1);
        self.add(slot, SUM_CELL, micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lands_in_its_bucket_and_in_the_sum() {
        let metrics = Metrics::new();
        let local = metrics.http_duration.local();
        local.record(3, Duration::from_micros(900));
        local.record(3, Duration::from_millis(7));
        local.record(3, Duration::from_secs(60));
        let mut row = Vec::new();
        metrics.http_duration.row(3, &mut row);
        assert_eq!(row, [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 60_007_900]);
    }

    #[test]
    fn queries_outside_all_zones_have_a_slot() {
        let metrics = Metrics::new();
        metrics.dns_queries.local().add(NO_ZONE, 5, 1);
        assert_eq!(metrics.dns_queries.sum(NO_ZONE, 5), 1);
        assert_eq!(metrics.dropped(), 0);
    }
}
