//! What holds for any octets, and for any query that two parsers can read.

use std::net::IpAddr;
use std::sync::LazyLock;

use crate::world::{Ask, asked, ip, table};
use hickory_proto::op::Message;
use proptest::collection::vec;
use proptest::prelude::*;
use windrose_dns::{
    AnyAnswer, Asked, BadCookie, Cookies, ExtendedErrors, Manners, Parsed, Reply, Scratch, Secret,
    Transport, malformed, parse, respond, respond_slowly,
};
use windrose_routing::Table;

static TABLE: LazyLock<Table> = LazyLock::new(table);

/// The usual manners, and some that say much.
static MANNERS: LazyLock<Vec<Manners>> = LazyLock::new(|| {
    let cookies = |badcookie| {
        let secrets = Secret::read_all("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap();
        Cookies::new(secrets, badcookie)
    };
    let talkative = Manners {
        cookies: cookies(BadCookie::Off),
        nsid: vec![b'n'; 128].into(),
        chaos_id: vec![b'i'; 255].into(),
        chaos_version: b"v".as_slice().into(),
        extended_errors: ExtendedErrors::Reasons,
        ..Manners::default()
    };
    let strict = Manners {
        cookies: cookies(BadCookie::Always),
        any: AnyAnswer::Hinfo,
        zone_version: false,
        unproven_size: Some(128),
        extended_errors: ExtendedErrors::Off,
        ..Manners::default()
    };
    vec![Manners::default(), talkative, strict]
});

const NAMES: [&str; 20] = [
    "www.example.com",
    "WwW.eXample.coM",
    "example.com",
    "mail.example.com",
    "empty.example.com",
    "x.y.wild.example.com",
    "alias.example.com",
    "dangling.example.com",
    "loop-a.example.com",
    "c0.example.com",
    "shop.example.com",
    "deep.shop.example.com",
    "plain.example.com",
    "sticky.example.com",
    "silent.example.com",
    "quiet.example.com",
    "crowd.example.com",
    "second.test",
    "www.example.org",
    "",
];

fn subnets() -> impl Strategy<Value = Option<(IpAddr, u8)>> {
    let v4 = (any::<[u8; 4]>(), 0..=32_u8).prop_map(|(octets, len)| (octets.into(), len));
    let known = (Just([10, 1, 2, 0]), 0..=32_u8).prop_map(|(octets, len)| (octets.into(), len));
    let v6 = (any::<[u8; 16]>(), 0..=128_u8).prop_map(|(octets, len)| (octets.into(), len));
    prop::option::of(prop_oneof![v4, known, v6])
}

prop_compose! {
    fn queries()(
        name in prop::sample::select(&NAMES[..]),
        qtype in prop_oneof![prop::sample::select(vec![1_u16, 2, 5, 6, 15, 16, 28, 255, 251, 252]), any::<u16>()],
        class in prop_oneof![9 => Just(1_u16), 1 => any::<u16>()],
        flags in prop_oneof![3 => Just(0x0100), 1 => any::<u16>().prop_map(|f| f & 0x07ff)],
        id in any::<u16>(),
        edns in prop::option::of((any::<u16>(), any::<bool>(), prop_oneof![8 => Just(0), 1 => 0..=255_u32])),
        subnet in subnets(),
        options in vec((prop::sample::select(vec![3_u16, 10, 10, 11, 12, 15, 19, 65_001]), vec(any::<u8>(), 0..44)), 0..4),
        empty in any::<bool>(),
    ) -> Ask {
        let mut ask = Ask { id, class, flags, ..Ask::new(name, qtype) };
        if let Some((size, dnssec_ok, version)) = edns {
            ask.opt = Some((size, u32::from(dnssec_ok) << 15 | version << 16, Vec::new()));
            for (code, data) in options {
                // Some options have no data in a query, and cookies have two usual lengths.
                let len = match code {
                    10 if empty => data.len() / 8 * 8,
                    _ if empty => 0,
                    _ => data.len(),
                };
                ask = ask.option(code, &data[..len]);
            }
            if let Some((address, source)) = subnet {
                let net = windrose_dns::Subnet::new(address, source).unwrap();
                let address = net.address().unwrap_or_else(|| ip("0.0.0.0"));
                ask = ask.subnet(&format!("{address}/{source}"));
            }
        }
        ask
    }
}

/// What any reply must be, whatever was asked.
fn sound(
    query: &[u8],
    reply: &Reply,
    out: &[u8],
    transport: Transport,
) -> Result<(), TestCaseError> {
    prop_assert!(reply.len >= 12);
    let most = if transport == Transport::Udp {
        1_232
    } else {
        65_535
    };
    prop_assert!(reply.len <= most);
    let message = Message::from_vec(&out[..reply.len]).unwrap();
    prop_assert_eq!(&out[..2], &query[..2], "the id");
    prop_assert_ne!(out[2] & 0x80, 0, "QR");
    prop_assert_eq!(out[2] & 0x78, query[2] & 0x78, "the opcode");
    prop_assert_eq!(reply.truncated, message.metadata.truncation);
    // The two halves of the code; hickory merges them.
    prop_assert_eq!(
        u16::from(message.metadata.response_code),
        reply.rcode as u16
    );
    if transport == Transport::Udp && message.edns.is_none() {
        prop_assert!(reply.len <= 512);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_octets_never_panic_and_replies_keep_their_limit(
        bytes in vec(any::<u8>(), 0..300),
        tcp in any::<bool>(),
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let mut out = vec![0; 65_535];
        if let Some(reply) = respond(&TABLE, &bytes, &mut Scratch::new(), &asked(ip("8.8.8.8"), 1, transport), &mut out) {
            sound(&bytes, &reply, &out, transport)?;
        }
    }

    #[test]
    fn damaged_queries_never_panic_and_replies_keep_their_limit(
        ask in queries(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        manners in 0..3_usize,
    ) {
        let mut bytes = ask.wire();
        for (at, octet) in damage {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut out = [0; 1_232];
        let asked = Asked { manners: &MANNERS[manners], ..asked(ip("10.1.2.3"), 1, Transport::Udp) };
        if let Some(reply) = respond(&TABLE, &bytes, &mut Scratch::new(), &asked, &mut out) {
            sound(&bytes, &reply, &out, Transport::Udp)?;
        }
    }

    #[test]
    fn the_fast_path_and_the_slow_path_say_the_same(ask in queries(), draw in any::<u64>(), tcp in any::<bool>(), manners in 0..3_usize) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let bytes = ask.wire();
        let asked = Asked { manners: &MANNERS[manners], ..asked(ip("10.1.2.3"), draw, transport) };
        let (mut fast, mut slow) = (vec![0; 65_535], vec![1; 65_535]);
        let mut scratch = Scratch::new();
        let one = match parse(&bytes, &mut scratch) {
            Parsed::Query(query) => windrose_dns::answer(&TABLE, &query, &asked, &mut fast),
            Parsed::Malformed(query) => malformed(&query, &asked, &mut fast),
            Parsed::Odd | Parsed::Drop => return Ok(()),
        };
        let other = respond_slowly(&TABLE, &bytes, &asked, &mut slow).unwrap();
        prop_assert_eq!(one, other);
        let (fast, slow) = (&fast[..one.len], &slow[..other.len]);
        prop_assert_eq!(Message::from_vec(fast).unwrap(), Message::from_vec(slow).unwrap());
        prop_assert_eq!(fast, slow);
        sound(&bytes, &one, fast, transport)?;
    }

    /// RFC 7871 section 7.2.1: inside its scope an answer holds for every client.
    #[test]
    fn an_answer_holds_everywhere_inside_its_scope(
        octets in prop_oneof![any::<[u8; 4]>(), any::<[u8; 3]>().prop_map(|[a, b, c]| [10, a & 3, b & 7, c])],
        source in 1..=32_u8,
        other in any::<u32>(),
        resolver in prop::sample::select(vec!["8.8.8.8", "10.1.2.9", "10.9.9.9"]),
        name in prop::sample::select(vec!["shop.example.com", "sticky.example.com"]),
    ) {
        let scope_and_records = |address: IpAddr, source: u8| {
            let wire = Ask::new(name, 1).subnet(&format!("{address}/{source}")).wire();
            let mut out = [0; 1_232];
            let reply = respond(&TABLE, &wire, &mut Scratch::new(), &asked(ip(resolver), 1, Transport::Udp), &mut out).unwrap();
            let option = 8 + usize::from(source.div_ceil(8));
            let records = out[..reply.len - 11 - option].to_vec();
            (out[reply.len - option + 7], records)
        };
        // Of a sticky answer a subnet wider than /24 says no more than it was told.
        let source = if name == "sticky.example.com" { source.max(24) } else { source };
        let sent = u32::from_be_bytes(octets) & u32::MAX << (32 - source);
        let (scope, records) = scope_and_records(IpAddr::from(sent.to_be_bytes()), source);
        prop_assert!(scope > 0);
        let inside = sent ^ other.checked_shr(scope.into()).unwrap_or(0);
        // Unroutable ones that no rule names are led as their resolver is; their neighbours' scopes
        // do not leave them out (docs/steering.md).
        let block = |ip: u32| match ip.to_be_bytes() {
            [224..=255, ..] => Some(3),
            [0 | 127, ..] => Some(8),
            [100, 64..=127, ..] => Some(10),
            [172, 16..=31, ..] => Some(12),
            [169, 254, ..] | [192, 168, ..] => Some(16),
            _ => None,
        };
        if block(sent).is_some_and(|block| source >= block) || block(inside).is_none() {
            let other = scope_and_records(IpAddr::from(inside.to_be_bytes()), 32);
            prop_assert_eq!(other.1, records, "scope {}", scope);
        }
    }
}
