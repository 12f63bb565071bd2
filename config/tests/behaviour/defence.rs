//! `node.dns.limits` and `node.dns.log`: off, in a dry run, on.

use std::time::Duration;

use windrose_config::{
    DnsLimits, DnsLog, DnsLogFormat, DnsManners, LimitMode, LogTarget, load_text,
};
use windrose_model::Revision;

fn dns(keys: &str) -> DnsManners {
    let text = format!("schema: 1\nnode: {{dns: {{{keys}}}}}\n");
    load_text("text", &text, Revision(1), None)
        .unwrap()
        .node
        .dns
}

/// Code and text of what is wrong.
fn refused(keys: &str) -> (&'static str, String) {
    let text = format!("schema: 1\nnode: {{dns: {{{keys}}}}}\n");
    let report = load_text("text", &text, Revision(1), None).unwrap_err();
    let [only] = report.diagnostics.as_slice() else {
        panic!("{report}");
    };
    (only.code, only.message.clone())
}

#[test]
fn without_keys_there_is_neither_limit_nor_log() {
    let dns = dns("");
    assert_eq!((dns.limits, dns.log), (DnsLimits::default(), None));
    assert_eq!(DnsLimits::default().queries.mode, LimitMode::Off);
    assert_eq!(DnsLimits::default().responses.limit.mode, LimitMode::Off);
}

#[test]
fn a_limit_that_is_written_runs_dry_until_it_is_on() {
    let limits = dns("limits: {responses: {rate: 20, rates: {nxdomain: 0}}}").limits;
    assert_eq!(limits.responses.limit.mode, LimitMode::DryRun);
    assert_eq!(limits.responses.limit.rate, 20);
    assert_eq!(limits.responses.nxdomain, Some(0));
    assert_eq!(limits.responses.error, None);
    assert_eq!(limits.queries.mode, LimitMode::Off);
    let limits = dns("limits: {queries: {mode: on, window: 500ms}}").limits;
    assert_eq!(limits.queries.mode, LimitMode::On);
    assert_eq!(limits.queries.window, Duration::from_millis(500));
    assert_eq!(limits.responses, DnsLimits::default().responses);
}

#[test]
fn a_log_goes_to_a_file_or_a_socket() {
    let log = dns("log: {to: q.json}").log.unwrap();
    assert_eq!(log, DnsLog::new(LogTarget::File("q.json".into())));
    let log = dns("log: {to: 'unix:/run/tap', format: dnstap, sample: 1}").log;
    let log = log.unwrap();
    assert_eq!(log.to, LogTarget::Unix("/run/tap".into()));
    assert_eq!(log.format, DnsLogFormat::Dnstap);
    assert_eq!(log.sample.hundredths(), 10_000);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (keys, code) in [
        ("limits: {responses: {mode: yes}}", "unknown-value"),
        ("limits: {responses: {slip: 11}}", "bad-number"),
        ("limits: {queries: {rate: 0}}", "bad-number"),
        ("limits: {queries: {rates: {error: 1}}}", "unknown-key"),
        ("limits: {ipv6_prefix: 65}", "bad-number"),
        ("limits: {responses: {window: 2m}}", "bad-window"),
        ("log: {format: json}", "missing-key"),
        ("log: {to: q, format: text}", "unknown-value"),
        ("log: {to: q, sample: 2}", "bad-fraction"),
        ("log: {to: q, sample: 0}", "bad-sample"),
        ("log: {to: q, sample: 0.00001}", "bad-sample"),
        ("tcp: {idle_timeout: 0s}", "bad-idle-timeout"),
    ] {
        assert_eq!(refused(keys).0, code, "{keys}");
    }
    let (_, message) = refused("limits: {queries: {window: 0s}}");
    assert_eq!(message, "`window` is 0s, must be 1ms to 1m");
}
