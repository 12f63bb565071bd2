//! The families of DNS.

use windrose_control::Snapshot;
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{
    COOKIES, DnsEvent, EXTENDED_ERRORS, LIMITERS, Log, Metrics, NO_ZONE, QTYPES, RCODES,
    SIZE_BOUNDS, Way, limited_cell, rcode_label,
};

pub(super) fn families(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics) {
    let mut queries = page.counter(
        "windrose_dns_queries_total",
        "DNS queries answered; zone - is for names outside all zones.",
    );
    let mut row = Vec::new();
    let zones = snapshot.table.zones().iter();
    let zones = zones.map(|zone| (zone.apex.to_string(), zone.slot, 0));
    for (zone, slot, always) in zones.chain([("-".to_owned(), NO_ZONE, 5)]) {
        metrics.dns_queries.row(slot, &mut row);
        for (rcode, count) in by_rcode(&row) {
            if count > 0 || rcode == rcode_label(always) {
                queries.count(&[("zone", &zone), ("rcode", rcode)], count);
            }
        }
    }

    let mut steered = page.counter(
        "windrose_dns_steered_total",
        "Steered DNS answers by the cluster they led to.",
    );
    for (_, entry) in snapshot.table.apps() {
        let app = entry.plan.name.as_str();
        for cluster in &entry.plan.clusters {
            let labels = [("app", app), ("cluster", cluster.name.as_str())];
            steered.count(&labels, metrics.dns_steered.sum(cluster.slot, 0));
        }
    }
    asked(page, metrics);
    sizes(page, metrics);
    limited(page, metrics);
    cookies(page, metrics);
    extended_errors(page, metrics);
    events(page, metrics);
    query_log(page, metrics);
}

fn events(page: &mut Page, metrics: &Metrics) {
    let event = |event: DnsEvent| metrics.dns_events.sum(0, event as u32);
    let mut dropped = page.counter(
        "windrose_dns_dropped_total",
        "DNS packets without an answer, by reason.",
    );
    dropped.count(&[("reason", "no_query")], event(DnsEvent::Dropped));
    dropped.count(&[("reason", "send_failed")], event(DnsEvent::SendFailed));
    page.counter(
        "windrose_dns_truncated_total",
        "DNS answers that told the client to come by TCP.",
    )
    .count(&[], event(DnsEvent::Truncated));
    page.counter(
        "windrose_dns_tcp_connections_total",
        "DNS connections accepted over TCP.",
    )
    .count(&[], event(DnsEvent::TcpConnection));
}

/// The same queries by what was asked, and by how they came.
fn asked(page: &mut Page, metrics: &Metrics) {
    let mut row = Vec::new();
    metrics.dns_asked.row(0, &mut row);
    let ways = Way::COUNT as usize;
    let mut types = page.counter(
        "windrose_dns_query_types_total",
        "DNS queries answered, by the type that was asked for; rare ones are other.",
    );
    for ((label, _), counts) in QTYPES.iter().zip(row.chunks(ways)) {
        let count: u64 = counts.iter().sum();
        if count > 0 || *label == "A" {
            types.count(&[("type", label)], count);
        }
    }
    let mut transports = page.counter(
        "windrose_dns_transport_queries_total",
        "DNS queries answered, by transport and address family of the client.",
    );
    for (at, way) in Way::ALL.iter().enumerate() {
        let count: u64 = row.iter().skip(at).step_by(ways).sum();
        let family = if way.ipv6 { "ipv6" } else { "ipv4" };
        let labels = [("transport", transport(way.tcp)), ("family", family)];
        transports.count(&labels, count);
    }
}

const fn transport(tcp: bool) -> &'static str {
    if tcp { "tcp" } else { "udp" }
}

fn sizes(page: &mut Page, metrics: &Metrics) {
    let mut row = Vec::new();
    let mut sizes = page.histogram(
        "windrose_dns_response_bytes",
        "Sizes of DNS answers that went out, by transport.",
    );
    for (slot, tcp) in [(0, false), (1, true)] {
        metrics.dns_sizes.row(slot, &mut row);
        let sum = row.pop().unwrap_or(0);
        let labels = [("transport", transport(tcp))];
        sizes.buckets(&labels, &SIZE_BOUNDS, &row, sum as f64);
    }
}

fn limited(page: &mut Page, metrics: &Metrics) {
    let mut family = page.counter(
        "windrose_dns_limited_total",
        "DNS answers that a limiter cut short or dropped, or in a dry run would have.",
    );
    for (limiter, (name, class)) in (0..).zip(LIMITERS) {
        for (dry_run, mode) in [(false, "on"), (true, "dry_run")] {
            for (slipped, action) in [(false, "drop"), (true, "slip")] {
                let cell = limited_cell(limiter, slipped, dry_run);
                let labels = [
                    ("limiter", name),
                    ("class", class),
                    ("mode", mode),
                    ("action", action),
                ];
                family.count(&labels, metrics.dns_limited.sum(0, cell));
            }
        }
    }
}

fn cookies(page: &mut Page, metrics: &Metrics) {
    let mut family = page.counter(
        "windrose_dns_cookies_total",
        "DNS queries with a cookie, by what came of it; queries without one are the rest.",
    );
    for (cell, result) in (0..).zip(COOKIES) {
        family.count(&[("result", result)], metrics.dns_cookies.sum(0, cell));
    }
}

fn extended_errors(page: &mut Page, metrics: &Metrics) {
    let mut family = page.counter(
        "windrose_dns_extended_errors_total",
        "DNS answers that have a reason of RFC 8914, by its code, told to the client or not.",
    );
    for (cell, (code, reason)) in (0..).zip(EXTENDED_ERRORS) {
        let labels = [("code", &*code.to_string()), ("reason", reason)];
        family.count(&labels, metrics.dns_extended_errors.sum(0, cell));
    }
}

fn query_log(page: &mut Page, metrics: &Metrics) {
    let records = page.counter(
        "windrose_dns_log_records_total",
        "Sampled queries for the query log, by what became of them.",
    );
    super::log_records(records, metrics, Log::Query);
}

/// Counts by rcode; rcodes without a name of their own are one.
fn by_rcode(row: &[u64]) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    let other = rcode_label(RCODES);
    let cells = (0..)
        .zip(row)
        .map(|(cell, count)| (rcode_label(cell), *count));
    let unnamed = cells.clone().filter(move |(label, _)| *label == other);
    let unnamed = unnamed.map(|(_, count)| count).sum();
    let named = cells.filter(move |(label, _)| *label != other);
    named.chain([(other, unnamed)])
}
