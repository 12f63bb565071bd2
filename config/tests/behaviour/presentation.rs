//! Data of every type goes to text and back, and any octets are read without a panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use windrose_config::zone_text;
use windrose_model::{DnsName, Field, RData, RecordType, layout, svc_param};

fn name() -> BoxedStrategy<Vec<u8>> {
    let labels = vec(vec(any::<u8>(), 1..12), 0..5);
    labels
        .prop_map(|labels| {
            let mut wire = Vec::new();
            for label in labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend(label);
            }
            wire.push(0);
            wire
        })
        .boxed()
}

fn string(least: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), least..40)
        .prop_map(|octets| [vec![u8::try_from(octets.len()).unwrap()], octets].concat())
        .boxed()
}

/// Parameters by key, each with a value of its form.
fn svc_params() -> BoxedStrategy<Vec<u8>> {
    let some = |size: usize| vec(vec(any::<u8>(), size..=size), 1..4).prop_map(|l| l.concat());
    let known = (
        vec(string(1), 1..4).prop_map(|ids| ids.concat()),
        any::<[u8; 2]>(),
        some(4),
        vec(any::<u8>(), 1..20),
        some(16),
        btree_map(9_u16..65_000, vec(any::<u8>(), 0..20), 0..4),
        any::<[bool; 8]>(),
    );
    known
        .prop_map(|(alpn, port, v4, ech, v6, others, has)| {
            let mut params = others;
            let values = [
                (svc_param::ALPN, alpn),
                (svc_param::PORT, port.to_vec()),
                (svc_param::IPV4HINT, v4),
                (svc_param::ECH, ech),
                (svc_param::IPV6HINT, v6),
                (svc_param::DOHPATH, b"/q{?dns}".to_vec()),
                (svc_param::OHTTP, Vec::new()),
            ];
            params.extend(
                values
                    .into_iter()
                    .zip(has)
                    .filter(|(_, has)| *has)
                    .map(|(p, _)| p),
            );
            if has[7] && params.contains_key(&svc_param::ALPN) {
                params.insert(svc_param::NO_DEFAULT_ALPN, Vec::new());
                let keys = params.keys().flat_map(|key| key.to_be_bytes()).collect();
                params.insert(svc_param::MANDATORY, keys);
            }
            let mut wire = Vec::new();
            for (key, value) in params {
                wire.extend(key.to_be_bytes());
                wire.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
                wire.extend(value);
            }
            wire
        })
        .boxed()
}

fn location() -> BoxedStrategy<Vec<u8>> {
    let size = || {
        (0_u8..=9, 0_u8..=9).prop_map(|(mantissa, exponent)| match mantissa {
            0 => 0, // nothing has one form only
            _ => mantissa << 4 | exponent,
        })
    };
    let arc = |degrees: u32| {
        let most = degrees * 3_600_000;
        ((1 << 31) - most..=(1 << 31) + most).prop_map(u32::to_be_bytes)
    };
    (size(), size(), size(), arc(90), arc(180), any::<[u8; 4]>())
        .prop_map(|(a, b, c, latitude, longitude, altitude)| {
            [&[0, a, b, c][..], &latitude, &longitude, &altitude].concat()
        })
        .boxed()
}

fn field(field: Field) -> BoxedStrategy<Vec<u8>> {
    let octets = |size: usize| vec(any::<u8>(), size..=size).boxed();
    match field {
        Field::U8 => octets(1),
        Field::U16 => octets(2),
        Field::U32 | Field::Seconds | Field::Ipv4 => octets(4),
        Field::Ipv6 => octets(16),
        Field::Name => name(),
        Field::String => string(0),
        Field::Strings => vec(string(0), 1..5).prop_map(|s| s.concat()).boxed(),
        Field::Tag => "[a-zA-Z0-9]{1,15}"
            .prop_map(|tag| [&[u8::try_from(tag.len()).unwrap()], tag.as_bytes()].concat())
            .boxed(),
        Field::Text => vec(any::<u8>(), 0..300).boxed(),
        Field::Hex | Field::Base64 => vec(any::<u8>(), 1..80).boxed(),
        Field::SvcParams => svc_params(),
        Field::Location => location(),
    }
}

