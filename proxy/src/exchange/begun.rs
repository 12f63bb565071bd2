//! A backend's response that has begun: made ours, with all that goes on until its end.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Response, StatusCode, Version, header};
use http_body::Body;
use windrose_telemetry::Actions;

use crate::access::Draft;
use crate::attempt::{Answer, Outbound};
use crate::connection::Client;
use crate::errand::Errand;
use crate::fault::mark;
use crate::filter;
use crate::flags::Flags;
use crate::grpc::{self, Call};
use crate::hop;
use crate::names::X_REQUEST_ID;
use crate::quota::Quota;
use crate::reply::{Exchange, Reply};
use crate::secure;
use crate::survey::{Field, Survey};
use crate::tunnel::Tunnel;
use crate::upgrade;
use crate::upstream::InFlight;

/// What goes on with an exchange when its response has begun.
struct Carried {
    began: Instant,
    in_flight: InFlight,
    quota: Option<Quota>,
    draft: Option<Box<Draft>>,
    flags: Flags,
    grpc: bool,
}

/// Gives the client a backend's response. From here on nothing holds the Table.
pub(super) fn deliver(
    client: &Rc<Client>,
    mut errand: Errand,
    answer: Answer,
    in_flight: InFlight,
    outbound: Outbound,
    id: HeaderValue,
) -> Response<Reply> {
    errand.lead();
    let flags = errand.course.flags();
    let carried = Carried {
        began: errand.began,
        in_flight,
        quota: errand.quota.take(),
        draft: errand.draft.take(),
        flags,
        grpc: errand.grpc,
    };
    let mut response = match answer.response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            let idle = filter::timeouts(errand.app(), errand.filters()).tunnel;
            switch(client, answer, carried, outbound, idle, id)
        }
        _ => {
            let mut response = conclude(client, answer, carried, outbound, id);
            let hsts = errand.app().plan.app.tls.hsts;
            secure::declare(client, &mut response, hsts);
            response
        }
    };
    errand.edit_response(&mut response);
    if client.worker.is_overloaded(Actions::CLOSE) && !switches(&response) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    mark(flags, &mut response);
    if let Some(cookie) = errand.known.take() {
        response.headers_mut().append(header::SET_COOKIE, *cookie);
    }
    response
}

fn switches(response: &Response<Reply>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Makes a backend's response ours.
fn conclude(
    client: &Rc<Client>,
    answer: Answer,
    mut carried: Carried,
    outbound: Outbound,
    id: HeaderValue,
) -> Response<Reply> {
    let now = Instant::now();
    let took = now.saturating_duration_since(carried.began);
    let group = carried.in_flight.group();
    client.worker.recorder.answered(group, took);
    if let Some(draft) = &mut carried.draft {
        draft.answered(now);
    }
    let (mut head, incoming) = answer.response.into_parts();
    let survey = Survey::of(&head.headers);
    let length = incoming.size_hint().exact().filter(|n| *n > 0);
    hop::one_length(&mut head.headers, survey, length);
    hop::strip(&mut head.headers, survey);
    if survey.has(Field::Flags) {
        hop::strip_ours(&mut head.headers);
    }
    if survey.has(Field::Trailer) && !outbound.trailers {
        // Nothing is announced that the engine will not send (RFC 9110 section 6.5.1).
        head.headers.remove(header::TRAILER);
    }
    // Each hop speaks its own version (RFC 9110 section 6.2). Over a connection that spoke
    // HTTP/1.0 the engine would go on asking in it, so it serves this exchange only.
    let old = std::mem::replace(&mut head.version, Version::HTTP_11) != Version::HTTP_11;
    head.headers.insert(X_REQUEST_ID, id);
    if let Some(quota) = carried.quota {
        quota.write(&mut head.headers);
    }
    client.watch.expect_body(now);
    let (upload, scratch) = outbound.settle();
    client.scratch.replace(scratch);
    let mut exchange = Exchange {
        client: Rc::clone(client),
        group,
        status: head.status.as_u16(),
        call: match carried.grpc {
            false => Call::No,
            true => grpc::status(&head.headers).map_or(Call::Open, Call::Ended),
        },
        began: carried.began,
        in_flight: carried.in_flight,
        link: (!old).then_some(answer.link),
        upload,
        draft: carried.draft,
        flags: carried.flags,
        moved: now,
        sent: 0,
        settled: false,
    };
    let body = if incoming.is_end_stream() {
        exchange.complete();
        Reply::Empty
    } else {
        Reply::Stream(incoming, exchange)
    };
    Response::from_parts(head, body)
}

/// Tells the client that its backend switched protocols; the connection carries on from there.
fn switch(
    client: &Rc<Client>,
    answer: Answer,
    mut carried: Carried,
    outbound: Outbound,
    idle: Duration,
    id: HeaderValue,
) -> Response<Reply> {
    let now = Instant::now();
    let group = carried.in_flight.group();
    let took = now.saturating_duration_since(carried.began);
    client.worker.recorder.answered(group, took);
    if let Some(draft) = &mut carried.draft {
        draft.answered(now);
    }
    let (mut head, _) = answer.response.into_parts();
    let protocols = head.headers.get(header::UPGRADE).cloned();
    let survey = Survey::of(&head.headers);
    hop::strip(&mut head.headers, survey);
    if survey.has(Field::Flags) {
        hop::strip_ours(&mut head.headers);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    if let Some(protocols) = protocols {
        upgrade::write(&mut head.headers, protocols);
    }
    head.headers.insert(X_REQUEST_ID, id);
    client.watch.expect_body(now);
    client.scratch.replace(outbound.settle().1);
    let recorder = &client.worker.recorder;
    recorder.ended(group, head.status.as_u16(), took);
    if let Some(handover) = answer.link.handover {
        client.tunnel.replace(Some(Tunnel {
            handover,
            in_flight: carried.in_flight,
            idle,
            draft: carried.draft,
            flags: carried.flags,
        }));
    }
    Response::from_parts(head, Reply::Empty)
}
