//! From endpoint to endpoint, until one answers or the rules say stop.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Response, StatusCode};
use windrose_model::{Fallback, Fault, Hedge, Policy, Retry, Timeouts};
use windrose_routing::AppEntry;
use windrose_telemetry::{GroupEvent, HttpEvent};

use super::Gone;
use super::again;
use super::begun::deliver;
use super::evidence::{
    charge, is_given_up, note_answer, note_failure, weigh_answer, weigh_failure,
};
use super::fallback::Cause;
use super::hedge::{Race, Run};
use super::own::{log, refuse, stand_in};
use crate::attempt::{Answer, Outbound, attempt};
use crate::connection::Client;
use crate::course::{Chance, Failure, Next, Stop, is_idempotent};
use crate::errand::Errand;
use crate::fault::{End, inject};
use crate::flags::Flags;
use crate::pool::Destination;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::upstream::InFlight;

/// A request on its way, and what is left to it.
pub(super) struct Way<'a> {
    pub(super) client: &'a Rc<Client>,
    pub(super) app: &'a AppEntry,
    pub(super) errand: Errand,
    pub(super) outbound: Outbound,
    timeouts: Timeouts,
    /// As the route has it; an injected delay takes from it for one attempt.
    first_byte: Duration,
    retry: &'a Retry,
    /// A second try may still be made beside the first.
    hedge: Option<Hedge>,
    /// It may be repeated after it may have reached a backend.
    pub(super) idempotent: bool,
    attempts_left: u8,
    /// The last failure, and the group where it was.
    last: (Refusal, Option<u32>),
    /// A response to try again after, should nobody else answer.
    spare: Option<Box<(Answer, InFlight)>>,
    /// The group whose attempt the next one repeats.
    pub(super) repeated: Option<u32>,
    /// Its head is kept for another place.
    keeps: bool,
    /// It has fallen back to another place.
    pub(super) fell: bool,
    now: Instant,
    id: HeaderValue,
}

/// What is done in place of delivering a response.
enum Turn {
    Deliver,
    /// Repeat, after such a wait.
    Again(Duration),
    Elsewhere,
    StandIn,
}

/// What is done after an attempt without a response.
enum Then {
    /// Another one, after such a wait.
    On(Duration),
    End(Refusal, Flags),
    Abandon,
}

