//! The page `/metrics`: labels from the Table of this moment, numbers from the counters.
//!
//! Label sets are bounded by the configuration. Counters of an app, cluster or version that exists
//! are shown from zero on; a group's histogram, retries and failures appear with its first request,
//! codes and rcodes that never happened do not appear.

use std::error::Error;

use windrose_control::{Convergence, Snapshot};
use windrose_model::{AliasCause, Verdict};
use windrose_routing::{AppEntry, Group};
use windrose_telemetry::exposition::{Family, Page};
use windrose_telemetry::{
    FALLBACKS, GRPC_STATUSES, GroupEvent, Hedged, Http2Event, HttpEvent, Live, Log, Logged,
    Metrics, Mirrored, ProbeOutcome, Process, RATE_LIMITED, code_cell, code_label,
};
use windrose_tls::Store;

use crate::{Identity, balance, breakers, excluded, faults, look, overload};

mod dns;
mod shifts;
mod streams;
mod tls;

/// The page's text.
pub(crate) fn page(
    snapshot: &Snapshot,
    convergence: &Convergence,
    metrics: &Metrics,
    live: &Live,
    certificates: &Store,
    identity: &Identity,
    node: Life,
) -> Result<String, impl Error> {
    let mut page = Page::new();
    life(&mut page, snapshot.ready.ready, node);
    conclusions(&mut page, snapshot, metrics, identity);
    dns::families(&mut page, snapshot, metrics);
    http(&mut page, snapshot, metrics);
    streams::families(&mut page, snapshot, metrics);
    tls::families(&mut page, snapshot, metrics, certificates);
    apps(&mut page, snapshot);
    excluded::families(&mut page, &snapshot.table, &live.exclusions, metrics);
    faults::families(&mut page, &snapshot.table, metrics);
    breakers::families(&mut page, &snapshot.table, &live.breakers, metrics);
    overload::families(&mut page, &live.overload);
    aliases(&mut page, snapshot);
    round_trips(&mut page, snapshot);
    shifts::write(&mut page, snapshot, convergence, metrics);
    page.process(&Process::read(), identity.started);
    page.text()
}

/// What of the node is alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// It was told to stop.
    pub(crate) stopping: bool,
    /// Control is there. Without it the data path answers as it last did.
    pub(crate) deciding: bool,
}

fn life(page: &mut Page, ready: bool, node: Life) {
    page.gauge(
        "windrose_ready",
        "1 from the end of the first round of probes, or of its grace, until the node stops.",
    )
    .count(&[], u64::from(ready && !node.stopping));
    page.gauge(
        "windrose_control_up",
        "0 when control has ended: answers go on as they were, nothing is decided any more.",
    )
    .count(&[], u64::from(node.deciding));
}

fn conclusions(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics, identity: &Identity) {
    let scalars = &metrics.scalars;
    page.gauge("windrose_build_info", "Version and commit of this binary.")
        .count(
            &[("version", &identity.version), ("commit", &identity.commit)],
            1,
        );
    page.gauge("windrose_table_epoch", "Epoch of the published table.")
        .count(&[], snapshot.table.stamp().epoch);
    page.gauge(
        "windrose_table_info",
        "Digest of the published table: equal on nodes that answer alike.",
    )
    .count(&[("digest", &look::digest(snapshot))], 1);
    page.gauge(
        "windrose_tables_alive",
        "Tables still held by a reader, the published one included.",
    )
    .count(&[], scalars.tables_alive.get());
    page.counter("windrose_table_publishes_total", "Tables published.")
        .count(&[], scalars.publishes.get());
    page.gauge(
        "windrose_config_reload_success",
        "1 when the latest configuration was taken, 0 when it was refused.",
    )
    .count(&[], u64::from(snapshot.reload.ok));
    page.counter(
        "windrose_reports_dropped_total",
        "Reports of the data path that the queue to control did not take.",
    )
    .count(&[], scalars.reports_dropped.get());
    page.counter(
        "windrose_journal_lost_total",
        "Journal lines that could not be written.",
    )
    .count(&[], snapshot.journal_lost);
    page.counter(
        "windrose_metrics_dropped_total",
        "Counts that found no place and are in no other metric.",
    )
    .count(&[], metrics.dropped());
    let mut probes = page.counter("windrose_probes_total", "Health probes by result.");
    for outcome in ProbeOutcome::ALL {
        probes.count(
            &[("result", outcome.as_str())],
            scalars.probes(outcome).get(),
        );
    }
}

