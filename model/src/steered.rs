//! Records that an app steers besides its addresses: each of its clusters has its own.

use std::collections::BTreeMap;

use crate::{DnsName, Draft, Invalid, Name, RecordType, RrSet, Segment, Step, budget};

/// The records of one owner and type, by cluster. Which cluster counts is decided as for the addresses
/// of the app; so are scope, stickiness and TTL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SteeredRecord {
    /// Whose clusters, health and shares count.
    pub app: Name,
    /// Steps in place of the app's.
    pub steering: Option<Vec<Step>>,
    /// What is answered.
    pub data: SteeredData,
}

/// What a steered record answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SteeredData {
    /// One RRset for each cluster of the app, all of the record's type. Their TTLs do not count.
    ByCluster(BTreeMap<Name, RrSet>),
    /// SVCB or HTTPS records without hints, which get the addresses of the chosen cluster as
    /// `ipv4hint` and `ipv6hint` (RFC 9460 section 7.3). Their TTL does not count.
    Hints(RrSet),
}

impl SteeredRecord {
    /// Any of its RRsets; `None` when it has none.
    pub(crate) fn template(&self) -> Option<&RrSet> {
        match &self.data {
            SteeredData::ByCluster(sets) => sets.values().next(),
            SteeredData::Hints(set) => Some(set),
        }
    }
}

/// Whether records of this type may differ by cluster: not those that shape the tree of names, which
/// resolvers keep for everyone, and not ALIAS, whose target is looked up for everyone.
pub(crate) fn is_steerable(rtype: RecordType) -> bool {
    !matches!(
        rtype,
        RecordType::NS | RecordType::DNAME | RecordType::DS | RecordType::SOA | RecordType::ALIAS
    )
}

/// Puts a numbered RRset into its zone for every steered record, so that its name exists and leads to
/// it. Gives what is in the way.
pub(crate) fn place(draft: &mut Draft) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    let Draft { steered, zones, .. } = draft;
    if steered.len() > budget::STEERED_RECORDS {
        let message = format!(
            "{} steered records, at most {} are allowed",
            steered.len(),
            budget::STEERED_RECORDS
        );
        wrong.push(refuse("budget-exceeded", vec!["zones".into()], message));
        return wrong;
    }
    let numbers = numbers(steered.keys());
    for (number, ((owner, rtype), record)) in numbers.into_iter().zip(steered.iter()) {
        let above = std::iter::successors(Some(owner.clone()), DnsName::parent);
        let Some(apex) = above.into_iter().find(|name| zones.contains_key(name)) else {
            let message = format!("{owner} {rtype} lies in no zone");
            wrong.push(refuse("record-outside-zone", vec!["zones".into()], message));
            continue;
        };
        let at = || {
            let keys = [
                "zones",
                &apex.to_string(),
                "records",
                &owner.to_string(),
                &rtype.to_string(),
            ];
            keys.map(Segment::from).to_vec()
        };
        let Some(template) = record.template() else {
            let message = format!("{owner} {rtype} has no cluster");
            wrong.push(refuse("missing-cluster", at(), message));
            continue;
        };
        if let Some(zone) = zones.get_mut(&apex) {
            let numbered = template.clone().numbered(number);
            let before = zone.records.insert(owner.clone(), numbered);
            if before.is_some() {
                let message = format!("{owner} {rtype} is written with and without clusters");
                wrong.push(refuse("duplicate-record", at(), message));
            }
        }
    }
    wrong
}

/// Numbers for keys in ascending order, at most [`budget::STEERED_RECORDS`]. A number comes from its key:
/// one key more or less renumbers none of the others, but for the few whose places meet, and the same
/// keys have the same numbers whatever was before.
pub(crate) fn numbers<'k>(keys: impl Iterator<Item = &'k (DnsName, RecordType)>) -> Vec<u16> {
    let mut taken = Vec::new();
    let mut numbers = Vec::new();
    for (owner, rtype) in keys {
        taken.resize(budget::STEERED_RECORDS, false);
        let hash = fnv(owner.wire().iter().chain(&rtype.code().to_be_bytes()));
        // Linear probing: no more keys than places, so one is free.
        let from = usize::try_from(hash % budget::STEERED_RECORDS as u64).unwrap_or(0);
        let mut places = (from..taken.len()).chain(0..from);
        let free = places.find(|at| !taken[*at]).unwrap_or(0);
        taken[free] = true;
        numbers.push(u16::try_from(free).unwrap_or(0));
    }
    numbers
}

/// FNV-1a, its halves folded.
fn fnv<'o>(octets: impl Iterator<Item = &'o u8>) -> u64 {
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

fn refuse(code: &'static str, at: Vec<Segment>, message: String) -> Invalid {
    Invalid {
        code,
        at,
        message,
        help: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_more_leaves_the_others_their_numbers() {
        let keys: Vec<_> = (0..2_000)
            .map(|n| DnsName::parse(&format!("a{n:05}.example.com")).unwrap())
            .map(|owner| (owner, RecordType::TXT))
            .collect();
        let all = numbers(keys.iter());
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        for left_out in [0, 7, 1_999] {
            let others = keys.iter().enumerate().filter(|(at, _)| *at != left_out);
            let without = numbers(others.map(|(_, key)| key));
            let before = all.iter().enumerate().filter(|(at, _)| *at != left_out);
            let moved = without
                .iter()
                .zip(before)
                .filter(|(new, (_, old))| new != old);
            assert!(moved.count() <= 3);
        }
    }
}
