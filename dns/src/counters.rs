//! HOT. What a DNS thread counts: one bank cell per answer, and whom a steered one was for; nothing
//! shared with other threads.

use windrose_telemetry::{DnsEvent, Local, Metrics, NO_ZONE, RCODES, Steps};

use crate::reply::Reply;

/// The counters of one thread.
pub struct Counters {
    queries: Local,
    steered: Local,
    clients: Steps,
    events: Local,
}

impl Counters {
    /// This thread's part of the node's numbers.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            queries: metrics.dns_queries.local(),
            steered: metrics.dns_steered.local(),
            clients: metrics.dns_footprints.steps(),
            events: metrics.dns_events.local(),
        }
    }

    /// Counts what became of one message.
    #[inline]
    pub(crate) fn count(&self, reply: Option<&Reply>) {
        let Some(reply) = reply else {
            return self.event(DnsEvent::Dropped);
        };
        // BADVERS does not fit the header's four bits; it shares the last cell.
        let rcode = u32::from(reply.rcode as u8).min(RCODES - 1);
        self.queries.add(reply.zone.unwrap_or(NO_ZONE), rcode, 1);
        if let Some(steered) = reply.steered {
            self.steered.add(steered.slot, 0, 1);
            self.clients.note(steered.slot, steered.client);
        }
        if reply.truncated {
            self.event(DnsEvent::Truncated);
        }
    }

    #[cold]
    pub(crate) fn event(&self, event: DnsEvent) {
        self.events.add(0, event as u32, 1);
    }
}
