//! The keys of an app.

use std::collections::BTreeMap;
use std::time::Duration;

use windrose_model::{
    App, EncodedSlashes, Failback, HealthCheck, HttpProbe, Name, Percent, Probe, Split,
    StatusRange, Tcp, Timeouts, TtlBand, Version, Weight, WhenAllDown, WhenEndpointDown,
};

use super::{
    Found, active, balance, breakers, by_key, fallback, number, objects, outliers, rate_limit,
    refuse, retry, route, single, split_by, steering, tls, upstream, value,
};
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

pub(super) fn read(name: &Name, node: &Node, sources: &mut Sources, found: &mut Found) -> App {
    let hosts = found.list(node.get("hosts"), |_, item| single(item, scalar::host));
    let versions = objects(node, "versions", |_, it| balance::version(it, found));
    let split = match (node.get("split"), node.get("active")) {
        (Some(weights), _) => split(weights),
        (None, Some(active)) => active::split(active),
        (None, None) => default_split(name, &versions, found),
    };
    let preview = node.get("preview");
    let preview = preview.and_then(|node| active::preview(name, node, &split, &versions, found));
    let defaults = App::new(hosts, versions, split);
    let usual = node
        .get("timeouts")
        .map_or(defaults.timeouts, |t| timeouts(t, defaults.timeouts));
    let again = match node.get("retry") {
        Some(node) => retry::read(node, &defaults.retry, found),
        None => defaults.retry.clone(),
    };
    App {
        health: node
            .get("health")
            .map_or_else(HealthCheck::default, |h| health(h, found)),
        steering: steering::read(node.get("steering"), found),
        answers: number(node, "answers", defaults.answers),
        sticky: value(node, "sticky", scalar::boolean).unwrap_or(defaults.sticky),
        when_all_down: node
            .get("when_all_down")
            .and_then(when_all_down)
            .unwrap_or(WhenAllDown::LastKnown),
        trickle: percent(node, "trickle", defaults.trickle),
        min_up_fraction: value(node, "min_up_fraction", scalar::fraction)
            .unwrap_or(defaults.min_up_fraction),
        ttl: node
            .get("ttl")
            .map_or(defaults.ttl, |t| ttl(t, defaults.ttl)),
        failback: node
            .get("failback")
            .map_or(defaults.failback, |f| failback(f, defaults.failback)),
        preview,
        split_by: node.get("split_by").map(split_by::read),
        routes: route::read(node.get("routes"), (usual, &again), sources, found),
        encoded_slashes: match node.get("encoded_slashes").and_then(Node::text) {
            Some("keep") => EncodedSlashes::Keep,
            _ => EncodedSlashes::Refuse,
        },
        timeouts: usual,
        retry_budget: (node.get("retry")).map_or(defaults.retry_budget, retry::budget),
        retry: again,
        hedge: node.get("hedge").map(retry::hedge),
        fallback: (node.get("fallback")).map(|node| Box::new(fallback::read(node, sources, found))),
        balance: node.get("balance").map(balance::read).unwrap_or_default(),
        outliers: node.get("outliers").map(outliers::read),
        breakers: node.get("breakers").map(breakers::read),
        rate_limits: objects(node, "rate_limits", |_, limit| rate_limit::read(limit)),
        tls: node.get("tls").map(tls::app).unwrap_or_default(),
        upstream: upstream::read(node),
        tcp: node.get("tcp").and_then(tcp),
        ..defaults
    }
}

pub(super) fn split(node: &Node) -> Split {
    Split(by_key(Some(node), scalar::name, |weight| {
        single(weight, scalar::weight)
    }))
}

/// One version needs no split.
fn default_split(app: &Name, versions: &BTreeMap<Name, Version>, found: &mut Found) -> Split {
    if versions.len() > 1 {
        let names: Vec<_> = versions.keys().map(Name::as_str).collect();
        found.invalid.push(refuse(
            "missing-split",
            &["apps", app.as_str(), "split"],
            format!(
                "app `{app}` has {} versions and no `split` between them",
                names.len()
            ),
            Some(format!("for example split: {{{}: 1}}", names.join(": 1, "))),
        ));
    }
    Split(
        versions
            .keys()
            .map(|name| (name.clone(), Weight::ONE))
            .collect(),
    )
}

fn health(node: &Node, found: &mut Found) -> HealthCheck {
    let defaults = HealthCheck::default();
    let http = node.entry("http").map(|entry| {
        let node = &entry.value;
        let mut status = found.list(node.get("status"), |_, item| single(item, scalar::status));
        if status.is_empty() {
            status.extend(StatusRange::new(200, 299));
        }
        Probe::Http(HttpProbe {
            path: node
                .get("path")
                .and_then(Node::text)
                .unwrap_or("/")
                .to_owned(),
            host: node.get("host").and_then(Node::text).map(str::to_owned),
            status,
        })
    });
    HealthCheck {
        probe: http.unwrap_or(defaults.probe),
        interval: duration(node, "interval", defaults.interval),
        timeout: duration(node, "timeout", defaults.timeout),
        fall: number(node, "fall", defaults.fall),
        rise: number(node, "rise", defaults.rise),
    }
}

fn when_all_down(node: &Node) -> Option<WhenAllDown> {
    match node.text() {
        Some("last_known") => Some(WhenAllDown::LastKnown),
        Some("all") => Some(WhenAllDown::All),
        Some("servfail") => Some(WhenAllDown::Servfail),
        Some("nodata") => Some(WhenAllDown::Nodata),
        _ => value(node, "fallback", scalar::name).map(WhenAllDown::Fallback),
    }
}

/// One number holds for both bounds.
fn ttl(node: &Node, defaults: TtlBand) -> TtlBand {
    if let Some(ttl) = single(node, scalar::seconds) {
        return TtlBand { min: ttl, max: ttl };
    }
    TtlBand {
        min: value(node, "min", scalar::seconds).unwrap_or(defaults.min),
        max: value(node, "max", scalar::seconds).unwrap_or(defaults.max),
    }
}

fn failback(node: &Node, defaults: Failback) -> Failback {
    Failback {
        hold_down: duration(node, "hold_down", defaults.hold_down),
        ramp_step: percent(node, "ramp_step", defaults.ramp_step),
        ramp_every: duration(node, "ramp_every", defaults.ramp_every),
    }
}

pub(super) fn timeouts(node: &Node, defaults: Timeouts) -> Timeouts {
    Timeouts {
        connect: duration(node, "connect", defaults.connect),
        first_byte: duration(node, "first_byte", defaults.first_byte),
        per_try: duration(node, "per_try", defaults.per_try),
        request: duration(node, "request", defaults.request),
        tunnel: duration(node, "tunnel", defaults.tunnel),
    }
}

fn tcp(node: &Node) -> Option<Tcp> {
    let defaults = Tcp::all_of(value(node, "listener", scalar::name)?);
    let closes = node.get("when_endpoint_down").and_then(Node::text) == Some("close");
    Some(Tcp {
        sni: value(node, "sni", scalar::boolean).unwrap_or(defaults.sni),
        max_connections: number(node, "max_connections", defaults.max_connections),
        max_duration: duration(node, "max_duration", defaults.max_duration),
        when_endpoint_down: if closes {
            WhenEndpointDown::Close
        } else {
            WhenEndpointDown::Keep
        },
        ..defaults
    })
}

pub(super) fn duration(node: &Node, key: &str, default: Duration) -> Duration {
    value(node, key, scalar::duration).unwrap_or(default)
}

pub(super) fn percent(node: &Node, key: &str, default: Percent) -> Percent {
    value(node, key, scalar::percent).unwrap_or(default)
}
