//! What the fuzz target of master files checks, so that `corpus.rs` replays what it found on any
//! compiler. Any octets may come in.
#![allow(unreachable_pub, reason = "shared by the test and the fuzz target")]

use windrose_config::zone_text;
use windrose_model::DnsName;

/// A master file is read to its end: mistakes are told, and what has none says the same again when
/// it is written record by record.
pub fn zone(data: &[u8]) {
    let apex = DnsName::parse("example.com").expect("a name");
    let zone = match zone_text(data, &apex) {
        Ok(zone) => zone,
        Err(report) => {
            assert!(!report.to_string().is_empty());
            return;
        }
    };
    let soa = &zone.soa;
    let mut text = format!(
        "$ORIGIN .\nexample.com {} SOA {} {} {} {} {} {} {}\n",
        soa.ttl.seconds(),
        soa.mname,
        soa.rname,
        soa.serial,
        soa.refresh,
        soa.retry,
        soa.expire,
        soa.minimum
    );
    for (owner, set) in zone.records.iter() {
        assert!(owner.is_within(&apex), "{owner}");
        for record in set.data() {
            let (ttl, rtype) = (set.ttl().seconds(), record.record_type());
            text.push_str(&format!("{owner} {ttl} {rtype} {record}\n"));
        }
    }
    let again = zone_text(text.as_bytes(), &apex).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(again.records, zone.records, "{text}");
}
