//! The deadlines of one client connection: one timer for idling, heads, bodies and answers.
//!
//! A timer per request would cost as much as routing it. Here a connection has one tokio timer that
//! is armed at or before the earliest moment at which anything could be due, and looks again when
//! it fires; moving a deadline further away is a store. One exchange is under way at a time
//! (HTTP/1), so one deadline is enough; a stream of HTTP/2 has a watch of its own, and they share the
//! timer of their connection.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::settings::Settings;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first octet of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// Anything within an exchange: the exchange is told and decides.
    Exchange,
    /// The client's end, after ours.
    Leaving,
}

/// What to do when the timer fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing is due yet, or the exchange was told.
    Wait,
    /// No request came: close quietly.
    Idle,
    /// A head did not arrive in time.
    Head,
}

/// The deadlines of one connection, shared by its task, its exchange and its bodies.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: Cell<Phase>,
    due: Cell<Instant>,
    /// End of the whole exchange, if limited.
    end: Cell<Option<Instant>>,
    /// The task must look again no later than this.
    look: Cell<Instant>,
    /// The shortest wait that may begin without the task noticing.
    step: Cell<Duration>,
    /// `step` between exchanges.
    rest_step: Duration,
    expired: Cell<bool>,
    /// Octets were read since the phase was left idle.
    heard: Cell<bool>,
    /// The response broke off: reset instead of a clean end.
    broken: Cell<bool>,
    /// The client has a response in more than one part to take, and each octet it takes counts.
    taking: Cell<bool>,
    /// Nothing that was written waits to be sent.
    flushed: Cell<bool>,
    /// The client's body is not framed as it has to be.
    spoilt: Cell<bool>,
    /// The client's body is not through; of a stream of HTTP/2.
    uploading: Cell<bool>,
    /// The idling was ended from outside.
    dismissed: Cell<bool>,
    /// The client has left: a stream of HTTP/2 was reset, or its connection ended.
    gone: Cell<bool>,
    /// The client's first octets are the preface of HTTP/2.
    http2: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    head_timeout: Duration,
    idle_timeout: Duration,
    stream_timeout: Duration,
    send_timeout: Duration,
}

/// How long a client may go on sending after we have closed our half.
const LEAVING: Duration = Duration::from_secs(5);
/// "Off" as a duration that never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

impl Watch {
    pub(crate) fn new(now: Instant, settings: &Settings) -> Self {
        let step = settings
            .idle_timeout
            .min(settings.head_timeout)
            .min(settings.stream_timeout)
            .min(limit(settings.send_timeout));
        Self {
            phase: Cell::new(Phase::Idle),
            due: Cell::new(now + settings.idle_timeout),
            end: Cell::new(None),
            look: Cell::new(now + step),
            step: Cell::new(step),
            rest_step: step,
            expired: Cell::new(false),
            heard: Cell::new(false),
            broken: Cell::new(false),
            taking: Cell::new(false),
            flushed: Cell::new(true),
            spoilt: Cell::new(false),
            uploading: Cell::new(false),
            dismissed: Cell::new(false),
            gone: Cell::new(false),
            http2: Cell::new(false),
            waker: RefCell::new(None),
            head_timeout: settings.head_timeout,
            idle_timeout: settings.idle_timeout,
            stream_timeout: settings.stream_timeout,
            send_timeout: limit(settings.send_timeout).min(settings.stream_timeout),
        }
    }

    /// An exchange begins. `soonest` is the shortest wait in it; `whole` its timeout, zero is off.
    pub(crate) fn begin(&self, now: Instant, soonest: Duration, whole: Duration) {
        self.phase.set(Phase::Exchange);
        self.taking.set(false);
        self.expired.set(false);
        self.end.set((!whole.is_zero()).then(|| now + whole));
        self.due_at(now + NEVER);
        let step = self.step.get().min(soonest);
        let look = (now + step).min(self.due.get());
        if look < self.look.get() {
            self.look.set(look);
        }
        self.step.set(step);
    }

    /// The request is with a backend: its answer is due.
    pub(crate) fn expect_answer(&self, now: Instant, answer: Duration) {
        self.due_at(now + limit(answer));
    }

    /// A body moved, or should.
    pub(crate) fn expect_body(&self, now: Instant) {
        self.taking.set(false);
        self.due_at(now + self.stream_timeout);
    }

    /// A response waits for the window of its stream, until then at most. Its exchange may be over.
    pub(crate) fn expect_window(&self, now: Instant, due: Instant) {
        self.phase.set(Phase::Exchange);
        self.due_at(due.max(now));
        self.look.set(self.look.get().min(self.due.get()));
    }

    /// The client left: whoever waits for something on its behalf stops.
    pub(crate) fn leave_alone(&self) {
        self.gone.set(true);
    }

    /// Whether the client left.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// The client speaks HTTP/2.
    pub(crate) fn speak_http2(&self) {
        self.http2.set(true);
    }

