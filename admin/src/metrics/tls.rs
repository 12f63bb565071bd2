//! TLS: handshakes, and when certificates end.

use std::time::UNIX_EPOCH;

use windrose_control::Snapshot;
use windrose_routing::Table;
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{
    EndpointTlsFailure, HANDSHAKE_CELLS, HandshakeFailure, Metrics, handshake_labels,
};
use windrose_tls::Store;

/// All families; none where nothing is spoken over TLS.
pub(super) fn families(
    page: &mut Page,
    snapshot: &Snapshot,
    metrics: &Metrics,
    certificates: &Store,
) {
    clients(page, metrics, certificates);
    endpoints(page, &snapshot.table, metrics, certificates);
}

fn clients(page: &mut Page, metrics: &Metrics, certificates: &Store) {
    let expiries = certificates.expiries();
    if expiries.is_empty() {
        return;
    }
    let mut ends = page.gauge(
        "windrose_tls_certificate_expires_timestamp_seconds",
        "When each certificate in force ends, by the file of its chain.",
    );
    for expiry in &expiries {
        let file = expiry.file.to_string_lossy();
        let seconds = expiry.at.duration_since(UNIX_EPOCH);
        ends.sample(
            &[("file", &file)],
            seconds.map_or(0.0, |end| end.as_secs_f64()),
        );
    }
    let mut through = page.counter(
        "windrose_tls_handshakes_total",
        "TLS handshakes that went through, by version and whether they went on from an earlier session.",
    );
    for cell in 0..HANDSHAKE_CELLS {
        let (version, resumed) = handshake_labels(cell);
        let labels = [("version", version), ("resumed", resumed)];
        through.count(&labels, metrics.tls_handshakes.sum(0, cell));
    }
    let mut failed = page.counter(
        "windrose_tls_handshake_failures_total",
        "TLS handshakes that failed, by reason.",
    );
    for why in HandshakeFailure::ALL {
        let count = metrics.tls_failures.sum(0, why as u32);
        failed.count(&[("reason", why.as_str())], count);
    }
}

fn endpoints(page: &mut Page, table: &Table, metrics: &Metrics, certificates: &Store) {
    let apps = table.apps().filter_map(|(_, entry)| {
        let plan = &entry.plan;
        Some((&plan.name, plan.app.upstream.tls.as_ref()?))
    });
    let apps: Vec<_> = apps.collect();
    if apps.is_empty() {
        return;
    }
    let mut ends = page.gauge(
        "windrose_endpoint_certificate_expires_timestamp_seconds",
        "When the certificate ends that was trusted last of an endpoint of the app, or of another with the same settings.",
    );
    for (name, tls) in apps {
        let origin = certificates.origin(tls.policy).ok();
        if let Some(end) = origin.and_then(|origin| origin.seen_to_end()) {
            let seconds = end.duration_since(UNIX_EPOCH);
            ends.sample(
                &[("app", name.as_str())],
                seconds.map_or(0.0, |end| end.as_secs_f64()),
            );
        }
    }
    let mut through = page.counter(
        "windrose_endpoint_tls_handshakes_total",
        "TLS handshakes with endpoints that went through, by version and whether they went on from an earlier session.",
    );
    for cell in 0..HANDSHAKE_CELLS {
        let (version, resumed) = handshake_labels(cell);
        let labels = [("version", version), ("resumed", resumed)];
        through.count(&labels, metrics.endpoint_tls.sum(0, cell));
    }
    let mut failed = page.counter(
        "windrose_endpoint_tls_failures_total",
        "TLS handshakes with endpoints that failed, by reason.",
    );
    for why in EndpointTlsFailure::ALL {
        let count = metrics.endpoint_tls_failures.sum(0, why as u32);
        failed.count(&[("reason", why.as_str())], count);
    }
}
