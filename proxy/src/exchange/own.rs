//! Responses that we make ourselves, and what is counted and written down of them.

use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use windrose_model::Respond;
use windrose_telemetry::{FELL_TO_RESPONSE, HttpEvent};

use crate::access::{Draft, Outcome};
use crate::connection::Client;
use crate::errand::{Errand, app_slot};
use crate::fault::mark;
use crate::filter::{self, Kind};
use crate::flags::Flags;
use crate::grpc;
use crate::names::X_REQUEST_ID;
use crate::quota::Excess;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secure;
use crate::survey::Survey;

/// As the access log calls a client that left before its response began.
const GONE: u16 = 499;

/// Answers a request beyond a rate limit.
pub(super) fn too_many(
    client: &Client,
    parts: &Parts,
    survey: Survey,
    mut errand: Errand,
    excess: Excess,
) -> Response<Reply> {
    let mut response = Refusal::RateLimited.respond(Flags::default());
    excess.write(response.headers_mut());
    identify(client, parts, survey, &mut response, &mut errand.draft);
    secure::declare(client, &mut response, errand.app().plan.app.tls.hsts);
    errand.edit_response(&mut response);
    let call = errand.translate(&mut response, Some(Refusal::RateLimited));
    let now = Instant::now();
    errand.lead();
    let (_, flags) = Refusal::RateLimited.status();
    log(client, errand.draft, (Some(&response), call), flags, now);
    client.watch.rest(now);
    response
}

/// Answers a request that got as far as an app.
pub(super) fn refuse(
    client: &Client,
    mut errand: Errand,
    refusal: Refusal,
    flags: Flags,
    group: Option<u32>,
    id: &HeaderValue,
) -> Response<Reply> {
    let recorder = &client.worker.recorder;
    let flags = flags.and(errand.course.flags());
    let mut response = refusal.respond(flags);
    response.headers_mut().insert(X_REQUEST_ID, id.clone());
    secure::declare(client, &mut response, errand.app().plan.app.tls.hsts);
    errand.edit_response(&mut response);
    mark(flags, &mut response);
    let call = errand.translate(&mut response, Some(refusal));
    let now = Instant::now();
    match group {
        Some(group) => {
            let took = now.saturating_duration_since(errand.began);
            recorder.ended(group, response.status().as_u16(), took);
            if call.is_some() {
                recorder.called(group, call);
            }
        }
        None => recorder.event(HttpEvent::NoEndpoint),
    }
    errand.lead();
    let (_, flag) = refusal.status();
    let answer = (Some(&response), call);
    log(client, errand.draft, answer, flags.and(flag), now);
    client.watch.rest(now);
    response
}

/// Gives the response of the configuration that stands in for an error: the group is counted with
/// what came of the request, the client gets something better.
pub(super) fn stand_in(
    client: &Client,
    mut errand: Errand,
    respond: &Respond,
    (status, flags): (StatusCode, Flags),
    group: Option<u32>,
    id: &HeaderValue,
) -> Response<Reply> {
    let recorder = &client.worker.recorder;
    let flags = flags.and(errand.course.flags()).and(Flags::FELL_BACK);
    let mut response = filter::respond(respond);
    flags.write(response.headers_mut());
    response.headers_mut().insert(X_REQUEST_ID, id.clone());
    secure::declare(client, &mut response, errand.app().plan.app.tls.hsts);
    errand.edit_response(&mut response);
    mark(flags, &mut response);
    let call = errand.translate(&mut response, None);
    let now = Instant::now();
    match group {
        Some(group) => {
            let took = now.saturating_duration_since(errand.began);
            recorder.ended(group, status.as_u16(), took);
        }
        None => recorder.event(HttpEvent::NoEndpoint),
    }
    recorder.fell_back(app_slot(errand.app()), FELL_TO_RESPONSE);
    errand.lead();
    log(client, errand.draft, (Some(&response), call), flags, now);
    client.watch.rest(now);
    response
}

