//! Copies of requests for a version whose responses nobody gets.
//!
//! A copy has connections, a limit and a deadline of its own, and is never waited for: what cannot go
//! is dropped and counted. It is made when the request is decided; one with a body leaves when the
//! last octet of the body has gone to the primary, so that no half request is ever copied. It is sent
//! once, to an endpoint that is up, and what becomes of it says nothing about endpoints.

mod body;
mod send;

use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use windrose_model::Mirror;
use windrose_routing::Group;
use windrose_telemetry::Mirrored;

pub(crate) use body::{Copied, Tee};

use crate::connection::Client;
use crate::dial::Beginning;
use crate::draw::below;
use crate::errand::Errand;
use crate::limit::Held;
use crate::names::X_WINDROSE_MIRROR;
use crate::pick::pick;
use crate::pool::Destination;
use crate::upload::Upload;
use crate::upstream::InFlight;
use crate::worker::Worker;

/// Whether a request is a copy: it is not copied again, or two nodes would copy for each other for
/// ever.
pub(crate) fn is_copy(headers: &HeaderMap) -> bool {
    headers.contains_key(X_WINDROSE_MIRROR)
}

/// Copies a request to the mirrors of its route, as it is about to go to its primary.
#[cold]
#[inline(never)]
pub(crate) fn offer(
    client: &Client,
    errand: &Errand,
    mirrors: &[Mirror],
    parts: &Parts,
    upload: Option<&Upload>,
) {
    // A switch of protocols is no request that could be copied.
    if errand.offer.is_some() {
        return;
    }
    let worker = &client.worker;
    let drawn = mirrors.iter().filter(|mirror| {
        let point = below(worker.dice.draw(), 10_000);
        point < usize::from(mirror.percent.hundredths())
    });
    let mut waiting = Vec::new();
    for mirror in drawn {
        let Some(copy) = Copy::decide(client, errand, mirror, parts) else {
            continue;
        };
        match upload {
            None => copy.send(None),
            Some(upload) if upload.exceeds(mirror.body_limit) => copy.drop_for(Mirrored::Body),
            Some(_) => waiting.push((mirror.body_limit, copy)),
        }
    }
    if let Some(upload) = upload
        && !waiting.is_empty()
    {
        upload.tee(Tee::new(waiting, upload.is_chunked()));
    }
}

/// A copy that may go.
pub(crate) struct Copy {
    worker: Rc<Worker>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    beginning: Beginning,
    in_flight: InFlight,
    _held: Held,
}

impl Copy {
    /// Where a copy goes; none if it must not, which is counted.
    fn decide(client: &Client, errand: &Errand, mirror: &Mirror, parts: &Parts) -> Option<Self> {
        let (worker, app) = (&client.worker, errand.app());
        let mut versions = (0u8..).zip(&*app.plan.versions);
        let (number, version) = versions.find(|(_, version)| version.name == mirror.version)?;
        // The version's own number, whichever cluster is chosen.
        let runs = |group: &&Group| !group.endpoints.is_empty();
        let slot = version.groups.iter().find(runs)?.slot;
        let Some(held) = Held::copy(&worker.shared, slot, mirror.max_in_flight) else {
            worker.recorder.mirrored(slot, Mirrored::InFlight);
            return None;
        };
        let home = worker.settings.home.as_ref();
        let cluster = errand.course.cluster_of(number, app, home);
        let group = cluster.and_then(|cluster| version.groups.get(usize::from(cluster)));
        let endpoint = group.and_then(|group| {
            let load = |slot| worker.mirrors.in_flight(slot);
            let avoided = |slot| {
                worker
                    .shared
                    .endpoint(slot)
                    .is_some_and(|h| h.avoided(errand.tick))
            };
            let draw = worker.dice.draw();
            let picked = pick(
                &group.endpoints,
                draw,
                |e| load(e.slot),
                |e| group.takes(group.position(e)) && app.endpoint_up(e.index) && !avoided(e.slot),
            );
            Some((group.slot, picked?))
        });
        let Some((group, endpoint)) = endpoint else {
            worker.recorder.mirrored(slot, Mirrored::NoEndpoint);
            return None;
        };
        let mut headers = parts.headers.clone();
        headers.insert(X_WINDROSE_MIRROR, HeaderValue::from_static("1"));
        if let Some(suffix) = &mirror.host_suffix
            && let Some(host) = headers
                .get(header::HOST)
                .and_then(|host| suffixed(host, suffix))
        {
            headers.insert(header::HOST, host);
        }
        let to = Destination::uncounted(app, endpoint);
        let upstream = worker.mirrors.at(endpoint.slot, to);
        Some(Self {
            worker: Rc::clone(worker),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers,
            timeout: mirror.timeout,
            beginning: client.beginning(to.manner),
            in_flight: upstream.engage(group, None),
            _held: held,
        })
    }

    /// It does not go.
    pub(crate) fn drop_for(self, why: Mirrored) {
        self.worker.recorder.mirrored(self.in_flight.group(), why);
    }
}

/// Behind the name, before the port.
fn suffixed(host: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let host = host.to_str().ok()?;
    let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let (name, port) = host.split_at(port.unwrap_or(host.len()));
    HeaderValue::try_from(format!("{name}{suffix}{port}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_stands_behind_the_name_and_before_the_port() {
        for (host, expected) in [
            ("a.test", "a.test-shadow"),
            ("a.test:8080", "a.test-shadow:8080"),
            ("[2001:db8::1]", "[2001:db8::1]-shadow"),
            ("[2001:db8::1]:80", "[2001:db8::1]-shadow:80"),
        ] {
            let given = suffixed(&HeaderValue::from_static(host), "-shadow").unwrap();
            assert_eq!(given, expected);
        }
    }
}