/// Tries endpoints until one answers or the rules say stop.
pub(super) async fn forward(
    client: &Rc<Client>,
    errand: Errand,
    timeouts: Timeouts,
    outbound: Outbound,
    id: HeaderValue,
) -> Result<Response<Reply>, Gone> {
    let worker = &client.worker;
    let table = Rc::clone(&errand.table);
    let app = table.app(errand.app);
    let by_latency = app.plan.app.balance.policy == Policy::PeakEwma;
    let mut way = Way::new(client, app, errand, timeouts, outbound, id);
    loop {
        let Some(mut stop) = way.errand.course.next(app, worker, way.errand.tick) else {
            if way.goes_on_elsewhere() {
                continue;
            }
            return Ok(way.exhausted());
        };
        let mut in_flight = way.set_out(&mut stop);
        let fault = match way.errand.fault(app) {
            None => Ok(None),
            // Boxed: rare.
            Some(fault) => Box::pin(way.suffer(fault, &stop)).await,
        };
        let mut since = way.now;
        let tried = match fault {
            Ok(None) => {
                let again = way.idempotent && way.attempts_left > 0;
                let address = stop.endpoint.address;
                let give_up =
                    || again && is_given_up(worker, &table, app, address) && charge(worker, app);
                let twin = way.hedge.and_then(|_| way.outbound.twin());
                let (limits, sent) = (&way.timeouts, &mut way.outbound);
                let keep = again || way.keeps;
                let trying = attempt(client, &in_flight, limits, sent, way.now, keep, give_up);
                match way.hedge.zip(twin) {
                    None => trying.await,
                    Some((hedge, twin)) => {
                        let errand = &mut way.errand;
                        let race = Race::new(client, app, errand, &stop, limits, twin);
                        let (tried, other) = Box::pin(race.run(hedge, Box::pin(trying))).await;
                        if let Run::Made(other) = other {
                            way.hedge = None;
                            if let Some(other) = other {
                                if by_latency {
                                    // Outrun, after it was waited for so long.
                                    let outrun = Failure::GivenUp;
                                    weigh_failure(worker, in_flight.upstream(), outrun, since);
                                }
                                since += hedge.after;
                                (stop, in_flight) = other;
                            }
                        }
                        tried
                    }
                }
            }
            Ok(Some(failure)) => Err(failure),
            // The final answer, which says nothing about the endpoint.
            Err(_) => Err(Failure::GivenUp),
        };
        let group = stop.group.slot;
        let then = match (tried, fault) {
            (Ok(answer), _) => {
                let status = answer.response.status();
                let seen = status.as_u16();
                let told = way.errand.told(&answer.response);
                note_answer(client, &way.errand, &stop, in_flight.upstream(), told);
                if by_latency {
                    let headers = answer.response.headers();
                    weigh_answer(worker, in_flight.upstream(), (told, headers), since);
                }
                let turn = match seen {
                    ..400 => Turn::Deliver,
                    400.. => way.reconsider(&answer, &stop),
                };
                let wait = match turn {
                    Turn::Deliver => return Ok(way.deliver(answer, in_flight)),
                    Turn::StandIn => {
                        drop((answer, in_flight));
                        return Ok(way.stand_in(status, group));
                    }
                    Turn::Again(wait) => wait,
                    Turn::Elsewhere => Duration::ZERO,
                };
                in_flight.release();
                way.spare = Some(Box::new((answer, in_flight)));
                way.errand.course.exclude(stop.endpoint);
                Then::On(wait)
            }
            (Err(_), Err(status)) => Then::End(Refusal::Injected(status), Flags::default()),
            (Err(failure), Ok(injected)) => {
                drop(in_flight);
                way.failed(&stop, failure, injected.is_some())
            }
        };
        let (refusal, flags) = match then {
            Then::On(wait) => match Box::pin(again::wait(client, wait)).await {
                true => {
                    way.look_at_the_clock();
                    continue;
                }
                false if client.watch.is_gone() => return Err(way.abandon()),
                false => (Refusal::Duration, Flags::default()),
            },
            Then::End(refusal, flags) => (refusal, flags),
            Then::Abandon => return Err(way.abandon()),
        };
        let cause = Cause::of(refusal);
        if cause.is_some_and(|cause| way.falls_elsewhere(cause, true, Some(group))) {
            continue;
        }
        if cause.is_some_and(|cause| cause != Cause::Late) && way.spare.is_some() {
            // A backend has answered before; that says more than that another has not.
            way.errand.course.note(flags);
            return Ok(way.exhausted());
        }
        return Ok(way.end((refusal, flags), Some(group)));
    }
}

impl<'a> Way<'a> {
    fn new(
        client: &'a Rc<Client>,
        app: &'a AppEntry,
        errand: Errand,
        timeouts: Timeouts,
        outbound: Outbound,
        id: HeaderValue,
    ) -> Self {
        let retry = errand.retry(app);
        // A backend that may have switched is not asked again, nor is another.
        let idempotent = outbound.offer.is_none() && is_idempotent(&outbound.method);
        let hedge = errand.hedge(app).filter(|_| idempotent);
        let elsewhere = |fallback: &Fallback| fallback.elsewhere.is_some();
        Self {
            client,
            app,
            keeps: idempotent && errand.fallback(app).is_some_and(elsewhere),
            now: errand.began,
            errand,
            first_byte: timeouts.first_byte,
            timeouts,
            retry,
            hedge,
            idempotent,
            attempts_left: retry.attempts,
            last: (Refusal::NoEndpoint, None),
            spare: None,
            repeated: None,
            fell: false,
            outbound,
            id,
        }
    }

    /// Counts that it goes to an endpoint.
    fn set_out(&mut self, stop: &mut Stop<'_>) -> InFlight {
        let worker = &self.client.worker;
        let group = stop.group.slot;
        if let Some(before) = self.repeated.take() {
            worker.recorder.group(before, GroupEvent::Retry);
        }
        if let Some(first) = stop.moved_from {
            worker.recorder.group(first, GroupEvent::MovedCluster);
        }
        let to = Destination::of(self.app, stop.cluster, stop.endpoint);
        let upstream = worker.upstreams.at(stop.endpoint.slot, to);
        self.errand.cluster = Some(stop.cluster);
        if let Some(draft) = &mut self.errand.draft {
            draft.tries(stop.endpoint.address);
        }
        upstream.engage(group, stop.permit.take())
    }