    /// Whether the client speaks HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.http2.get()
    }

    /// The client was given a part of its response, and has to take it.
    pub(crate) fn expect_taking(&self, now: Instant) {
        self.due_at(now + self.send_timeout);
        self.taking.set(true);
    }

    /// Something is written to the client.
    #[inline]
    pub(crate) fn write(&self) {
        self.flushed.set(false);
    }

    /// All that was written is sent.
    #[inline]
    pub(crate) fn flush(&self) {
        self.flushed.set(true);
    }

    /// Whether nothing that was written waits to be sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.flushed.get()
    }

    /// Octets went to the client.
    #[inline]
    pub(crate) fn took(&self) {
        if self.taking.get() {
            self.took_at(Instant::now());
        }
    }

    fn took_at(&self, now: Instant) {
        match self.phase.get() {
            Phase::Exchange if !self.expired.get() => self.due_at(now + self.send_timeout),
            // The end of a response is still on its way.
            Phase::Idle if !self.heard.get() => self.due.set(now + self.idle_timeout),
            _ => {}
        }
    }

    /// Nothing is due until told otherwise, except the whole exchange.
    pub(crate) fn pause(&self, now: Instant) {
        self.due_at(now + NEVER);
    }

    /// The exchange is over.
    pub(crate) fn rest(&self, now: Instant) {
        self.phase.set(Phase::Idle);
        self.heard.set(false);
        self.expired.set(false);
        self.end.set(None);
        self.step.set(self.rest_step);
        self.due.set(now + self.idle_timeout);
    }

    /// We have closed our half, and wait for a while for the client to close its.
    pub(crate) fn leave(&self, now: Instant) {
        self.phase.set(Phase::Leaving);
        self.due.set(now + LEAVING);
        self.look.set(self.look.get().min(now + LEAVING));
    }

    /// Whether our half is closed.
    pub(crate) fn is_left(&self) -> bool {
        self.phase.get() == Phase::Leaving
    }

    /// Octets came from the client.
    pub(crate) fn hear(&self) {
        self.heard.set(true);
    }

    /// The response broke off.
    pub(crate) fn break_off(&self) {
        self.broken.set(true);
    }

    /// The client's body is not framed as it has to be.
    pub(crate) fn spoil(&self) {
        self.spoilt.set(true);
    }

    /// Whether the body broke off by its framing, not because the client left.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.spoilt.get()
    }

    /// Whether there is more of the client's body to come.
    pub(crate) fn uploads(&self, more: bool) {
        self.uploading.set(more);
    }

    /// Whether there is more of the client's body to come.
    pub(crate) fn is_uploading(&self) -> bool {
        self.uploading.get()
    }

    /// Whether to reset the connection instead of closing it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether the whole exchange is out of time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.end.get().is_some_and(|end| end <= now)
    }

    /// Whether the deadline passed since it was last asked.
    pub(crate) fn take_expired(&self) -> bool {
        self.expired.replace(false)
    }

    /// Whether an exchange was told of its deadline and did not react: its client does not read.
    pub(crate) fn ignored(&self) -> bool {
        self.expired.get()
    }

    /// After the connection made what progress it could: notes a head that began.
    pub(crate) fn note_head(&self) {
        if self.phase.get() == Phase::Idle && self.heard.get() {
            let now = Instant::now();
            self.phase.set(Phase::Head);
            self.due.set(now + self.head_timeout);
        }
    }

    /// The timer fired.
    pub(crate) fn fired(&self, now: Instant) -> Due {
        let due = self.due.get();
        self.look.set(due.min(now + self.step.get()));
        if now < due {
            return Due::Wait;
        }
        match self.phase.get() {
            Phase::Idle | Phase::Leaving => Due::Idle,
            Phase::Head => Due::Head,
            Phase::Exchange => {
                self.expired.set(true);
                self.due.set(now + NEVER);
                self.look.set(now + self.step.get());
                Due::Wait
            }
        }
    }

    /// Since when no request has come; `None` while there is one, or the beginning of one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.phase.get() == Phase::Idle && !self.heard.get();
        idle.then(|| self.due.get().checked_sub(self.idle_timeout))?
    }

    /// Ends the idling now.
    pub(crate) fn dismiss(&self, now: Instant) {
        self.due.set(now);
        self.look.set(now);
        self.dismissed.set(true);
        self.wake();
    }

    /// Whether the idling was ended.
    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.get()
    }

    /// When the task must look at the latest.
    pub(crate) fn look(&self) -> Instant {
        self.look.get()
    }

    /// Remembers who to wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        if slot.as_ref().is_none_or(|w| !w.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Wakes the connection's task.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Waits for `future`, but not beyond the deadline, and only while the client is there.
    pub(crate) async fn within<F: Future + Unpin>(&self, mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
                return Poll::Ready(Some(output));
            }
            if self.take_expired() || self.is_gone() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }

    /// Who waits for something else has reacted, to a deadline that passed, too: it may have passed
    /// when what was waited for was there, unseen.
    fn due_at(&self, due: Instant) {
        self.expired.set(false);
        self.due.set(self.end.get().map_or(due, |end| end.min(due)));
    }
}

