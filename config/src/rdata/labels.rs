//! What the fields of each type are called, for messages.

use windrose_model::RecordType;

/// As many as the type has fields.
pub(super) const fn labels(rtype: RecordType) -> &'static [&'static str] {
    match rtype {
        RecordType::A | RecordType::AAAA => &["address"],
        RecordType::NS => &["name server"],
        RecordType::CNAME | RecordType::DNAME | RecordType::PTR | RecordType::ALIAS => &["target"],
        RecordType::SOA => &[
            "primary server",
            "mailbox",
            "serial",
            "refresh",
            "retry",
            "expire",
            "minimum",
        ],
        RecordType::HINFO => &["processor", "system"],
        RecordType::MX | RecordType::KX => &["preference", "exchange"],
        RecordType::AFSDB => &["subtype", "host"],
        RecordType::TXT | RecordType::SPF => &["text"],
        RecordType::RP => &["mailbox", "name of the text"],
        RecordType::LOC => &["location"],
        RecordType::SRV => &["priority", "weight", "port", "target"],
        RecordType::NAPTR => &[
            "order",
            "preference",
            "flags",
            "services",
            "expression",
            "replacement",
        ],
        RecordType::CERT => &["kind", "key tag", "algorithm", "certificate"],
        RecordType::DS | RecordType::CDS => &["key tag", "algorithm", "digest type", "digest"],
        RecordType::SSHFP => &["algorithm", "fingerprint type", "fingerprint"],
        RecordType::DNSKEY | RecordType::CDNSKEY => &["flags", "protocol", "algorithm", "key"],
        RecordType::TLSA | RecordType::SMIMEA => &["usage", "selector", "matching type", "data"],
        RecordType::OPENPGPKEY => &["key"],
        RecordType::ZONEMD => &["serial", "scheme", "algorithm", "digest"],
        RecordType::SVCB | RecordType::HTTPS => &["priority", "target", "parameters"],
        RecordType::URI => &["priority", "weight", "target"],
        RecordType::CAA => &["flags", "tag", "value"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_label() {
        for rtype in RecordType::named() {
            let fields = windrose_model::layout(rtype).map_or(0, <[_]>::len);
            assert_eq!(labels(rtype).len(), fields, "{rtype}");
        }
    }
}
