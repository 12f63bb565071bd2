//! What a demo says first: where it listens, what to try, who runs, and how much quicker it reacts
//! than Windrose does by default.

use std::collections::BTreeSet;
use std::time::Duration;

use windrose_model::{Failback, HealthCheck, TtlBand};

use super::HOST;
use super::person::PEOPLE;
use super::stage::Stage;

/// One line each.
pub(crate) fn lines(stage: &Stage, rate: u32) -> Vec<String> {
    let bound = &stage.node.bound;
    let dns = bound.dns.first().map_or(0, |a| a.port());
    let http = bound.http.first().map_or(0, |a| a.port());
    let countries: BTreeSet<_> = PEOPLE.iter().map(|p| p.country).collect();
    let admin = bound
        .admin
        .map_or_else(String::new, |a| format!("  admin {a}"));
    let mut lines = vec![
        format!("listening  dns 127.0.0.1:{dns}  http 127.0.0.1:{http}{admin}"),
        format!(
            "{} clusters, one node; clients from {} countries send {rate} HTTP requests and {rate} DNS queries a second",
            stage.clusters.len(),
            countries.len()
        ),
        "try:".to_owned(),
        format!("  dig @127.0.0.1 -p {dns} {HOST} +subnet=84.128.10.0/24 +short"),
        format!(
            "  curl -H 'Host: {HOST}' -H 'X-Forwarded-For: 84.128.10.7' http://127.0.0.12:{http}/"
        ),
    ];
    if let Some(admin) = bound.admin {
        lines.push(format!("  windrose status --admin http://{admin}"));
    }
    lines.push("clusters:".to_owned());
    for (i, cluster) in stage.clusters.iter().enumerate() {
        let addresses: Vec<_> = stage
            .addresses(&cluster.name)
            .iter()
            .map(ToString::to_string)
            .collect();
        let endpoints: Vec<_> = cluster
            .endpoints
            .iter()
            .map(|(v, a)| format!("{v} {a}"))
            .collect();
        lines.push(format!(
            "  {} {:<9} DNS answers {}, process {}, endpoints {}",
            i + 1,
            cluster.name,
            addresses.join(" "),
            cluster.pid(),
            endpoints.join(", ")
        ));
    }
    lines.extend(reactions(stage));
    lines
}

/// The demo's settings beside the product's.
fn reactions(stage: &Stage) -> Vec<String> {
    let Some((_, app)) = stage.loaded.model.apps().first() else {
        return Vec::new();
    };
    let (health, back) = (HealthCheck::default(), Failback::default());
    let ttl = TtlBand::default();
    let row =
        |what: &str, here: String, default: String| format!("  {what:<22}{here:<16}{default}");
    let ramp = |f: &Failback| format!("{} % per {}", f.ramp_step, time(f.ramp_every));
    let seconds = |t: &TtlBand| match (t.min.seconds(), t.max.seconds()) {
        (min, max) if min == max => format!("{min} s"),
        (min, max) => format!("{min} to {max} s"),
    };
    vec![
        row(
            "it reacts",
            "in this demo".to_owned(),
            "by default".to_owned(),
        ),
        row(
            "probe interval",
            time(app.health.interval),
            time(health.interval),
        ),
        row(
            "probe timeout",
            time(app.health.timeout),
            time(health.timeout),
        ),
        row(
            "failures until down",
            app.health.fall.to_string(),
            health.fall.to_string(),
        ),
        row(
            "successes until up",
            app.health.rise.to_string(),
            health.rise.to_string(),
        ),
        row(
            "hold-down",
            time(app.failback.hold_down),
            time(back.hold_down),
        ),
        row("ramp", ramp(&app.failback), ramp(&back)),
        row("TTL", seconds(&app.ttl), seconds(&ttl)),
    ]
}

fn time(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 60_000 == 0 && ms > 0 => format!("{} min", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
