//! How the addresses of another name come under a name of ours, as the answer finds them.

use windrose_model::{DnsName, RecordType};

use super::dns::{DnsTrace, HOPS, chosen, steered};
use super::{existence, records};
use crate::answers::AnswerRef;
use crate::names::{Lookup, ZoneEntry};
use crate::table::Table;

/// ALIAS: from our own zones and apps where the target lies there, else what was resolved.
pub(super) fn alias(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    owner: &DnsName,
    set: AnswerRef<'_>,
    rtype: RecordType,
    draw: u64,
) {
    let (mut set, mut most) = (set, u32::MAX);
    for _ in 0..HOPS {
        most = most.min(set.ttl);
        let Some(target) = records::target(set) else {
            break;
        };
        let node = match table.lookup(target.wire()) {
            Lookup::Node { node, .. } => node,
            Lookup::NxDomain { .. } => {
                let empty = existence::empty(zone, most);
                let why = format!("ALIAS to {target}, which does not exist: {empty}");
                return trace.steps.push(why);
            }
            Lookup::Refused | Lookup::Delegation { .. } | Lookup::Dname { .. } => {
                return foreign(trace, table, zone, owner, &target, most, rtype);
            }
        };
        let why = format!("ALIAS to {target}, which is ours: answered under {owner}");
        trace.steps.push(why);
        if let Some(app) = node.app {
            return steered(trace, table, zone, table.app(app), owner, rtype, draw);
        }
        let wanted = [rtype, RecordType::CNAME, RecordType::ALIAS];
        let Some(mut next) = wanted.iter().find_map(|rtype| node.set(rtype.code())) else {
            let empty = existence::empty(zone, most);
            return trace.steps.push(format!("no {rtype} there: {empty}"));
        };
        if let Some(record) = next.steered().and_then(|number| table.steered(number)) {
            let differs = RecordType::new(next.rtype);
            let Some((set, ttl)) = chosen(trace, table, zone, record, differs, draw) else {
                return;
            };
            next = AnswerRef { ttl, ..set };
        }
        if next.rtype == rtype.code() {
            let ttl = next.ttl.min(most);
            return trace.records.extend(records::lines(owner, ttl, next));
        }
        set = next;
    }
    let why = "the aliases lead in a circle, or further than 8: a failure";
    trace.steps.push(why.to_owned());
    trace.rcode = "SERVFAIL";
}

fn foreign(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    owner: &DnsName,
    target: &DnsName,
    most: u32,
    rtype: RecordType,
) {
    let known = table.alias(target.wire()).filter(|known| known.known);
    let Some(known) = known else {
        let why = format!("ALIAS to {target}, never resolved so far: a failure until it is");
        trace.steps.push(why);
        trace.rcode = "SERVFAIL";
        return;
    };
    let why = format!("ALIAS to {target}: {}", known.cause);
    trace.steps.push(why);
    let found = match rtype {
        RecordType::AAAA => &known.aaaa,
        _ => &known.a,
    };
    let ttl = known.ttl.min(most);
    if found.count == 0 {
        let empty = existence::empty(zone, ttl);
        return trace.steps.push(format!("no {rtype} there: {empty}"));
    }
    trace.steps.push(match most < known.ttl {
        true => format!("TTL {ttl} s: that of the ALIAS"),
        false => format!("TTL {ttl} s: as the target's own servers said, within bounds"),
    });
    trace
        .records
        .extend(records::lines(owner, ttl, found.view()));
}
