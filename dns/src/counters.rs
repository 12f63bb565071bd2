//! HOT. What a DNS thread counts: one bank cell per answer, and whom a steered one was for; nothing
//! shared with other threads.

use std::net::IpAddr;

use windrose_telemetry::{
    DnsEvent, LIMITERS, Local, Metrics, NO_ZONE, SIZE_SUM_CELL, Steps, Way, limited_cell,
    qtype_cell, rcode_cell, size_cell,
};

use crate::answer::Transport;
use crate::limit::{Action, Judgement};
use crate::reply::{AnswerClass, Reply};

/// The counters of one thread.
pub struct Counters {
    queries: Local,
    steered: Local,
    clients: Steps,
    asked: Local,
    sizes: Local,
    limited: Local,
    cookies: Local,
    extended_errors: Local,
    events: Local,
}

impl Counters {
    /// This thread's part of the node's numbers.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            queries: metrics.dns_queries.local(),
            steered: metrics.dns_steered.local(),
            clients: metrics.dns_footprints.steps(),
            asked: metrics.dns_asked.local(),
            sizes: metrics.dns_sizes.local(),
            limited: metrics.dns_limited.local(),
            cookies: metrics.dns_cookies.local(),
            extended_errors: metrics.dns_extended_errors.local(),
            events: metrics.dns_events.local(),
        }
    }

    /// Counts what became of one message, of whose answer `sent` octets go out.
    #[inline]
    pub(crate) fn count(&self, way: Way, reply: Option<&Reply>, sent: usize) {
        let Some(reply) = reply else {
            return self.event(DnsEvent::Dropped);
        };
        let rcode = rcode_cell(reply.rcode as u8);
        self.queries.add(reply.zone.unwrap_or(NO_ZONE), rcode, 1);
        let asked = qtype_cell(reply.qtype) * Way::COUNT + way.cell();
        self.asked.add(0, asked, 1);
        #[allow(clippy::cast_possible_truncation, reason = "a message")]
        let octets = sent as u32;
        if octets > 0 {
            let transport = u32::from(way.tcp);
            self.sizes.add(transport, size_cell(octets), 1);
            self.sizes.add(transport, SIZE_SUM_CELL, octets.into());
        }
        if let Some(steered) = reply.steered {
            self.steered.add(steered.slot, 0, 1);
            self.clients.note(steered.slot, steered.client);
        }
        if reply.truncated {
            self.event(DnsEvent::Truncated);
        }
        if reply.cookie.is_some() | reply.error.is_some() {
            self.remarkable(reply);
        }
    }

    /// Counts what few answers have.
    #[cold]
    fn remarkable(&self, reply: &Reply) {
        if let Some(cookie) = reply.cookie {
            self.cookies.add(0, cookie as u32, 1);
        }
        if let Some(error) = reply.error {
            self.extended_errors.add(0, error as u32, 1);
        }
    }

    /// Counts what limiters did to an answer, or would have done.
    #[cold]
    pub(crate) fn limited(&self, class: AnswerClass, judgement: &Judgement) {
        const QUERIES: u32 = LIMITERS.len() as u32 - 1;
        for (limiter, limited) in [
            (QUERIES, judgement.queries),
            (class as u32, judgement.responses),
        ] {
            if let Some(limited) = limited {
                let slipped = limited.action == Action::Slip;
                let cell = limited_cell(limiter, slipped, limited.dry_run);
                self.limited.add(0, cell, 1);
            }
        }
    }

    #[cold]
    pub(crate) fn event(&self, event: DnsEvent) {
        self.events.add(0, event as u32, 1);
    }
}

/// How a query came.
#[inline]
pub(crate) fn way(transport: Transport, source: IpAddr) -> Way {
    let ipv6 = match source {
        IpAddr::V4(_) => false,
        // What an IPv6 socket shows of an IPv4 client.
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none(),
    };
    let tcp = transport == Transport::Tcp;
    Way { tcp, ipv6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_limiters_are_those_of_the_classes() {
        for class in AnswerClass::ALL {
            let label = ("responses", class.as_str());
            assert_eq!(LIMITERS[class as usize], label);
        }
        assert_eq!(LIMITERS.len(), AnswerClass::COUNT + 1);
    }
}
