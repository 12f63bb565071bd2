//! A second try of a request beside the first, when that takes long: the first good response wins, and
//! the other try is reset.
//!
//! The first try holds the deadlines of the client's connection; the second has timers of its own.
//! Who loses says nothing about its endpoint.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, StatusCode};
use windrose_model::{Hedge, Timeouts};
use windrose_routing::AppEntry;
use windrose_telemetry::{GroupEvent, Hedged};

use super::evidence::{charge, note_answer, note_failure};
use crate::attempt::{Answer, Twin};
use crate::connection::Client;
use crate::course::{Failure, Stop};
use crate::download::Download;
use crate::errand::{Errand, app_slot};
use crate::flags::Flags;
use crate::hop;
use crate::links;
use crate::multiplex::{self, NoSeat};
use crate::pool::Destination;
use crate::unanswered::{Unanswered, Why};
use crate::upload::UploadBody;
use crate::upstream::{InFlight, Sender};

type Tried = Result<Answer, Failure>;

/// Two tries of one request.
pub(super) struct Race<'a, 't> {
    client: &'a Rc<Client>,
    app: &'t AppEntry,
    errand: &'a mut Errand,
    stop: &'a Stop<'t>,
    limits: &'a Timeouts,
    twin: Option<Box<Twin>>,
}

