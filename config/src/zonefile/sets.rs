//! Records, wherever they were written, to RRsets: one TTL, none twice.

use std::collections::HashMap;

use windrose_model::{DnsName, RecordType, Records, RrSet, Ttl};

use super::Record;
use crate::problem::Problem;
use crate::source::Span;

/// Where the first record of each RRset was written, sorted by owner and type.
pub(crate) type Places = Vec<(DnsName, RecordType, Span)>;

/// Warnings told; nobody reads more of the same. Errors are told all: one more refuses the file.
const TOLD: usize = 1_000;

/// The records of one zone.
#[derive(Default)]
pub(crate) struct Written {
    records: Vec<(Record, Option<u32>)>,
    /// Of those in YAML: where TTL and value stand.
    in_yaml: Vec<(Span, Span)>,
}

impl Written {
    pub(crate) fn in_file(&mut self, records: Vec<Record>) {
        self.records
            .extend(records.into_iter().map(|record| (record, None)));
    }

    pub(crate) fn yaml(&mut self, record: Record, ttl_at: Span, value_at: Span) {
        let at = u32::try_from(self.in_yaml.len()).ok();
        self.in_yaml.push((ttl_at, value_at));
        self.records.push((record, at));
    }

    /// What contradicts what stands before it is refused in YAML. Master files are read as other
    /// servers read them: an equal record counts once, the lowest TTL counts for all (RFC 2181
    /// section 5.2), and both are told as warnings.
    pub(crate) fn sets(mut self, problems: &mut Vec<Problem>) -> (Records, Places) {
        let order = |(a, _): &(Record, _), (b, _): &(Record, _)| {
            let types = || a.data.record_type().cmp(&b.data.record_type());
            a.owner.cmp(&b.owner).then_with(types)
        };
        if !self.records.is_sorted_by(|a, b| order(a, b).is_le()) {
            self.records.sort_by(order);
        }
        let mut places = Places::new();
        let mut told = Vec::new();
        let same = |(a, _): &(Record, _), (b, _): &(Record, _)| {
            a.data.record_type() == b.data.record_type() && a.owner == b.owner
        };
        let sets = self.records.chunk_by(same).filter_map(|records| {
            let (first, _) = records.first()?;
            places.push((first.owner.clone(), first.data.record_type(), first.at));
            let set = match records {
                [(alone, _)] => RrSet::single(alone.ttl, &alone.data),
                several => self.set(several, &mut told)?,
            };
            Some((first.owner.clone(), set))
        });
        let records = sets.collect();
        let mut warnings = 0;
        told.retain(|problem: &Problem| {
            warnings += usize::from(!problem.is_error());
            problem.is_error() || warnings <= TOLD
        });
        problems.append(&mut told);
        (records, places)
    }

    fn set(&self, records: &[(Record, Option<u32>)], told: &mut Vec<Problem>) -> Option<RrSet> {
        let (first, _) = records.first()?;
        let (owner, rtype) = (&first.owner, first.data.record_type());
        let mut seen = HashMap::new();
        let mut data = Vec::with_capacity(records.len());
        let mut ttl = first.ttl;
        for (record, in_yaml) in records {
            let yaml = in_yaml.and_then(|at| self.in_yaml.get(at as usize));
            let problem = |code, at, message| match yaml {
                Some(_) => Problem::error(code, at, message),
                None => Problem::warning(code, at, message),
            };
            if record.ttl != first.ttl {
                let at = yaml.map_or(record.at, |(ttl_at, _)| *ttl_at);
                let message = differing(owner, rtype, record.ttl, first.ttl);
                told.push(problem("differing-ttls", at, message).related(first.at, "first at"));
            }
            ttl = ttl.min(record.ttl);
            if let Some(before) = seen.insert(record.data.wire(), record.at) {
                let at = yaml.map_or(record.at, |(_, value_at)| *value_at);
                let message = format!("{owner} {rtype} has this value already");
                let before = if yaml.is_some() { first.at } else { before };
                let label = if yaml.is_some() {
                    "its records begin at"
                } else {
                    "the first is at"
                };
                told.push(problem("duplicate-record", at, message).related(before, label));
            } else {
                data.push(record.data.clone());
            }
        }
        RrSet::new(ttl, &data).ok()
    }
}

fn differing(owner: &DnsName, rtype: RecordType, here: Ttl, before: Ttl) -> String {
    format!(
        "{owner} {rtype} has a TTL of {} s here and {} s before; records of one name and type share one",
        here.seconds(),
        before.seconds()
    )
}