fn limit(timeout: Duration) -> Duration {
    if timeout.is_zero() { NEVER } else { timeout }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch(now: Instant) -> Watch {
        Watch::new(
            now,
            &Settings {
                head_timeout: SECOND * 10,
                idle_timeout: SECOND * 60,
                stream_timeout: SECOND * 30,
                ..Settings::default()
            },
        )
    }

    #[test]
    fn an_idle_connection_is_looked_at_early_and_closed_late() {
        let t = Instant::now();
        let watch = watch(t);
        assert_eq!(watch.look(), t + SECOND * 10);
        assert_eq!(watch.fired(t + SECOND * 10), Due::Wait);
        assert_eq!(watch.look(), t + SECOND * 20);
        assert_eq!(watch.fired(t + SECOND * 60), Due::Idle);
    }

    #[test]
    fn an_answer_that_is_due_tells_the_exchange_once() {
        let t = Instant::now();
        let watch = watch(t);
        watch.begin(t, SECOND * 2, Duration::ZERO);
        watch.expect_answer(t, SECOND * 2);
        assert_eq!(watch.look(), t + SECOND * 2);
        assert_eq!(watch.fired(t + SECOND), Due::Wait);
        assert!(!watch.take_expired());
        assert_eq!(watch.fired(t + SECOND * 2), Due::Wait);
        assert!(watch.take_expired());
        assert!(!watch.take_expired());
    }

    #[test]
    fn an_exchange_that_waits_for_something_else_has_reacted() {
        let t = Instant::now();
        let watch = watch(t);
        // The answer is there when the thread comes to look, and so is its deadline.
        let late = |then: &dyn Fn()| {
            watch.begin(t, SECOND, Duration::ZERO);
            watch.expect_answer(t, SECOND);
            watch.fired(t + SECOND * 2);
            then();
            watch.ignored()
        };
        assert!(!late(&|| watch.expect_body(t + SECOND * 2)));
        assert!(!late(&|| watch.expect_taking(t + SECOND * 2)));
        assert!(!late(&|| watch.rest(t + SECOND * 2)));
        assert!(late(&|| watch.took_at(t + SECOND * 2)), "octets of before");
    }

    #[test]
    fn whatever_is_waited_for_the_whole_exchange_ends_in_time() {
        let t = Instant::now();
        let watch = watch(t);
        watch.begin(t, SECOND * 15, SECOND * 20);
        watch.expect_body(t + SECOND);
        watch.fired(t + SECOND * 20);
        assert!(watch.take_expired());
        assert!(watch.is_over(t + SECOND * 20));
    }

    #[test]
    fn the_timer_is_never_armed_behind_a_deadline() {
        let t = Instant::now();
        let watch = watch(t);
        // A short answer timeout that only begins after a long upload.
        watch.begin(t, SECOND, Duration::ZERO);
        watch.expect_body(t);
        let mut now = t;
        for _ in 0..5 {
            now = watch.look();
            watch.fired(now);
        }
        watch.expect_answer(now, SECOND);
        assert!(watch.look() <= now + SECOND);
    }

    #[test]
    fn a_client_that_should_leave_is_not_waited_for_long() {
        let t = Instant::now();
        let watch = watch(t);
        watch.begin(t, SECOND, Duration::ZERO);
        watch.rest(t);
        watch.leave(t);
        watch.hear();
        watch.note_head();
        assert!(watch.look() <= t + LEAVING);
        assert_eq!(watch.fired(t + SECOND), Due::Wait);
        assert_eq!(watch.fired(t + LEAVING), Due::Idle);
    }

    #[test]
    fn a_client_that_takes_its_response_slowly_is_waited_for() {
        let t = Instant::now();
        let watch = watch(t);
        watch.begin(t, SECOND, Duration::ZERO);
        watch.expect_taking(t);
        watch.took_at(t + SECOND * 20);
        watch.fired(t + SECOND * 31);
        assert!(!watch.take_expired());
        watch.rest(t + SECOND * 40);
        watch.took_at(t + SECOND * 90);
        assert_eq!(watch.fired(t + SECOND * 110), Due::Wait);
        assert_eq!(watch.fired(t + SECOND * 150), Due::Idle);
        watch.begin(t, SECOND, Duration::ZERO);
        watch.expect_taking(t);
        watch.fired(t + SECOND * 30);
        assert!(watch.take_expired(), "nothing was taken");
    }

    #[test]
    fn a_head_has_its_own_deadline_from_its_first_octet() {
        let t = Instant::now();
        let watch = watch(t);
        watch.note_head();
        assert_eq!(watch.fired(t + SECOND * 11), Due::Wait);
        watch.hear();
        watch.note_head();
        assert_eq!(watch.fired(t + SECOND * 12), Due::Head);
        watch.rest(t);
        watch.note_head();
        assert_eq!(watch.fired(t + SECOND * 12), Due::Wait);
    }
}