/// Whether a second try was made.
pub(super) enum Run<'t> {
    Alone,
    /// With the place whose outcome it is, if that is not the first one's.
    Made(Option<(Stop<'t>, InFlight)>),
}

impl<'a, 't> Race<'a, 't> {
    pub(super) fn new(
        client: &'a Rc<Client>,
        app: &'t AppEntry,
        errand: &'a mut Errand,
        stop: &'a Stop<'t>,
        limits: &'a Timeouts,
        twin: Box<Twin>,
    ) -> Self {
        Self {
            client,
            app,
            errand,
            stop,
            limits,
            twin: Some(twin),
        }
    }

    /// Waits for the first try, and for a second one from the moment that the rule says.
    pub(super) async fn run(
        mut self,
        hedge: Hedge,
        mut first: Pin<Box<impl Future<Output = Tried>>>,
    ) -> (Tried, Run<'t>) {
        let mut time = pin!(tokio::time::sleep(hedge.after));
        let early = poll_fn(|cx: &mut Context<'_>| match first.as_mut().poll(cx) {
            Poll::Ready(tried) => Poll::Ready(Some(tried)),
            Poll::Pending => time.as_mut().poll(cx).map(|()| None),
        });
        if let Some(tried) = early.await {
            return (tried, Run::Alone);
        }
        let Some((request, mut stop)) = self.begin() else {
            return (first.await, Run::Alone);
        };
        let (client, worker) = (self.client, &self.client.worker);
        let to = Destination::of(self.app, stop.cluster, stop.endpoint);
        let upstream = worker.upstreams.at(stop.endpoint.slot, to);
        let in_flight = upstream.engage(stop.group.slot, stop.permit.take());
        let (ours, theirs) = {
            let mut second = pin!(try_once(client, &in_flight, self.limits, request));
            let (mut ours, mut theirs): (Option<Tried>, Option<Tried>) = (None, None);
            poll_fn(|cx: &mut Context<'_>| {
                if ours.is_none()
                    && let Poll::Ready(tried) = first.as_mut().poll(cx)
                {
                    let is_final = match &tried {
                        Ok(answer) => self.is_good(answer),
                        Err(failure) => !failure.is_mendable(),
                    };
                    ours = Some(tried);
                    if is_final {
                        return Poll::Ready(());
                    }
                    client.watch.pause(Instant::now());
                }
                if theirs.is_none()
                    && let Poll::Ready(tried) = second.as_mut().poll(cx)
                {
                    let is_good = tried.as_ref().is_ok_and(|answer| self.is_good(answer));
                    theirs = Some(tried);
                    if is_good {
                        return Poll::Ready(());
                    }
                }
                let alone = ours.is_some();
                let over = alone && (client.watch.take_expired() || client.watch.is_gone());
                match over || alone && theirs.is_some() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            (ours, theirs)
        };
        self.settle(ours, theirs, (stop, in_flight))
    }

    /// The second try, if there may be one.
    fn begin(&mut self) -> Option<(Request<UploadBody>, Stop<'t>)> {
        let worker = &self.client.worker;
        let request = self.twin.take()?.request()?;
        let (at, tick) = (self.stop.endpoint, self.errand.tick);
        let stop = (self.errand.course).beside(at, self.app, worker, tick)?;
        if !charge(worker, self.app) {
            self.count(Hedged::Refused);
            return None;
        }
        if let Some(first) = stop.moved_from {
            worker.recorder.group(first, GroupEvent::MovedCluster);
        }
        if let Some(draft) = &mut self.errand.draft {
            draft.tries(stop.endpoint.address);
        }
        Some((request, stop))
    }

    /// What came of both: the outcome, and what is said about the endpoints.
    fn settle(
        mut self,
        ours: Option<Tried>,
        theirs: Option<Tried>,
        (stop, in_flight): (Stop<'t>, InFlight),
    ) -> (Tried, Run<'t>) {
        let first = self.stop;
        let wins = match (&ours, &theirs) {
            (_, Some(Ok(answer))) if self.is_good(answer) => true,
            // Rather a bad response than none.
            (Some(Err(failure)), Some(Ok(_))) => failure.is_mendable(),
            _ => false,
        };
        match (ours, theirs) {
            (ours, Some(theirs)) if wins => {
                self.count(Hedged::Won);
                self.errand.course.note(Flags::HEDGED);
                self.errand.cluster = Some(stop.cluster);
                if let Some(ours) = ours {
                    self.note(first, ours);
                }
                (theirs, Run::Made(Some((stop, in_flight))))
            }
            (ours, theirs) => {
                if let Some(draft) = &mut self.errand.draft {
                    draft.stays_with(first.endpoint.address);
                }
                match theirs {
                    None => self.count(Hedged::Lost),
                    Some(theirs) => {
                        self.count(Hedged::Failed);
                        self.note(&stop, theirs);
                    }
                }
                let watch = &self.client.watch;
                let tried = match ours {
                    Some(tried @ (Ok(_) | Err(Failure::Duration))) => tried,
                    // Only the second try was left when they ended.
                    _ if watch.is_gone() => Err(Failure::ClientGone),
                    _ if watch.is_over(Instant::now()) => Err(Failure::Duration),
                    Some(tried) => tried,
                    None => Err(Failure::Duration),
                };
                (tried, Run::Made(None))
            }
        }
    }

    /// Good enough to end the race.
    fn is_good(&self, answer: &Answer) -> bool {
        let status = answer.response.status();
        let retry = self.errand.retry(self.app);
        !status.is_server_error() && !retry.on.has_status(status.as_u16())
    }

    /// What a try that ended says about its endpoint.
    fn note(&mut self, stop: &Stop<'_>, tried: Tried) {
        match tried {
            Ok(answer) => {
                let to = Destination::of(self.app, stop.cluster, stop.endpoint);
                let upstream = self.client.worker.upstreams.at(stop.endpoint.slot, to);
                let status = answer.response.status().as_u16();
                note_answer(self.client, self.errand, stop, &upstream, status);
            }
            Err(Failure::Full) => {}
            Err(failure) => note_failure(self.client, self.errand, stop, failure, true),
        }
    }

    fn count(&self, what: Hedged) {
        let recorder = &self.client.worker.recorder;
        recorder.hedged(app_slot(self.app), what);
    }
}

/// One try, with timers of its own.
async fn try_once(
    client: &Client,
    in_flight: &InFlight,
    limits: &Timeouts,
    request: Request<UploadBody>,
) -> Tried {
    let (worker, upstream) = (&client.worker, in_flight.upstream());
    let mut link = match links::take(client, upstream) {
        Some(link) => link,
        None => {
            let began = Instant::now();
            let beginning = client.beginning(upstream.pool().to().manner);
            let room = || in_flight.connection();
            let linking = upstream.link(worker, limits.connect, beginning, false, room);
            let link = linking.await.map_err(|no| match no {
                NoSeat::Full => Failure::Full,
                NoSeat::Unreachable => Failure::NotSent,
            })?;
            let took = began.elapsed();
            worker.recorder.connected(in_flight.group(), took);
            link
        }
    };
    let sending = async {
        let reused = link.reused;
        let sent = match &mut link.sender {
            Sender::Http1(sender) => {
                let sent = sender.try_send_request(request).await;
                sent.map(|response| response.map(Download::Http1))
                    .map_err(Unanswered::from)
            }
            Sender::Http2(seat) => multiplex::exchange(seat, request).await,
        };
        sent.map_err(|unanswered| match unanswered.why {
            Why::Unprocessed => Failure::Unprocessed,
            _ if reused => Failure::Stale,
            Why::Garbage => Failure::Garbage,
            Why::Broken => Failure::Closed,
        })
    };
    let response = match limits.first_byte.is_zero() {
        true => sending.await?,
        false => {
            let answered = tokio::time::timeout(limits.first_byte, sending).await;
            answered.unwrap_or(Err(Failure::FirstByte))?
        }
    };
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switches || !hop::is_content_plain(response.headers()) {
        return Err(Failure::Garbage);
    }
    Ok(Answer { response, link })
}