fn http(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics) {
    let mut row = Vec::new();
    let mut requests = page.counter(
        "windrose_http_requests_total",
        "HTTP requests answered, by the group that answered; codes without a label of their own are counted by class.",
    );
    for (labels, group) in groups(snapshot) {
        let [app, version, cluster] = labels;
        metrics.http_requests.row(group.slot, &mut row);
        for (cell, count) in (0..).zip(&row) {
            if *count > 0 || cell == code_cell(200) {
                requests.count(&[app, version, cluster, ("code", code_label(cell))], *count);
            }
        }
    }
    let mut durations = page.duration(
        "windrose_http_request_duration_seconds",
        "Time from the request head to the last byte of the response.",
    );
    for (labels, group) in groups(snapshot) {
        metrics.http_duration.row(group.slot, &mut row);
        if row.iter().any(|cell| *cell > 0) {
            durations.histogram(&labels, &row);
        }
    }
    let mut limited = page.counter(
        "windrose_http_rate_limited_total",
        "Requests beyond a rate limit of an app, by what became of them; for apps that have limits.",
    );
    for (_, app) in snapshot.table.apps() {
        if app.plan.app.rate_limits.is_empty() {
            continue;
        }
        let slot = app
            .plan
            .clusters
            .first()
            .map_or(u32::MAX, |cluster| cluster.slot);
        for (cell, result) in (0..).zip(RATE_LIMITED) {
            let labels = [("app", app.plan.name.as_str()), ("result", result)];
            limited.count(&labels, metrics.http_rate_limited.sum(slot, cell));
        }
    }
    let mut fallbacks = page.counter(
        "windrose_http_fallbacks_total",
        "Requests that nobody could serve and for which something stood in; for apps with a fallback.",
    );
    for (_, app) in snapshot.table.apps() {
        if !app.falls_back() {
            continue;
        }
        let slot = (app.plan.clusters.first()).map_or(u32::MAX, |cluster| cluster.slot);
        for (cell, to) in (0..).zip(FALLBACKS) {
            let labels = [("app", app.plan.name.as_str()), ("to", to)];
            fallbacks.count(&labels, metrics.fallbacks.sum(slot, cell));
        }
    }
    let mut hedges = page.counter(
        "windrose_http_hedges_total",
        "Second tries beside the first, by what became of them; for apps that hedge.",
    );
    for (_, app) in snapshot.table.apps().filter(|(_, app)| app.hedges()) {
        let slot = (app.plan.clusters.first()).map_or(u32::MAX, |cluster| cluster.slot);
        for what in Hedged::ALL {
            let labels = [("app", app.plan.name.as_str()), ("result", what.as_str())];
            hedges.count(&labels, metrics.hedges.sum(slot, what as u32));
        }
    }
    for (name, help, bank) in [
        (
            "windrose_http_first_byte_seconds",
            "Time from the request head to the head of the response.",
            &metrics.http_first_byte,
        ),
        (
            "windrose_http_connect_seconds",
            "Time until a new connection to an endpoint stood.",
            &metrics.http_connect,
        ),
    ] {
        let mut durations = page.duration(name, help);
        for (labels, group) in groups(snapshot) {
            bank.row(group.slot, &mut row);
            if row.iter().any(|cell| *cell > 0) {
                durations.histogram(&labels, &row);
            }
        }
    }
    for (name, help, event) in [
        (
            "windrose_http_retries_total",
            "Further attempts after this group failed one.",
            GroupEvent::Retry,
        ),
        (
            "windrose_http_moved_cluster_total",
            "Requests that this group could not serve and that went to another cluster.",
            GroupEvent::MovedCluster,
        ),
        (
            "windrose_http_connect_failures_total",
            "Connections to endpoints of this group that could not be made.",
            GroupEvent::ConnectFailure,
        ),
        (
            "windrose_http_retries_refused_total",
            "Further attempts that the retry budget refused.",
            GroupEvent::RetryRefused,
        ),
    ] {
        let mut family = page.counter(name, help);
        for (labels, group) in groups(snapshot) {
            let count = metrics.group_events.sum(group.slot, event as u32);
            metrics.http_requests.row(group.slot, &mut row);
            if count > 0 || row.iter().any(|cell| *cell > 0) {
                family.count(&labels, count);
            }
        }
    }
    grpc_calls(page, snapshot, metrics);
    mirrored(page, snapshot, metrics);
    connections(page, metrics);
}