    /// Meets the fault of its route: nothing, a failure, or an answer.
    async fn suffer(
        &mut self,
        fault: &Fault,
        stop: &Stop<'_>,
    ) -> Result<Option<Failure>, StatusCode> {
        self.timeouts.first_byte = self.first_byte;
        let (course, limits) = (&mut self.errand.course, &self.timeouts);
        match inject(self.client, fault, self.app, course, stop, limits).await {
            Ok(waited) => {
                self.now += waited;
                self.timeouts.first_byte = self.first_byte.saturating_sub(waited);
                Ok(None)
            }
            Err(End::Fails(failure)) => Ok(Some(failure)),
            Err(End::Abort(status)) => Err(status),
        }
    }

    /// What is done with a response that says that something is wrong.
    #[cold]
    fn reconsider(&mut self, answer: &Answer, stop: &Stop<'_>) -> Turn {
        let (worker, group) = (&self.client.worker, stop.group.slot);
        let status = answer.response.status();
        let may = self.idempotent && self.outbound.is_uploaded() && self.outbound.is_replayable();
        if self.idempotent && self.retry.on.has_status(status.as_u16()) {
            let before = self.retry.attempts - self.attempts_left;
            // Nobody waits for what will not be tried.
            let more = self.has_more(stop);
            let wait = match may && self.attempts_left > 0 && more {
                true => {
                    let headers = answer.response.headers();
                    again::after(self.retry, headers, before, worker.dice.draw())
                }
                false => None,
            };
            match wait {
                Some(wait) if charge(worker, self.app) => {
                    self.errand.course.repeat();
                    self.attempts_left -= 1;
                    self.repeated = Some(group);
                    return Turn::Again(wait);
                }
                Some(_) => {
                    worker.recorder.group(group, GroupEvent::RetryRefused);
                    self.errand.course.note(Flags::RETRY_LIMIT);
                }
                None if self.attempts_left == 0 || !more => {
                    self.errand.course.note(Flags::RETRY_LIMIT)
                }
                None => {}
            }
        }
        let cause = Cause::Status(status);
        match self.fallback(cause) {
            None => Turn::Deliver,
            Some(_) if may && self.falls_elsewhere(cause, true, Some(group)) => Turn::Elsewhere,
            Some(fallback) if fallback.respond.is_some() => Turn::StandIn,
            Some(_) => Turn::Deliver,
        }
    }

    /// What is done after an attempt without a response.
    fn failed(&mut self, stop: &Stop<'_>, failure: Failure, injected: bool) -> Then {
        let (client, worker) = (self.client, &self.client.worker);
        let group = stop.group.slot;
        // It ran out of the time of an attempt, and that is not the endpoint's doing.
        let failure = match failure {
            Failure::FirstByte if self.outbound.waits_for_client() => Failure::UploadStalled,
            failure => failure,
        };
        if failure == Failure::Full {
            // Nothing was tried: neither the endpoint nor the request has failed.
            self.errand.course.leave(stop.cluster, stop.group);
            return Then::On(Duration::ZERO);
        }
        if failure == Failure::Stale {
            // Its endpoint may be well, or killed a moment ago: others go first.
            self.errand.course.put_last(stop.endpoint);
        }
        let more = failure == Failure::Stale || self.has_more(stop);
        if injected {
            // It says nothing about the endpoint.
            self.errand.course.exclude(stop.endpoint);
        } else {
            let uploaded = self.outbound.is_uploaded();
            note_failure(client, &mut self.errand, stop, failure, uploaded);
            if self.app.plan.app.balance.policy == Policy::PeakEwma {
                let to = Destination::of(self.app, stop.cluster, stop.endpoint);
                let upstream = worker.upstreams.at(stop.endpoint.slot, to);
                weigh_failure(worker, &upstream, failure, self.now);
            }
        }
        self.outbound.afresh |= failure == Failure::Stale;
        let chance = Chance {
            idempotent: self.idempotent,
            wanted: failure.is_wanted(&self.retry.on),
            replayable: self.outbound.is_replayable(),
            attempts_left: self.attempts_left,
        };
        match failure.next(chance, || !more || charge(worker, self.app)) {
            Next::TryOn(refusal) => self.last = (refusal, Some(group)),
            Next::Refuse(refusal, flags) => {
                if flags == Flags::RETRY_LIMIT && self.attempts_left > 0 {
                    worker.recorder.group(group, GroupEvent::RetryRefused);
                }
                return Then::End(refusal, flags);
            }
            Next::Abandon => return Then::Abandon,
        }
        if !more {
            return Then::On(Duration::ZERO);
        }
        self.repeated = Some(group);
        if !failure.is_charged() {
            return Then::On(Duration::ZERO);
        }
        let before = self.retry.attempts - self.attempts_left;
        self.attempts_left -= 1;
        self.errand.course.repeat();
        Then::On(match failure {
            // Nothing is wrong with the endpoint behind a stale connection.
            Failure::Stale => Duration::ZERO,
            _ => again::elsewhere(&self.retry.back_off, before, worker.dice.draw()),
        })
    }

