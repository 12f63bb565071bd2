//! Another Model by a few records of one zone, at the cost of these few.

use super::Model;
use super::whole::Whole;
use crate::{DnsName, Invalid, RecordType, Revision, RrSet, Segment, Soa, Zone};

/// What becomes of the RRset of one owner and type, or of the start of authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordEdit {
    /// This one stands there, in place of any other.
    Put(DnsName, RrSet),
    /// None does.
    Remove(DnsName, RecordType),
    /// The zone's start of authority is this one.
    Start(Soa),
}

impl Model {
    /// The same with other records in a zone, as [`Model::build`] would make it from a whole draft;
    /// edits take effect in order. Costs one chunk of [`Records`](crate::Records) for each edit, a
    /// pointer for each app, and looks at nothing but the names that are edited and those that
    /// depend on them.
    ///
    /// # Errors
    /// Everything that would be wrong; also when there is no such zone, or when a record that differs
    /// by cluster stands where an RRset is put.
    pub fn with_records(
        &self,
        revision: Revision,
        apex: &DnsName,
        edits: impl IntoIterator<Item = RecordEdit>,
    ) -> Result<Self, Vec<Invalid>> {
        let Ok(at) = self.zones.binary_search_by(|(name, _)| name.cmp(apex)) else {
            let message = format!("no zone is named {apex}");
            return Err(vec![refuse("unknown-zone", &["zones"], message)]);
        };
        let mut zone = Zone::clone(&self.zones[at].1);
        let mut wrong = Vec::new();
        for edit in edits {
            let (owner, rtype) = match &edit {
                RecordEdit::Put(owner, set) => (owner, set.record_type()),
                RecordEdit::Remove(owner, rtype) => (owner, *rtype),
                RecordEdit::Start(soa) => {
                    zone.soa.clone_from(soa);
                    continue;
                }
            };
            let there = zone.records.get(owner, rtype);
            let is_steered = there.is_some_and(|set| set.steered().is_some());
            match edit {
                RecordEdit::Start(_) => {}
                RecordEdit::Put(owner, _) if is_steered => {
                    let (apex, of) = (apex.to_string(), owner.to_string());
                    let message = format!("{owner} {rtype} is written with and without clusters");
                    let at = ["zones", &apex, "records", &of, &rtype.to_string()];
                    wrong.push(refuse("duplicate-record", &at, message));
                }
                RecordEdit::Put(owner, set) => drop(zone.records.insert(owner, set)),
                // It is none of the zone's own.
                RecordEdit::Remove(..) if is_steered => {}
                RecordEdit::Remove(owner, rtype) => drop(zone.records.remove(&owner, rtype)),
            }
        }
        let whole = Whole::with_zone(self, at, zone);
        Self::of(whole, revision, Some(self), wrong)
    }
}

fn refuse(code: &'static str, at: &[&str], message: String) -> Invalid {
    Invalid {
        code,
        at: at.iter().map(|key| Segment::from(*key)).collect(),
        message,
        help: None,
    }
}