/// Appear with the first call that ended so.
fn grpc_calls(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics) {
    let mut family = page.counter(
        "windrose_grpc_calls_total",
        "Calls of gRPC that ended, by their status.",
    );
    let mut row = Vec::new();
    for (labels, group) in groups(snapshot) {
        let [app, version, cluster] = labels;
        metrics.grpc_calls.row(group.slot, &mut row);
        for (status, count) in GRPC_STATUSES.iter().zip(&row) {
            if *count > 0 {
                family.count(&[app, version, cluster, ("grpc_status", status)], *count);
            }
        }
    }
}

/// Appear where copies were made, or not made.
fn mirrored(page: &mut Page, snapshot: &Snapshot, metrics: &Metrics) {
    for (name, help, label, went) in [
        (
            "windrose_http_mirrored_total",
            "Copies of requests sent to a mirror, by what came of them.",
            "result",
            true,
        ),
        (
            "windrose_http_mirror_dropped_total",
            "Copies of requests that were not sent, by reason.",
            "reason",
            false,
        ),
    ] {
        let mut family = page.counter(name, help);
        for (labels, group) in groups(snapshot) {
            let [app, version, cluster] = labels;
            for what in Mirrored::ALL.into_iter().filter(|what| what.went() == went) {
                let count = metrics.mirrored.sum(group.slot, what as u32);
                if count > 0 {
                    family.count(&[app, version, cluster, (label, what.as_str())], count);
                }
            }
        }
    }
}

fn connections(page: &mut Page, metrics: &Metrics) {
    let event = |event: HttpEvent| metrics.http_events.sum(0, event as u32);
    // Threads are summed one after the other, so a close may be seen before its open.
    let open = |now: HttpEvent| event(now).cast_signed().max(0).cast_unsigned();
    let mut accepted = page.counter(
        "windrose_http_connections_total",
        "HTTP connections opened, by side.",
    );
    accepted.count(&[("side", "client")], event(HttpEvent::ClientConnection));
    accepted.count(
        &[("side", "upstream")],
        event(HttpEvent::UpstreamConnection),
    );
    let mut now = page.gauge(
        "windrose_http_connections_open",
        "HTTP connections open now, by side.",
    );
    now.count(&[("side", "client")], open(HttpEvent::ClientsOpen));
    now.count(&[("side", "upstream")], open(HttpEvent::UpstreamsOpen));
    let mut rejected = page.counter(
        "windrose_http_rejected_total",
        "HTTP requests answered by Windrose itself, by reason.",
    );
    for (reason, which) in [
        ("bad_request", HttpEvent::BadRequest),
        ("head_timeout", HttpEvent::HeadTimeout),
        ("no_app", HttpEvent::NoApp),
        ("no_endpoint", HttpEvent::NoEndpoint),
        ("overload", HttpEvent::Overloaded),
        ("misdirected", HttpEvent::Misdirected),
        ("https_only", HttpEvent::HttpsOnly),
        ("client_certificate_needed", HttpEvent::CertificateNeeded),
        ("body_too_large", HttpEvent::BodyTooLarge),
    ] {
        rejected.count(&[("reason", reason)], event(which));
    }
    let mut left_out = page.counter(
        "windrose_http_underscored_fields_total",
        "Fields of HTTP requests left out because of an underscore in their name.",
    );
    left_out.count(&[], event(HttpEvent::UnderscoredField));
    let mut answered = page.counter(
        "windrose_http_answered_total",
        "HTTP requests that a route answered itself, by how.",
    );
    for (how, which) in [
        ("preflight", HttpEvent::Preflight),
        ("redirect", HttpEvent::Redirect),
        ("direct", HttpEvent::DirectResponse),
    ] {
        answered.count(&[("how", how)], event(which));
    }
    let mut aborted = page.counter(
        "windrose_http_aborted_total",
        "HTTP responses that did not reach their end, by who left.",
    );
    aborted.count(&[("by", "client")], event(HttpEvent::ClientGone));
    aborted.count(&[("by", "upstream")], event(HttpEvent::BrokenResponse));
    http2(page, metrics);
    unprocessed(page, metrics);
    let records = page.counter(
        "windrose_http_log_records_total",
        "Requests for the access log, by what became of them.",
    );
    log_records(records, metrics, Log::Access);
}

