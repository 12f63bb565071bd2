//! One exchange: from a request head to a response head, as a table of contents.

mod again;
mod begun;
pub(crate) mod evidence;
mod own;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{HeaderValue, Request, Response, Version, header};
use windrose_model::Timeouts;
use windrose_routing::{RouteId, prefix_key};
use windrose_telemetry::{GroupEvent, HttpEvent};

use crate::access::Draft;
use crate::attempt::{Answer, Outbound, attempt, patience, upload, within};
use crate::connection::Client;
use crate::course::{Chance, Course, Failure, Next, is_idempotent};
use crate::errand::{Errand, app_slot};
use crate::fault::{End, inject, is_for};
use crate::filter;
use crate::flags::Flags;
use crate::hop;
use crate::http2;
use crate::inbound::Inbound;
use crate::mirror;
use crate::pool::Destination;
use crate::quota::{self, Excess, Quota, Tally};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secure;
use crate::split;
use crate::survey::{Field, Survey};
use crate::underscore;
use crate::upgrade;
use crate::upstream::InFlight;
use crate::validate::validate;
use begun::deliver;
use evidence::{charge, is_given_up, note_answer, note_failure};
pub(crate) use own::unread;
use own::{answer_here, log, refuse, refuse_after, refuse_early, too_many};

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
    if survey.has(Field::Underscore) {
        match underscore::treat(&mut parts.headers, client.worker.settings.underscores) {
            Ok(count) => {
                let recorder = &client.worker.recorder;
                recorder.events(HttpEvent::UnderscoredField, count);
            }
            Err(refusal) => return Ok(refuse_early(&client, &parts, survey, refusal, draft)),
        }
    }
    let routed = settled.and_then(|()| route(&client, &parts, survey, began, &mut draft));
    let mut errand = match routed {
        Ok(errand) => errand,
        Err(refusal) => return Ok(refuse_early(&client, &parts, survey, refusal, draft)),
    };
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
    let timeouts = filter::timeouts(errand.app(), filters);
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
    let mut outbound = Outbound::new(parts, upload, errand.offer.take(), client.scratch.take());
    outbound.trailers = trailers;
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
    let course = Course::new(view, version, key);
    Ok(Errand {
        table,
        app,
        routed,
        course,
        address,
        began,
        tick,
        offer,
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

/// Tries endpoints until one answers or the rules say stop.
async fn forward(
    client: &Rc<Client>,
    mut errand: Errand,
    mut timeouts: Timeouts,
    mut outbound: Outbound,
    id: HeaderValue,
) -> Result<Response<Reply>, Gone> {
    let worker = &client.worker;
    let first_byte = timeouts.first_byte;
    let table = Rc::clone(&errand.table);
    let app = table.app(errand.app);
    let retry = errand.retry(app);
    // A backend that may have switched is not asked again, nor is another.
    let idempotent = outbound.offer.is_none() && is_idempotent(&outbound.method);
    let mut attempts_left = retry.attempts;
    let mut last = (Refusal::NoEndpoint, None);
    // A response to try again after, should nobody else answer.
    let mut spare: Option<Box<(Answer, InFlight)>> = None;
    let mut repeated = None;
    let mut now = errand.began;
    loop {
        let Some(mut stop) = errand.course.next(app, worker, errand.tick) else {
            let Some(spare) = spare.take() else {
                return Ok(refuse_after(client, errand, last, &id));
            };
            let (answer, in_flight) = *spare;
            return Ok(deliver(client, errand, answer, in_flight, outbound, id));
        };
        let group = stop.group.slot;
        if let Some(before) = repeated.take() {
            worker.recorder.group(before, GroupEvent::Retry);
        }
        if let Some(first) = stop.moved_from {
            worker.recorder.group(first, GroupEvent::MovedCluster);
        }
        let to = Destination::of(app, stop.cluster, stop.endpoint);
        let upstream = worker.upstreams.at(stop.endpoint.slot, to);
        let mut in_flight = upstream.engage(group, stop.permit.take());
        let keep = idempotent && attempts_left > 0;
        let address = stop.endpoint.address;
        errand.cluster = Some(stop.cluster);
        if let Some(draft) = &mut errand.draft {
            draft.tries(address);
        }
        let mut injected = None;
        if let Some(fault) = errand.fault(app) {
            timeouts.first_byte = first_byte;
            // Boxed: rare.
            let injecting = inject(client, fault, app, &mut errand.course, &stop, &timeouts);
            match Box::pin(injecting).await {
                Ok(waited) => {
                    now += waited;
                    timeouts.first_byte = first_byte.saturating_sub(waited);
                }
                Err(End::Fails(failure)) => injected = Some(failure),
                Err(End::Abort(status)) => {
                    let refusal = Refusal::Injected(status);
                    drop(in_flight);
                    return Ok(refuse(
                        client,
                        errand,
                        refusal,
                        Flags::default(),
                        Some(group),
                        &id,
                    ));
                }
            }
        }
        let give_up = || keep && is_given_up(worker, &errand, app, address) && charge(worker, app);
        let tried = match injected {
            None => {
                let (limits, sent) = (&timeouts, &mut outbound);
                let trying = attempt(client, &in_flight, limits, sent, now, keep, give_up);
                match timeouts.per_try.is_zero() {
                    true => trying.await,
                    false => within(timeouts.per_try, Box::pin(trying)).await,
                }
            }
            Some(failure) => Err(failure),
        };
        let failure = match tried {
            Ok(answer) => {
                let response = &answer.response;
                let status = response.status().as_u16();
                note_answer(client, &errand, &stop, in_flight.upstream(), status);
                let repeats = idempotent && retry.on.has_status(status);
                let can = outbound.is_uploaded() && outbound.is_replayable();
                let before = retry.attempts - attempts_left;
                let draw = || worker.dice.draw();
                let wait = match repeats && can && attempts_left > 0 {
                    true => again::after(retry, response.headers(), before, draw()),
                    false => None,
                };
                match wait {
                    Some(wait) if charge(worker, app) => {
                        in_flight.release();
                        spare = Some(Box::new((answer, in_flight)));
                        errand.course.exclude(stop.endpoint);
                        errand.course.repeat();
                        attempts_left -= 1;
                        repeated = Some(group);
                        if !Box::pin(again::wait(client, wait)).await {
                            let (why, none) = (Refusal::Duration, Flags::default());
                            return Ok(refuse(client, errand, why, none, Some(group), &id));
                        }
                        now = Instant::now();
                        errand.tick = worker.shared.tick(now);
                        continue;
                    }
                    Some(_) => {
                        worker.recorder.group(group, GroupEvent::RetryRefused);
                        errand.course.note(Flags::RETRY_LIMIT);
                    }
                    None if repeats && attempts_left == 0 => {
                        errand.course.note(Flags::RETRY_LIMIT);
                    }
                    None => {}
                }
                return Ok(deliver(client, errand, answer, in_flight, outbound, id));
            }
            // It ran out of the time of an attempt, and that is not the endpoint's doing.
            Err(Failure::FirstByte) if outbound.waits_for_client() => Failure::UploadStalled,
            Err(failure) => failure,
        };
        drop(in_flight);
        if failure == Failure::Full {
            // Nothing was tried: neither the endpoint nor the request has failed.
            errand.course.leave(stop.cluster, stop.group);
            continue;
        }
        spare = None;
        if injected.is_some() {
            // It says nothing about the endpoint.
            errand.course.exclude(stop.endpoint);
        } else {
            let uploaded = outbound.is_uploaded();
            note_failure(client, &mut errand, &stop, failure, uploaded);
        }
        outbound.afresh |= failure == Failure::Stale;
        let chance = Chance {
            idempotent,
            wanted: failure.is_wanted(&retry.on),
            replayable: outbound.is_replayable(),
            attempts_left,
        };
        match failure.next(chance, || charge(worker, app)) {
            Next::TryOn(refusal) => {
                last = (refusal, Some(group));
                repeated = Some(group);
            }
            Next::Refuse(refusal, flags) => {
                if flags == Flags::RETRY_LIMIT && attempts_left > 0 {
                    worker.recorder.group(group, GroupEvent::RetryRefused);
                }
                return Ok(refuse(client, errand, refusal, flags, Some(group), &id));
            }
            Next::Abandon => {
                worker.recorder.event(HttpEvent::ClientGone);
                errand.lead();
                log(
                    client,
                    errand.draft,
                    None,
                    Flags::CLIENT_GONE,
                    Instant::now(),
                );
                return Err(Gone);
            }
        }
        if failure.is_charged() {
            let before = retry.attempts - attempts_left;
            attempts_left -= 1;
            errand.course.repeat();
            // Nothing is wrong with the endpoint behind a stale connection.
            if failure != Failure::Stale {
                let wait = again::back_off(&retry.back_off, before, worker.dice.draw());
                if !Box::pin(again::wait(client, wait)).await {
                    let (why, none) = (Refusal::Duration, Flags::default());
                    return Ok(refuse(client, errand, why, none, Some(group), &id));
                }
            }
        }
        now = Instant::now();
        errand.tick = worker.shared.tick(now);
    }
}
