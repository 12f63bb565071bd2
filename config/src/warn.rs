//! What looks wrong in a Model that is right.

use windrose_model::{App, Invalid, Model, Name, Segment, WallTime};

mod leads;
mod routes;
mod zones;

pub(crate) use leads::leads;
pub(crate) use zones::{POINTERS, Pointer, is_suspicious, pointers};

/// Warnings, told by path as refusals are.
pub(crate) fn warnings(model: &Model, listens_for_dns: bool, now: WallTime) -> Vec<Invalid> {
    let mut found = Vec::new();
    if listens_for_dns && model.zones().is_empty() && !model.apps().is_empty() {
        found.push(Invalid {
            code: "host-outside-zones",
            at: vec!["apps".into()],
            message: "no zones are configured: DNS refuses the hosts of all apps, only the proxy serves them"
                .to_owned(),
            help: Some("add the zone of the hosts to `zones`".to_owned()),
        });
    }
    zones::warnings(model, &mut found);
    for (name, app) in model.apps().iter() {
        if listens_for_dns && !model.zones().is_empty() {
            hosts(model, name, app, &mut found);
        }
        routes::warnings(name, app, &mut found);
        routes::faults(name, app, now, &mut found);
        let health = &app.health;
        if health.timeout > health.interval {
            found.push(Invalid {
                code: "timeout-above-interval",
                at: at(name, &["health", "timeout"]),
                message: format!(
                    "a probe may take {:?} and the next begins after {:?}: probes of one endpoint overlap",
                    health.timeout, health.interval
                ),
                help: None,
            });
        }
    }
    found
}

/// What apps ask of TLS, where nobody listens for HTTPS.
pub(crate) fn without_https(model: &Model, found: &mut Vec<Invalid>) {
    for (name, app) in model.apps().iter() {
        let tls = &app.tls;
        for (key, is_there, so) in [
            (
                "redirect_http",
                tls.redirect_http.is_some(),
                "requests are sent to where nobody listens",
            ),
            ("hsts", tls.hsts.is_some(), "no response has it"),
            (
                "client_auth",
                tls.client_auth.is_some(),
                "nobody can show a certificate",
            ),
        ] {
            if is_there {
                found.push(Invalid {
                    code: "no-https-listener",
                    at: at(name, &["tls", key]),
                    message: format!("`{key}` is about HTTPS, and `listeners.https` has no address: {so} by this node"),
                    help: Some("for example listeners: {https: [\"0.0.0.0:443\"]}".to_owned()),
                });
            }
        }
    }
}

fn hosts(model: &Model, name: &Name, app: &App, found: &mut Vec<Invalid>) {
    for (i, host) in app.hosts.iter().enumerate() {
        if !model.zones().iter().any(|(apex, _)| host.is_within(apex)) {
            let mut at = at(name, &["hosts"]);
            at.push(i.into());
            found.push(Invalid {
                code: "host-outside-zones",
                at,
                message: format!(
                    "host {host} is in no zone: DNS refuses it, only the proxy serves it"
                ),
                help: Some("add its zone to `zones`".to_owned()),
            });
        }
    }
}

fn at(app: &Name, keys: &[&str]) -> Vec<Segment> {
    ["apps", app.as_str()]
        .iter()
        .chain(keys)
        .map(|key| Segment::from(*key))
        .collect()
}