/// Client connections that speak HTTP/2.
fn http2(page: &mut Page, metrics: &Metrics) {
    let event = |event: Http2Event| metrics.http2_events.sum(0, event as u32);
    let mut connections = page.counter(
        "windrose_http2_connections_total",
        "Client connections that speak HTTP/2.",
    );
    connections.count(&[], event(Http2Event::Connection));
    let mut streams = page.counter(
        "windrose_http2_streams_total",
        "Streams that clients opened.",
    );
    streams.count(&[], event(Http2Event::Stream));
    let mut resets = page.counter(
        "windrose_http2_resets_total",
        "Streams that were reset, by whose doing.",
    );
    for (what, by) in Http2Event::RESETS {
        resets.count(&[("by", by)], event(what));
    }
    let mut ended = page.counter(
        "windrose_http2_goaways_total",
        "HTTP/2 connections that Windrose ended, by reason.",
    );
    for (what, reason) in Http2Event::GO_AWAYS {
        ended.count(&[("reason", reason)], event(what));
    }
}

/// Requests that backends gave back.
fn unprocessed(page: &mut Page, metrics: &Metrics) {
    let count = metrics.http2_events.sum(0, Http2Event::Unprocessed as u32);
    let mut given_back = page.counter(
        "windrose_http2_backend_unprocessed_total",
        "Requests that backends gave back unprocessed, by REFUSED_STREAM or GOAWAY.",
    );
    given_back.count(&[], count);
}

/// What became of the records of a log.
fn log_records(mut records: Family<'_>, metrics: &Metrics, log: Log) {
    for what in Logged::ALL {
        let count = metrics.scalars.logged(log, what).get();
        records.count(&[("result", what.as_str())], count);
    }
}

fn round_trips(page: &mut Page, snapshot: &Snapshot) {
    if snapshot.round_trips.is_empty() {
        return;
    }
    let mut latest = page.gauge(
        "windrose_cluster_rtt_seconds",
        "Shortest TCP connect of late from the region of this node to a cluster.",
    );
    for trip in &snapshot.round_trips {
        let labels = [
            ("region", trip.region.as_str()),
            ("cluster", trip.cluster.as_str()),
        ];
        latest.sample(&labels, trip.latest.seconds());
    }
    let mut steered = page.gauge(
        "windrose_cluster_rtt_steered_seconds",
        "The measured round trip that steering uses; absent while it warms up.",
    );
    for trip in &snapshot.round_trips {
        let labels = [
            ("region", trip.region.as_str()),
            ("cluster", trip.cluster.as_str()),
        ];
        if let Some(entry) = trip.in_force {
            steered.sample(&labels, entry.rtt.seconds());
        }
    }
}

