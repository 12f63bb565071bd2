//! TLS: handshakes, and when certificates end.

use std::time::UNIX_EPOCH;

use windrose_telemetry::exposition::Page;
use windrose_telemetry::{HANDSHAKE_CELLS, HandshakeFailure, Metrics, handshake_labels};
use windrose_tls::Store;

/// All families; none where nothing is served over TLS.
pub(super) fn families(page: &mut Page, metrics: &Metrics, certificates: &Store) {
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
