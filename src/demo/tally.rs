//! What the demo's clients saw: counters by cluster and by phase.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Which part of the story an outcome belongs to. Between two phases, while a verdict or a ramp is
/// under way, outcomes count for the totals alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has failed yet.
    Before,
    /// A failure was concluded, its recovery not yet begun.
    During,
    /// All that was recovered takes its full share again.
    After,
    Between,
}

/// Written by the load, read by the director. The lock is held for an addition, never across an
/// await.
#[derive(Debug)]
pub(crate) struct Tally {
    names: Vec<String>,
    addresses: BTreeMap<IpAddr, usize>,
    counts: Mutex<Counts>,
}

/// The numbers.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    phase: Phase,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) failed_idempotent: u64,
    pub(crate) queries: u64,
    pub(crate) by_rcode: BTreeMap<&'static str, u64>,
    /// From the start.
    pub(crate) total: ByCluster,
    /// Parallel to the phases `Before`, `During`, `After`.
    pub(crate) phases: [ByCluster; 3],
    /// When DNS last named the cluster.
    pub(crate) last_answer: Vec<Option<Instant>>,
    /// Why requests failed, by words, for people.
    pub(crate) reasons: BTreeMap<String, u64>,
}

/// Parallel to the clusters.
#[derive(Debug, Clone)]
pub(crate) struct ByCluster {
    pub(crate) dns: Vec<u64>,
    pub(crate) http: Vec<u64>,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// 200, by this cluster.
    Served(Option<&'a str>),
    /// Anything else, in words.
    Failed { why: String, idempotent: bool },
}

impl Tally {
    /// Clusters by name, with the addresses that DNS answers for them.
    pub(crate) fn new(clusters: &[(String, Vec<IpAddr>)]) -> Self {
        let count = clusters.len();
        let none = ByCluster {
            dns: vec![0; count],
            http: vec![0; count],
        };
        Self {
            names: clusters.iter().map(|(name, _)| name.clone()).collect(),
            addresses: clusters
                .iter()
                .enumerate()
                .flat_map(|(i, (_, ips))| ips.iter().map(move |ip| (*ip, i)))
                .collect(),
            counts: Mutex::new(Counts {
                phase: Phase::Before,
                sent: 0,
                ok: 0,
                failed: 0,
                failed_idempotent: 0,
                queries: 0,
                by_rcode: BTreeMap::new(),
                total: none.clone(),
                phases: [none.clone(), none.clone(), none],
                last_answer: vec![None; count],
                reasons: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A copy of the numbers.
    pub(crate) fn read(&self) -> Counts {
        self.lock().clone()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    pub(crate) fn asked(&self) {
        self.lock().queries += 1;
    }

    /// A DNS answer, or the lack of one.
    pub(crate) fn answered(&self, rcode: &'static str, address: Option<IpAddr>, at: Instant) {
        let cluster = address.and_then(|ip| self.addresses.get(&ip)).copied();
        let mut counts = self.lock();
        *counts.by_rcode.entry(rcode).or_default() += 1;
        let Some(cluster) = cluster else { return };
        counts.last_answer[cluster] = Some(at);
        counts.each(|c| c.dns[cluster] += 1);
    }

    pub(crate) fn sent(&self) {
        self.lock().sent += 1;
    }

    pub(crate) fn ended(&self, outcome: Outcome<'_>) {
        let mut counts = self.lock();
        match outcome {
            Outcome::Served(cluster) => {
                counts.ok += 1;
                let known = cluster.and_then(|c| self.names.iter().position(|n| n == c));
                if let Some(cluster) = known {
                    counts.each(|c| c.http[cluster] += 1);
                }
            }
            Outcome::Failed { why, idempotent } => {
                counts.failed += 1;
                counts.failed_idempotent += u64::from(idempotent);
                // The words come from a small set; this bounds them all the same.
                if counts.reasons.len() < 32 || counts.reasons.contains_key(&why) {
                    *counts.reasons.entry(why).or_default() += 1;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Additions leave no half state behind.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// For the total and for the phase, if there is one.
    fn each(&mut self, add: impl Fn(&mut ByCluster)) {
        add(&mut self.total);
        let at = match self.phase {
            Phase::Before => 0,
            Phase::During => 1,
            Phase::After => 2,
            Phase::Between => return,
        };
        add(&mut self.phases[at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_count_for_their_phase_and_transitions_for_none() {
        let ip: IpAddr = "127.0.0.12".parse().unwrap();
        let tally = Tally::new(&[("frankfurt".to_owned(), vec![ip])]);
        tally.answered("NOERROR", Some(ip), Instant::now());
        tally.enter(Phase::Between);
        tally.answered("NOERROR", Some(ip), Instant::now());
        tally.enter(Phase::After);
        tally.ended(Outcome::Served(Some("frankfurt")));
        let counts = tally.read();
        assert_eq!(counts.total.dns, [2]);
        assert_eq!(counts.phases[0].dns, [1]);
        assert_eq!(counts.phases[1].dns, [0]);
        assert_eq!(counts.phases[2].http, [1]);
    }
}