fn apps(page: &mut Page, snapshot: &Snapshot) {
    let mut verdicts = page.gauge(
        "windrose_cluster_verdict",
        "Health of an app in a cluster: 1 up, 0.5 degraded, 0.25 draining, 0 down, -1 unknown.",
    );
    for_clusters(snapshot, |labels, entry, at| {
        verdicts.sample(labels, verdict(entry.status.clusters[at].verdict));
    });
    let mut usable = page.gauge(
        "windrose_cluster_usable",
        "1 when new traffic of the app may go to the cluster.",
    );
    for_clusters(snapshot, |labels, entry, at| {
        usable.count(labels, u64::from(entry.status.clusters[at].usable));
    });
    let mut shares = page.gauge(
        "windrose_cluster_share_ratio",
        "The share of its traffic that the cluster may take, 0 to 1.",
    );
    for_clusters(snapshot, |labels, entry, at| {
        let share = entry.status.clusters[at].share;
        shares.sample(labels, f64::from(share.hundredths()) / 10_000.0);
    });
    let mut endpoints = page.gauge("windrose_endpoints", "Endpoints by state.");
    for (_, entry) in snapshot.table.apps() {
        let counts = look::endpoints(entry);
        for (cluster, count) in entry.plan.clusters.iter().zip(counts) {
            let app = ("app", entry.plan.name.as_str());
            let cluster = ("cluster", cluster.name.as_str());
            for (state, n) in [
                ("up", count.up),
                ("down", count.down),
                ("unknown", count.unknown),
            ] {
                endpoints.count(&[app, cluster, ("state", state)], u64::from(n));
            }
        }
    }
    balance::families(page, &snapshot.table);
}

fn aliases(page: &mut Page, snapshot: &Snapshot) {
    let mut resolved = page.gauge(
        "windrose_alias_resolved",
        "1 when the target of an ALIAS record was resolved at the latest try, 0 when the last good answer is kept, or there is none.",
    );
    for (target, known) in snapshot.aliases.iter() {
        let target = target.to_string();
        let now = known.cause == AliasCause::Resolved;
        resolved.count(&[("target", &target)], u64::from(now));
    }
    let mut confirmed = page.gauge(
        "windrose_alias_confirmed_timestamp_seconds",
        "When the addresses of the target of an ALIAS record were last confirmed; 0 for never.",
    );
    for (target, known) in snapshot.aliases.iter() {
        let target = target.to_string();
        confirmed.sample(&[("target", &target)], known.confirmed.0 as f64 / 1e6);
    }
}

fn verdict(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Up => 1.0,
        Verdict::Degraded => 0.5,
        Verdict::Draining => 0.25,
        Verdict::Down => 0.0,
        Verdict::Unknown => -1.0,
    }
}

fn for_clusters(snapshot: &Snapshot, mut each: impl FnMut(&[(&str, &str)], &AppEntry, usize)) {
    for (_, entry) in snapshot.table.apps() {
        let known = entry.status.clusters.len();
        for (at, cluster) in entry.plan.clusters.iter().enumerate().take(known) {
            let labels = [
                ("app", entry.plan.name.as_str()),
                ("cluster", cluster.name.as_str()),
            ];
            each(&labels, entry, at);
        }
    }
}

type Labels<'s> = [(&'static str, &'s str); 3];

/// Every group that has endpoints, with its labels.
fn groups(snapshot: &Snapshot) -> impl Iterator<Item = (Labels<'_>, &Group)> {
    snapshot.table.apps().flat_map(|(_, entry)| {
        let plan = &entry.plan;
        plan.versions.iter().flat_map(move |version| {
            plan.clusters
                .iter()
                .zip(&version.groups)
                .filter(|(_, group)| !group.endpoints.is_empty())
                .map(move |(cluster, group)| {
                    let labels = [
                        ("app", plan.name.as_str()),
                        ("version", version.name.as_str()),
                        ("cluster", cluster.name.as_str()),
                    ];
                    (labels, group)
                })
        })
    })
}
