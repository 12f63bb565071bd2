//! What was sent and what came of it.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::latency::Latency;

/// Different addresses told apart; what goes beyond is counted as other.
const TALLIED: usize = 8;

/// Counts of one run.
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) unexpected: u64,
    /// Connections that the server closed (TCP).
    pub(crate) closed: u64,
    /// If not empty, the only addresses that are right.
    expected: Vec<Ipv4Addr>,
    wrong: u64,
    empty: u64,
    by_rcode: [u64; 16],
    by_address: Vec<(Ipv4Addr, u64)>,
    other_addresses: u64,
    pub(crate) latency: Latency,
}

impl Tally {
    pub(crate) fn new(expected: Vec<Ipv4Addr>) -> Self {
        Self {
            sent: 0,
            lost: 0,
            unexpected: 0,
            closed: 0,
            expected,
            wrong: 0,
            empty: 0,
            by_rcode: [0; 16],
            by_address: Vec::with_capacity(TALLIED),
            other_addresses: 0,
            latency: Latency::new(),
        }
    }

    pub(crate) fn count(&mut self, rcode: u8, empty: bool, address: Option<Ipv4Addr>) {
        self.by_rcode[usize::from(rcode)] += 1;
        self.empty += u64::from(rcode == 0 && empty);
        if !self.expected.is_empty() {
            let right = rcode == 0 && address.is_some_and(|ip| self.expected.contains(&ip));
            self.wrong += u64::from(!right);
        }
        let Some(address) = address else { return };
        if let Some((_, count)) = self
            .by_address
            .iter_mut()
            .find(|(known, _)| *known == address)
        {
            *count += 1;
        } else if self.by_address.len() < TALLIED {
            self.by_address.push((address, 1));
        } else {
            self.other_addresses += 1;
        }
    }

    pub(crate) fn json(&mut self, elapsed: Duration) -> String {
        self.by_address.sort_unstable();
        let received: u64 = self.by_rcode.iter().sum();
        let rcodes = (0u8..16).zip(self.by_rcode).filter(|(_, count)| *count > 0);
        let rcodes: Vec<String> = rcodes
            .map(|(rcode, count)| format!(r#""{}":{count}"#, rcode_name(rcode)))
            .collect();
        let addresses: Vec<String> = self
            .by_address
            .iter()
            .map(|(ip, count)| format!(r#""{ip}":{count}"#))
            .collect();
        format!(
            concat!(
                r#"{{"sent":{},"received":{},"noerror_with_answer":{},"lost":{},"unexpected":{},"closed":{},"wrong":{},"by_rcode":{{{}}},"#,
                r#""by_address":{{{}}},"other_addresses":{},"elapsed_s":{:.6},"per_second":{:.0},"latency_us":{}}}"#
            ),
            self.sent,
            received,
            self.by_rcode[0] - self.empty,
            self.lost,
            self.unexpected,
            self.closed,
            self.wrong,
            rcodes.join(","),
            addresses.join(","),
            self.other_addresses,
            elapsed.as_secs_f64(),
            received as f64 / elapsed.as_secs_f64(),
            self.latency.json(),
        )
    }
}

fn rcode_name(rcode: u8) -> String {
    let name = match rcode {
        0 => "noerror",
        1 => "formerr",
        2 => "servfail",
        3 => "nxdomain",
        4 => "notimp",
        5 => "refused",
        other => return format!("rcode{other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_another_address_than_the_expected_is_wrong() {
        let mut tally = Tally::new(vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()]);
        tally.count(0, false, Some([192, 0, 2, 2].into()));
        assert_eq!(tally.wrong, 0);
        tally.count(0, false, Some([192, 0, 2, 3].into()));
        tally.count(3, true, None);
        assert_eq!(tally.wrong, 2);
    }

    #[test]
    fn without_expectations_nothing_is_wrong() {
        let mut tally = Tally::new(Vec::new());
        tally.count(3, true, None);
        assert_eq!(tally.wrong, 0);
    }
}
