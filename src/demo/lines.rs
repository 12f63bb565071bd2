//! The demo told in plain lines: one per event, one per second.

use super::director::Second;

/// A second in a line.
pub(crate) fn second(second: &Second) -> String {
    let list = |share: fn(&super::director::Row) -> f64| {
        let parts: Vec<_> = second
            .rows
            .iter()
            .map(|row| format!("{} {:.0} %", row.name, share(row) * 100.0))
            .collect();
        parts.join(" ")
    };
    format!(
        "{:>5.0} s  {} requests/s, {} failed  |  dns: {}  |  http: {}",
        second.at.as_secs_f64(),
        second.ok_per_s,
        second.failed,
        list(|row| row.dns),
        list(|row| row.http),
    )
}

/// An event in a line.
pub(crate) fn event(at: std::time::Duration, text: &str) -> String {
    format!("{:>7.1} s  {text}", at.as_secs_f64())
}
