//! One exchange: from a request head to a response head, as a table of contents.

mod again;
mod begun;
pub(crate) mod evidence;
mod fallback;
mod forward;
mod hedge;
mod own;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{HeaderValue, Request, Response, Version, header};
use windrose_model::HttpVersion;
use windrose_routing::{RouteId, prefix_key};
use windrose_telemetry::{Actions, HttpEvent};

use crate::access::Draft;
use crate::attempt::{Outbound, patience, upload, with_per_try};
use crate::connection::Client;
use crate::course::Course;
use crate::errand::{Errand, app_slot};
use crate::fault::is_for;
use crate::filter;
use crate::grpc;
use crate::hop;
use crate::http2;
use crate::inbound::Inbound;
use crate::mirror;
use crate::quota::{self, Excess, Quota, Tally};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secure;
use crate::split;
use crate::survey::{Field, Survey};
use crate::underscore;
use crate::upgrade;
use crate::validate::validate;
use forward::forward;
pub(crate) use own::unread;
use own::{answer_here, refuse_early, too_many};

/// The client left before its response began.
#[derive(Debug, thiserror::Error)]
#[error("the client left")]
pub(crate) struct Gone;

/// Serves one request.
pub(crate) async fn exchange(
    client: Rc<Client>,
    request: Request<Inbound>,
) -> Result<Response<Reply>, Gone> {
    let began = Instant::now();
    let (mut parts, body) = request.into_parts();
    let settled = match parts.version {
        Version::HTTP_2 => http2::settle(&client, &mut parts),
        _ => Ok(()),
    };
    let survey = Survey::of(&parts.headers);
    let mut draft = take_down(&client, &parts, began);
    if client.worker.is_overloaded(Actions::REFUSE) {
        let refusal = Refusal::Overloaded;
        return Ok(refuse_early(&client, &parts, survey, refusal, draft));
    }
    if survey.has(Field::Underscore) {
        match underscore::treat(&mut parts.headers, client.worker.settings.underscores) {
            Ok(count) => {
                let recorder = &client.worker.recorder;
                recorder.events(HttpEvent::UnderscoredField, count);
            }
            Err(refusal) => return Ok(refuse_early(&client, &parts, survey, refusal, draft)),
        }
    }
    let is_call = grpc::is_call(&parts);
    let routed = settled.and_then(|()| route(&client, &parts, survey, began, &mut draft));
    let patient = match is_call {
        true => grpc::timeout(&parts.headers),
        false => Ok(None),
    };
    let routed = routed.and_then(|errand| Ok((errand, patient?)));
    let (mut errand, patient) = match routed {
        Ok(routed) => routed,
        Err(refusal) => return Ok(refuse_early(&client, &parts, survey, refusal, draft)),
    };
    errand.grpc = is_call;
    if !errand.app().plan.app.rate_limits.is_empty() {
        match limit(&client, &errand, &parts) {
            Ok(quota) => errand.quota = quota,
            Err(excess) => {
                errand.draft = draft;
                return Ok(too_many(&client, &parts, survey, errand, excess));
            }
        }
    }
    if let Some((response, kind)) = errand.answer() {
        errand.draft = draft;
        return Ok(answer_here(
            &client,
            &parts,
            survey,
            errand,
            (response, kind),
        ));
    }
    let filters = errand.filters();
    let mut timeouts = filter::timeouts(errand.app(), filters);
    if let Some(patient) = patient {
        let bound = Some(timeouts.request).filter(|bound| !bound.is_zero());
        timeouts.request = bound.map_or(patient, |bound| bound.min(patient));
    }
    let timeouts = with_per_try(timeouts);
    let most = filters
        .and_then(|filters| filters.max_body)
        .unwrap_or(u64::MAX);
    let first_look = patience(&timeouts, Duration::ZERO);
    client.watch.begin(began, first_look, timeouts.request);
    let asked = errand.app().plan.app.tls.client_auth.is_some();
    // Asked before fields of ours are removed, which a client may have made up.
    let is_copy = survey.has(Field::Flags) && mirror::is_copy(&parts.headers);
    let id = prepare(&client, &mut parts, survey, asked);
    if let Some(routed) = &errand.routed {
        routed.edit_request(filters, &mut parts);
    }
    if let Some(draft) = &mut draft {
        draft.identify(id.as_bytes(), &parts.headers);
    }
    errand.draft = draft;
    let upload = upload(&client, body, &timeouts, most);
    let mirrors = errand.filters().map_or(&[][..], |f| &f.mirrors);
    if !mirrors.is_empty() && !is_copy {
        mirror::offer(&client, &errand, mirrors, &parts, upload.as_ref());
    }
    let trailers = hop::takes_trailers(&parts, survey);
    // Over HTTP/2 there is no switching of protocols (RFC 9113 section 8.6).
    let switches = errand.app().plan.app.upstream.http == HttpVersion::Http1;
    let offer = errand.offer.take().filter(|_| switches);
    let mut outbound = Outbound::new(parts, upload, offer, client.scratch.take());
    outbound.trailers = trailers;
    outbound.deadline = patient.map(|_| began + timeouts.request);
    forward(&client, errand, timeouts, outbound, id).await
}

