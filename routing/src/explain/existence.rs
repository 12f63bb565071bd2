//! Why a name is there or not, and how long that it is not is remembered.

use windrose_model::DnsName;

use crate::names::{Lookup, Node, ZoneEntry};
use crate::table::Table;

/// What kind of name answers for `owner`.
pub(super) fn of(table: &Table, owner: &DnsName, zone: &ZoneEntry, node: &Node<'_>) -> String {
    let apex = &zone.apex;
    if node.is_wildcard() {
        let wildcard = wildcard(table, owner).unwrap_or_else(|| "a wildcard".to_owned());
        return format!("{owner} does not exist in zone {apex}: {wildcard} stands for it");
    }
    if node.app.is_none() && !node.is_apex() && node.sets().next().is_none() {
        return format!("{owner} has nothing of its own in zone {apex}: names below it exist");
    }
    format!("{owner} exists in zone {apex}")
}

/// That something is not there, and for how long a resolver remembers it (RFC 2308 section 5):
/// `most` seconds at most.
pub(super) fn empty(zone: &ZoneEntry, most: u32) -> String {
    let ttl = zone.negative_ttl.min(most);
    let why = match most < zone.negative_ttl {
        true => "the TTL of what it stands for",
        false => "the least of TTL and minimum of the SOA",
    };
    format!("an empty answer with the zone's SOA, remembered for {ttl} s: {why}")
}

/// The wildcard that answers for a name that is not there (RFC 4592 section 3.3.1).
fn wildcard(table: &Table, owner: &DnsName) -> Option<String> {
    let mut rest = owner.wire();
    loop {
        let (&len, more) = rest.split_first()?;
        rest = more.get(usize::from(len)..).filter(|_| len > 0)?;
        let wildcard = [b"\x01*", rest].concat();
        if let Lookup::Node { node, .. } = table.lookup(&wildcard)
            && !node.is_wildcard()
        {
            return DnsName::from_wire(&wildcard).map(|name| name.to_string());
        }
    }
}