/// Answers a request that never found its app.
pub(super) fn refuse_early(
    client: &Client,
    parts: &Parts,
    survey: Survey,
    refusal: Refusal,
    mut draft: Option<Box<Draft>>,
) -> Response<Reply> {
    client.worker.recorder.event(refusal.event());
    let mut response = refusal.respond(Flags::default());
    identify(client, parts, survey, &mut response, &mut draft);
    let call = match grpc::is_call(parts) {
        true => grpc::answer(&mut response, Some(refusal)),
        false => None,
    };
    let now = Instant::now();
    log(
        client,
        draft,
        (Some(&response), call),
        refusal.status().1,
        now,
    );
    client.watch.rest(now);
    if let Refusal::HttpsOnly(port) = refusal {
        secure::redirect(&mut response, parts, port);
    }
    response
}

/// Gives the response of a route that needs no backend.
pub(super) fn answer_here(
    client: &Client,
    parts: &Parts,
    survey: Survey,
    mut errand: Errand,
    (mut response, kind): (Response<Reply>, Kind),
) -> Response<Reply> {
    let event = match kind {
        Kind::Preflight => HttpEvent::Preflight,
        Kind::Redirect => HttpEvent::Redirect,
        Kind::Respond => HttpEvent::DirectResponse,
        Kind::TooLarge => HttpEvent::BodyTooLarge,
    };
    client.worker.recorder.event(event);
    if let Some(quota) = errand.quota.take() {
        quota.write(response.headers_mut());
    }
    identify(client, parts, survey, &mut response, &mut errand.draft);
    secure::declare(client, &mut response, errand.app().plan.app.tls.hsts);
    errand.edit_response(&mut response);
    let refusal = matches!(kind, Kind::TooLarge).then_some(Refusal::BodyTooLarge);
    let call = errand.translate(&mut response, refusal);
    let now = Instant::now();
    errand.lead();
    let answer = (Some(&response), call);
    log(client, errand.draft, answer, Flags::default(), now);
    client.watch.rest(now);
    response
}

/// Gives a response that no backend was asked for the id of its request, and the log as well.
fn identify(
    client: &Client,
    parts: &Parts,
    survey: Survey,
    response: &mut Response<Reply>,
    draft: &mut Option<Box<Draft>>,
) {
    let worker = &client.worker;
    let given = client.peer.given_id(&parts.headers, survey).cloned();
    let id = given.unwrap_or_else(|| worker.request_ids.next(&worker.dice));
    if let Some(draft) = draft {
        draft.identify(id.as_bytes(), &parts.headers);
    }
    response.headers_mut().insert(X_REQUEST_ID, id);
}

/// Counts and writes down what the engine could not read as a request, and answers itself.
#[cold]
pub(crate) fn unread(client: &Client, error: &hyper::Error) {
    let worker = &client.worker;
    worker.recorder.event(HttpEvent::BadRequest);
    let Some(log) = &worker.settings.access else {
        return;
    };
    let Some(sampled) = log.begin(|| worker.log_dice.draw()) else {
        return;
    };
    let now = Instant::now();
    let ends = (client.ends.peer, client.peer.address);
    let status = match error.is_parse_too_large() {
        true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        false => StatusCode::BAD_REQUEST,
    };
    let outcome = Outcome {
        now,
        status: Some(status.as_u16()),
        flags: Flags::BAD_REQUEST,
        received: 0,
        sent: 0,
        ended: None,
        grpc: None,
    };
    let draft = Draft::unread(sampled, ends, now);
    worker.log(draft, outcome);
}

/// Hands a request without a backend's response to the access log.
pub(super) fn log(
    client: &Client,
    draft: Option<Box<Draft>>,
    (response, grpc): (Option<&Response<Reply>>, Option<u8>),
    flags: Flags,
    now: Instant,
) {
    if let Some(draft) = draft {
        let sent = response.and_then(|response| response.body().size_hint().exact());
        let outcome = Outcome {
            now,
            status: Some(response.map_or(GONE, |response| response.status().as_u16())),
            flags,
            received: 0,
            sent: sent.unwrap_or(0),
            ended: None,
            grpc,
        };
        client.worker.log(draft, outcome);
    }
}