/// Validates, finds app and route, splits between versions; the course will choose cluster and
/// endpoint.
fn route(
    client: &Client,
    parts: &Parts,
    survey: Survey,
    began: Instant,
    draft: &mut Option<Box<Draft>>,
) -> Result<Errand, Refusal> {
    let worker = &client.worker;
    let asked = validate(
        parts,
        survey,
        worker.settings.max_target_bytes,
        client.tls.is_some(),
    )?;
    let offer = if survey.has(Field::Upgrade) {
        upgrade::offer(parts, survey)?
    } else {
        None
    };
    let table = worker.table();
    let app = table.host(&asked.host).ok_or(Refusal::NoApp)?;
    let entry = table.app(app);
    secure::admit(
        client,
        &parts.headers,
        survey,
        &asked.host,
        &entry.plan.app.tls,
    )?;
    let address = client.peer.client(&parts.headers, survey, &worker.settings);
    if let Some(cluster) = entry.arrived(client.at, worker.settings.home.as_ref()) {
        worker.recorder.arrived(cluster.slot, address);
    }
    if let Some(draft) = draft {
        draft.client = address;
        draft.stamp = Some(table.stamp());
    }
    let leaf = table.leaf(address);
    let routed = if entry.has_routes() {
        let mut routed = filter::route(&table, entry, &asked, parts, leaf)?;
        if let Some(filters) = entry.filters(routed.matched.route) {
            let origin = client.peer.origin(&parts.headers, survey);
            routed.answer = routed.answered(filters, parts, &asked.host, origin);
            let fault = filters.fault.as_ref();
            routed.faulty =
                fault.is_some_and(|fault| is_for(fault, &parts.headers, SystemTime::now()));
        }
        Some(Box::new(routed))
    } else {
        None
    };
    let route = routed.as_ref().map_or(RouteId(0), |r| r.matched.route);
    let mut known = None;
    let version = match entry.preview(route, &asked.host, &parts.headers) {
        Some(version) => version,
        None => {
            let draw = match entry.split_by(route) {
                None => worker.dice.draw(),
                Some(by) => {
                    let found = split::request(client, entry, by, &parts.headers, address);
                    known = found.cookie;
                    found.draw
                }
            };
            entry.version(route, draw)
        }
    };
    let view = entry.view(&table, leaf);
    let key = if entry.sticky() {
        prefix_key(entry.plan.salt, address)
    } else {
        worker.dice.draw()
    };
    let tick = worker.shared.tick(began);
    worker.count_request(app_slot(entry), tick);
    let hash = entry.balance_key(&parts.headers, address);
    let course = Course::new(view, version, key).by(hash);
    Ok(Errand {
        table,
        app,
        routed,
        course,
        address,
        began,
        tick,
        offer,
        grpc: false,
        cluster: None,
        quota: None,
        draft: None,
        known,
    })
}

/// Charges the request to the rate limits of its app.
fn limit(client: &Client, errand: &Errand, parts: &Parts) -> Result<Option<Quota>, Excess> {
    let worker = &client.worker;
    let (entry, shared) = (errand.app(), &worker.shared);
    let mut tally = Tally::default();
    let granted = quota::charge(
        shared.buckets(),
        &entry.plan.name,
        entry.plan.app.rate_limits.iter(),
        errand.address,
        &parts.headers,
        shared.since_start(errand.began),
        &mut tally,
    );
    let happened = [granted.is_err(), tally.would_refuse, tally.untracked];
    for (what, _) in (0..).zip(happened).filter(|(_, happened)| *happened) {
        worker.recorder.rate_limited(app_slot(entry), what);
    }
    granted
}

/// Begins a record of the access log, if there may be one.
fn take_down(client: &Client, parts: &Parts, began: Instant) -> Option<Box<Draft>> {
    let worker = &client.worker;
    let log = worker.settings.access.as_ref()?;
    let sampled = log.begin(|| worker.log_dice.draw())?;
    let ends = (client.ends.peer, client.peer.address);
    Some(Draft::new(sampled, ends, parts, log.with_query(), began))
}

/// Makes the head what a backend should see; returns the request id.
fn prepare(client: &Client, parts: &mut Parts, survey: Survey, asked: bool) -> HeaderValue {
    hop::strip(&mut parts.headers, survey);
    if survey.has(Field::Expect) {
        // The engine answers 100 (Continue) itself when the body is first wanted.
        parts.headers.remove(header::EXPECT);
    }
    if survey.has(Field::Flags) {
        hop::strip_ours(&mut parts.headers);
    }
    if survey.has(Field::ClientCert) || asked {
        secure::identify(client, &mut parts.headers, survey, asked);
    }
    let worker = &client.worker;
    let id = || worker.request_ids.next(&worker.dice);
    client.peer.write(&mut parts.headers, survey, id)
}
