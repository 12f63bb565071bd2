//! Zones, their start of authority and their RRsets.

use crate::{DnsName, RData, RDataRef, RecordType, Records, Ttl};

/// A DNS name space we answer for, by apex. Hosts of apps inside it are steered; its own records
/// may not stand at the same name and type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Start of authority.
    pub soa: Soa,
    /// RRsets by owner and type; the apex NS set is here too, the SOA record is not.
    pub records: Records,
}

impl Zone {
    /// The same content, sharing records with `previous`; see [`Records::sharing`].
    pub(crate) fn sharing(self, previous: &Self) -> Self {
        Self {
            records: self.records.sharing(&previous.records),
            ..self
        }
    }
}

/// SOA fields (RFC 1035 section 3.3.13).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Soa {
    /// Primary server.
    pub mname: DnsName,
    /// Mailbox of the person in charge.
    pub rname: DnsName,
    /// Version of the zone.
    pub serial: u32,
    /// Seconds.
    pub refresh: u32,
    /// Seconds.
    pub retry: u32,
    /// Seconds.
    pub expire: u32,
    /// Negative TTL (RFC 2308), seconds.
    pub minimum: u32,
    /// TTL of the SOA record itself.
    pub ttl: Ttl,
}

/// Records of one owner and type: one TTL (RFC 2181 section 5.2), at least one, all different, in
/// the order they were given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RrSet {
    ttl: Ttl,
    rtype: RecordType,
    /// One more than the number of the steered record it stands for, if it does.
    number: u16,
    /// The data of each, after its length in two octets: one allocation for a set.
    packed: Box<[u8]>,
}

/// Why records are no RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RrSetError {
    /// No record.
    #[error("an RRset has at least one record")]
    Empty,
    /// Two types.
    #[error("an RRset has records of one type, this one has {0} and {1}")]
    Types(RecordType, RecordType),
    /// The same data twice; the position of the second.
    #[error("record {0} of an RRset equals one before it")]
    Duplicate(usize),
}

impl RrSet {
    /// Records of one type, all different.
    pub fn new(ttl: Ttl, data: &[RData]) -> Result<Self, RrSetError> {
        let rtype = data.first().ok_or(RrSetError::Empty)?.record_type();
        let mut packed = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (at, one) in data.iter().enumerate() {
            if one.record_type() != rtype {
                return Err(RrSetError::Types(rtype, one.record_type()));
            }
            if at > 0 && (data[0] == *one || !seen.insert(one.wire())) {
                return Err(RrSetError::Duplicate(at));
            }
            pack(&mut packed, one.wire());
        }
        let packed = packed.into();
        Ok(Self {
            ttl,
            rtype,
            number: 0,
            packed,
        })
    }

    /// One record.
    pub fn single(ttl: Ttl, data: &RData) -> Self {
        let mut packed = Vec::with_capacity(2 + data.wire().len());
        pack(&mut packed, data.wire());
        Self {
            ttl,
            rtype: data.record_type(),
            number: 0,
            packed: packed.into(),
        }
    }

    /// The same records, standing for a steered record of this number, below
    /// [`STEERED_RECORDS`](crate::budget::STEERED_RECORDS).
    pub(crate) fn numbered(self, number: u16) -> Self {
        let number = number.saturating_add(1);
        Self { number, ..self }
    }

    /// The number of the steered record it stands for: see
    /// [`Model::steered_numbers`](crate::Model::steered_numbers).
    pub const fn steered(&self) -> Option<u16> {
        self.number.checked_sub(1)
    }

    /// For all of them.
    pub const fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Of all of them.
    pub const fn record_type(&self) -> RecordType {
        self.rtype
    }

    /// The data of each record.
    pub fn data(&self) -> impl Iterator<Item = RDataRef<'_>> {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first_chunk()?;
            let (wire, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = after;
            Some(RDataRef {
                rtype: self.rtype,
                wire,
            })
        })
    }

    /// How many records; at least one. Costs a walk over them.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.data().count()
    }
}

fn pack(packed: &mut Vec<u8>, wire: &[u8]) {
    // Data of a record has at most 65,535 octets.
    let len = u16::try_from(wire.len()).unwrap_or(u16::MAX);
    packed.extend_from_slice(&len.to_be_bytes());
    packed.extend_from_slice(wire);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(last: u8) -> RData {
        RData::a([192, 0, 2, last].into())
    }

    #[test]
    fn an_rrset_gives_back_what_it_was_made_of_in_order() {
        let ttl = Ttl::new(60).unwrap();
        let set = RrSet::new(ttl, &[a(2), a(1)]).unwrap();
        let data: Vec<_> = set.data().map(RDataRef::to_owned).collect();
        assert_eq!(data, [a(2), a(1)]);
        assert_eq!((set.len(), set.record_type()), (2, RecordType::A));
        assert_eq!(RrSet::single(ttl, &a(1)), RrSet::new(ttl, &[a(1)]).unwrap());
    }

    #[test]
    fn an_rrset_is_of_one_type_distinct_and_not_empty() {
        let ttl = Ttl::new(60).unwrap();
        assert_eq!(RrSet::new(ttl, &[]), Err(RrSetError::Empty));
        for data in [vec![a(1), a(2), a(2)], vec![a(1), a(2), a(1)]] {
            assert_eq!(RrSet::new(ttl, &data), Err(RrSetError::Duplicate(2)));
        }
        let txt = RData::txt(&["a"]).unwrap();
        let types = RrSetError::Types(RecordType::A, RecordType::TXT);
        assert_eq!(RrSet::new(ttl, &[a(1), txt]), Err(types));
    }
}