/// Data of any type that a zone may hold; lengths of digests are what they happen to be.
fn data() -> impl Strategy<Value = RData> {
    let opaque = (300_u16..65_535, vec(any::<u8>(), 0..60));
    let opaque = opaque.prop_map(|(code, wire)| (RecordType::new(code), wire));
    let signed = [
        RecordType::RRSIG,
        RecordType::NSEC,
        RecordType::NSEC3,
        RecordType::NSEC3PARAM,
    ];
    let types: Vec<_> = RecordType::named()
        .filter(|rtype| !rtype.is_meta() && !signed.contains(rtype) && *rtype != RecordType::SOA)
        .collect();
    let known = proptest::sample::select(types).prop_flat_map(|rtype| {
        let fields = layout(rtype).unwrap_or_default().iter().map(|f| field(*f));
        fields
            .collect::<Vec<_>>()
            .prop_map(move |parts| (rtype, parts.concat()))
    });
    let any = prop_oneof![9 => known.boxed(), 1 => opaque.boxed()];
    any.prop_filter_map("a digest of another length", |(rtype, wire)| {
        // An alias has no parameters in its text form.
        let alias = matches!(rtype, RecordType::SVCB | RecordType::HTTPS) && wire[..2] == [0, 0];
        RData::from_wire(rtype, &wire).ok().filter(|_| !alias)
    })
}

fn root() -> DnsName {
    DnsName::parse(".").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn data_survives_its_text(data in data()) {
        let (text, rtype) = (data.as_ref().to_string(), data.record_type());
        let opaque = data.wire().iter().map(|o| format!("{o:02x}")).collect::<String>();
        for line in [text, format!("\\# {} {opaque}", data.wire().len())] {
            let zone = format!("@ SOA . . 1 2 3 4 5\nx 60 {rtype} {line}\n");
            let zone = match zone_text(zone.as_bytes(), &root()) {
                Ok(zone) => zone,
                Err(report) => return Err(TestCaseError::fail(report.to_string())),
            };
            let set = zone.records.get(&DnsName::parse("x").unwrap(), rtype).unwrap();
            let read: Vec<_> = set.data().map(|d| d.to_owned()).collect();
            prop_assert_eq!(&read[..], std::slice::from_ref(&data), "{}", line);
        }
    }

    #[test]
    fn a_name_survives_its_text(wire in name()) {
        let name = DnsName::from_wire(&wire).unwrap();
        prop_assert_eq!(DnsName::parse(&name.to_string()).unwrap(), name);
    }

    #[test]
    fn any_octets_are_read_to_their_end(octets in vec(any::<u8>(), 0..400)) {
        let _ = zone_text(&octets, &root());
    }

    #[test]
    fn any_words_of_master_files_are_read_to_their_end(words in vec(proptest::sample::select(WORDS), 0..60)) {
        let text = words.concat();
        if let Err(report) = zone_text(text.as_bytes(), &root()) {
            prop_assert!(!report.to_string().is_empty());
        }
    }
}

const WORDS: &[&str] = &[
    "@",
    " ",
    "\t",
    "\n",
    "\r\n",
    "a",
    "a.b.",
    "*",
    "60",
    "1h30m",
    "IN",
    "CH",
    "A ",
    "AAAA ",
    "MX ",
    "TXT ",
    "SOA ",
    "HTTPS ",
    "LOC ",
    "NAPTR ",
    "TLSA ",
    "TYPE7 ",
    "RRSIG ",
    "192.0.2.1",
    "::1",
    "\"",
    "\\",
    "\\#",
    "\\300",
    "\\065",
    "(",
    ")",
    ";",
    "$ORIGIN ",
    "$TTL ",
    "$INCLUDE ",
    "$",
    ".",
    "0 ",
    "alpn=",
    "h2",
    ",",
    "port=",
    "key7=",
    "mandatory=",
    "N ",
    "W ",
    "-1m",
    "ff",
    "é",
    "\u{0}",
    "=",
];
