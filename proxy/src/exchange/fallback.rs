//! What stands in for a response that no backend gave, or none that clients should see.

use http::StatusCode;
use windrose_model::Fallback;
use windrose_telemetry::{FELL_ELSEWHERE, GroupEvent};

use super::evidence::charge;
use super::forward::Way;
use crate::errand::app_slot;
use crate::flags::Flags;
use crate::refusal::Refusal;

/// Why a request could not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody took it.
    Unavailable,
    Reset,
    Timeout,
    /// All of its time is up.
    Late,
    /// A backend, or a fault in place of one, answered so.
    Status(StatusCode),
}

impl Cause {
    /// None: it is not for want of a backend.
    pub(super) const fn of(refusal: Refusal) -> Option<Self> {
        Some(match refusal {
            Refusal::NoEndpoint | Refusal::Overflow | Refusal::Unreachable | Refusal::Declined => {
                Self::Unavailable
            }
            Refusal::Closed | Refusal::Garbage => Self::Reset,
            Refusal::FirstByte => Self::Timeout,
            Refusal::Duration => Self::Late,
            Refusal::Injected(status) => Self::Status(status),
            _ => return None,
        })
    }

    pub(super) fn is_covered(self, fallback: &Fallback) -> bool {
        match self {
            Self::Unavailable => true,
            Self::Reset => fallback.on.reset,
            Self::Timeout | Self::Late => fallback.on.timeout,
            Self::Status(status) => fallback.on.has_status(status.as_u16()),
        }
    }
}

impl<'a> Way<'a> {
    /// The fallback, if it is for such a cause.
    pub(super) fn fallback(&self, cause: Cause) -> Option<&'a Fallback> {
        let fallback = self.errand.fallback(self.app)?;
        cause.is_covered(fallback).then_some(fallback)
    }

    /// Whether the request goes on elsewhere, once. `group`: where it failed; `sent`: a backend may
    /// have it, so the rules of retries hold.
    #[cold]
    pub(super) fn falls_elsewhere(&mut self, cause: Cause, sent: bool, group: Option<u32>) -> bool {
        let Some(fallback) = self.fallback(cause) else {
            return false;
        };
        let Some(place) = &fallback.elsewhere else {
            return false;
        };
        let worker = &self.client.worker;
        let course = &self.errand.course;
        if self.fell || cause == Cause::Late || !self.outbound.is_replayable() {
            return false;
        }
        let Some(to) = self.app.falls_to(course.view(), course.version(), place) else {
            return false;
        };
        let sent = sent || course.repeats();
        if sent && !self.idempotent {
            return false;
        }
        if sent && !charge(worker, self.app) {
            if let Some(group) = group {
                worker.recorder.group(group, GroupEvent::RetryRefused);
            }
            self.errand.course.note(Flags::RETRY_LIMIT);
            return false;
        }
        worker
            .recorder
            .fell_back(app_slot(self.app), FELL_ELSEWHERE);
        self.fell = true;
        self.errand.course.fall_to(to);
        if sent {
            self.errand.course.repeat();
            self.repeated = group;
        }
        self.look_at_the_clock();
        true
    }
}