    /// Whether anybody but this endpoint is left to try.
    fn has_more(&self, but: &Stop<'_>) -> bool {
        let home = self.client.worker.settings.home.as_ref();
        self.errand.course.has_more(self.app, home, but.endpoint)
    }

    pub(super) fn look_at_the_clock(&mut self) {
        self.now = Instant::now();
        self.errand.tick = self.client.worker.shared.tick(self.now);
    }

    fn deliver(self, answer: Answer, in_flight: InFlight) -> Response<Reply> {
        let (errand, outbound) = (self.errand, self.outbound);
        deliver(self.client, errand, answer, in_flight, outbound, self.id)
    }

    /// Nothing is left to try, but perhaps another place.
    #[cold]
    fn goes_on_elsewhere(&mut self) -> bool {
        let (cause, group) = match &self.spare {
            Some(spare) => (
                Cause::Status(spare.0.response.status()),
                Some(spare.1.group()),
            ),
            None => {
                let (refusal, _, group) = self.loss();
                (Cause::of(refusal).unwrap_or(Cause::Unavailable), group)
            }
        };
        self.falls_elsewhere(cause, false, group)
    }

    /// Why nothing is left to try: the last failure and its group.
    fn loss(&self) -> (Refusal, Flags, Option<u32>) {
        let (refusal, group) = self.last;
        match (self.errand.course.full(), group) {
            // Nothing failed: there was no room.
            (Some(full), None) => (Refusal::Overflow, Flags::default(), Some(full)),
            (Some(_), group) => (refusal, Flags::OVERFLOW, group),
            (None, group) => (refusal, Flags::default(), group),
        }
    }

    /// The answer when nothing is left to try.
    fn exhausted(mut self) -> Response<Reply> {
        let Some(spare) = self.spare.take() else {
            let (refusal, flags, group) = self.loss();
            return self.end((refusal, flags), group);
        };
        let (answer, in_flight) = *spare;
        let status = answer.response.status();
        match self.fallback(Cause::Status(status)) {
            Some(fallback) if fallback.respond.is_some() => {
                let group = in_flight.group();
                drop((answer, in_flight));
                self.stand_in(status, group)
            }
            _ => self.deliver(answer, in_flight),
        }
    }

    /// The response that stands in for a backend's with such a status.
    #[cold]
    fn stand_in(self, status: StatusCode, group: u32) -> Response<Reply> {
        let end = (Refusal::Injected(status), Flags::default());
        self.end(end, Some(group))
    }

    /// Answers without a backend.
    fn end(self, (refusal, flags): (Refusal, Flags), group: Option<u32>) -> Response<Reply> {
        let fallback = Cause::of(refusal).and_then(|cause| self.fallback(cause));
        match fallback.and_then(|fallback| fallback.respond.as_ref()) {
            None => refuse(self.client, self.errand, refusal, flags, group, &self.id),
            Some(respond) => {
                let (status, why) = match refusal {
                    Refusal::Injected(status) => (status, Flags::NONE),
                    refusal => refusal.status(),
                };
                let came = (status, why.and(flags));
                stand_in(self.client, self.errand, respond, came, group, &self.id)
            }
        }
    }

    fn abandon(mut self) -> Gone {
        self.client.worker.recorder.event(HttpEvent::ClientGone);
        self.errand.lead();
        let now = Instant::now();
        log(
            self.client,
            self.errand.draft,
            (None, None),
            Flags::CLIENT_GONE,
            now,
        );
        Gone
    }
}
