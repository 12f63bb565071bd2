//! What the fuzz targets check, one function each, so that `corpus.rs` replays what they found on
//! any compiler. Any octets may come in.
#![allow(dead_code, reason = "each fuzz target uses one of them")]
#![allow(unreachable_pub, reason = "shared by the test and the fuzz targets")]

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::LazyLock;

use windrose_dns::{
    AnyAnswer, Asked, BadCookie, Cookies, ExtendedErrors, Manners, Parsed, Reply, Scratch, Secret,
    Subnet, Transport, malformed, parse, respond, respond_slowly,
};
use windrose_routing::Table;

use crate::world::{Ask, asked, table};

static TABLE: LazyLock<Table> = LazyLock::new(table);

/// A node that says all it can, and believes nobody without a cookie.
static TALKATIVE: LazyLock<Manners> = LazyLock::new(|| Manners {
    unproven_size: Some(256),
    cookies: Cookies::new(vec![Secret::new([7; 16])], BadCookie::Always),
    any: AnyAnswer::Hinfo,
    extended_errors: ExtendedErrors::Reasons,
    nsid: b"fuzzed".as_slice().into(),
    chaos_id: b"fuzzed".as_slice().into(),
    chaos_version: b"windrose".as_slice().into(),
    ..Manners::default()
});

/// Whom the queries come from: an address that steering has rules for.
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));

/// The circumstances in which each packet is asked.
fn circumstances(draw: u64) -> [Asked<'static>; 3] {
    let udp = asked(SOURCE, draw, Transport::Udp);
    let talkative = Asked {
        manners: &TALKATIVE,
        ..udp
    };
    [udp, talkative, asked(SOURCE, draw, Transport::Tcp)]
}

thread_local! {
    /// Where answers go. Kept, because clearing 128 KiB would take longer than to answer. Where
    /// two answers are compared, one lies on zeros and the other on ones.
    static ROOM: RefCell<[Box<[u8]>; 2]> =
        RefCell::new([vec![0; 65_535].into(), vec![1; 65_535].into()]);
}

/// A whole message: never a panic, and any reply is a sound message within its limit.
pub fn message(data: &[u8]) {
    let mut scratch = Scratch::new();
    ROOM.with_borrow_mut(|[fast, slow]| {
        for asked in circumstances(1) {
            if let Some(reply) = respond(&TABLE, data, &mut scratch, &asked, fast) {
                sound(data, &reply, fast, asked.transport);
                fast[..reply.len].fill(0);
            }
            if let Some(reply) = respond_slowly(&TABLE, data, &asked, slow) {
                sound(data, &reply, slow, asked.transport);
                slow[..reply.len].fill(1);
            }
        }
    });
}

/// The data of a client subnet option: what is read says no more than what came.
pub fn subnet(data: &[u8]) {
    let Ok(read) = Subnet::read(data) else {
        return;
    };
    assert_eq!(read.source(), data[2]);
    let Some(address) = read.address() else {
        assert_eq!(read.source(), 0);
        return;
    };
    assert_eq!(Subnet::new(address, read.source()), Some(read));
    let family = if address.is_ipv4() { 1 } else { 2 };
    assert_eq!(data[..2], [0, family]);
    let octets = match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (told, rest) = octets.split_at(data.len() - 4);
    assert_eq!(told, &data[4..]);
    assert!(rest.iter().all(|octet| *octet == 0));
}

/// EDNS: four octets of size and flags, then options, behind a question that is in order. Both
/// paths must read them alike.
pub fn edns(data: &[u8]) {
    let Some(([s0, s1, f0, f1], options)) = data.split_first_chunk::<4>() else {
        return;
    };
    if options.len() > usize::from(u16::MAX) {
        return;
    }
    let extended = u32::from(u16::from_be_bytes([*f0, *f1])) << 8;
    for name in ["shop.example.com", "www.example.com"] {
        let mut ask = Ask::new(name, 1);
        ask.opt = Some((u16::from_be_bytes([*s0, *s1]), extended, options.to_vec()));
        alike(&ask.wire());
    }
}

/// A query from numbers, so that most of what the fuzzer makes has meaning: name, type, class,
/// flags, then EDNS as in [`edns`]. Both paths must say the same.
pub fn fast_against_slow(data: &[u8]) {
    let Some(([name, t0, t1, class, f0, f1], rest)) = data.split_first_chunk::<6>() else {
        alike(data);
        return;
    };
    let name = NAMES[usize::from(*name) % NAMES.len()];
    let mut ask = Ask::new(name, u16::from_be_bytes([*t0, *t1]));
    ask.class = if *class < 250 { 1 } else { u16::from(*class) };
    ask.flags = u16::from_be_bytes([*f0 & 0x7f, *f1]);
    if let Some(([s0, s1, x0, x1], options)) = rest.split_first_chunk::<4>() {
        let extended = u32::from(u16::from_be_bytes([*x0, *x1])) << 8;
        let most = options.len().min(4_096);
        ask.opt = Some((
            u16::from_be_bytes([*s0, *s1]),
            extended,
            options[..most].to_vec(),
        ));
    }
    alike(&ask.wire());
    alike(data);
}

const NAMES: [&str; 24] = [
    "www.example.com",
    "WwW.eXample.coM",
    "example.com",
    "mail.example.com",
    "empty.example.com",
    "x.y.wild.example.com",
    "alias.example.com",
    "outside.example.com",
    "dangling.example.com",
    "other.example.com",
    "toapp.example.com",
    "loop-a.example.com",
    "self.example.com",
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

/// What the fast path can read, the slow path reads too, and answers with the same octets.
fn alike(packet: &[u8]) {
    ROOM.with_borrow_mut(|[fast, slow]| {
        for asked in circumstances(7) {
            let mut scratch = Scratch::new();
            let mut broken = false;
            let one = match parse(packet, &mut scratch) {
                Parsed::Query(query) => windrose_dns::answer(&TABLE, &query, &asked, fast),
                Parsed::Malformed(query) => {
                    broken = true;
                    malformed(&query, &asked, fast)
                }
                Parsed::Odd | Parsed::Drop => return,
            };
            let other = respond_slowly(&TABLE, packet, &asked, slow);
            let other = other.expect("what the fast path answers gets an answer");
            sound(packet, &one, fast, asked.transport);
            sound(packet, &other, slow, asked.transport);
            if broken {
                // A message that cannot be read as a whole may be echoed in part: only the code counts.
                assert_eq!(one.rcode, other.rcode, "{packet:02x?}");
            } else {
                assert_eq!(one, other, "{packet:02x?}");
                assert_eq!(fast[..one.len], slow[..other.len], "{packet:02x?}");
            }
            fast[..one.len].fill(0);
            slow[..other.len].fill(1);
        }
    });
}

/// What any reply must be, whatever was asked.
fn sound(query: &[u8], reply: &Reply, out: &[u8], transport: Transport) {
    let message = &out[..reply.len];
    let shape = walk(message).expect("a reply ends where its last record ends");
    let most = match (transport, shape.opt) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, Some(_)) => 1_232,
        (Transport::Udp, None) => 512,
    };
    assert!(message.len() <= most, "{} octets", message.len());
    assert_eq!(message[..2], query[..2], "the id");
    assert_ne!(message[2] & 0x80, 0, "QR");
    assert_eq!(message[2] & 0x78, query[2] & 0x78, "the opcode");
    assert_eq!(message[2] & 0x02 != 0, reply.truncated, "TC");
    let high = u16::from(shape.opt.unwrap_or_default()) << 4;
    let code = high | u16::from(message[3] & 0x0f);
    assert_eq!(code, reply.rcode as u16, "the code");
}

/// What a walk over a whole message has found.
struct Shape {
    /// The upper bits of the code in the OPT record, if there is one.
    opt: Option<u8>,
}

/// Walks all sections of a message, without any library: some real messages (a client subnet of
/// family 0) are none to hickory. `None` unless records fill it exactly and pointers point back.
fn walk(message: &[u8]) -> Option<Shape> {
    let word = |at: usize| {
        Some(u16::from_be_bytes([
            *message.get(at)?,
            *message.get(at + 1)?,
        ]))
    };
    let mut at = 12;
    for _ in 0..word(4)? {
        at = after_name(message, at)? + 4;
    }
    let records: u32 = [6, 8, 10]
        .iter()
        .map(|at| word(*at).map(u32::from))
        .sum::<Option<_>>()?;
    let mut opt = None;
    for _ in 0..records {
        let fixed = after_name(message, at)?;
        if word(fixed)? == 41 {
            // At most one, and its owner is the root (RFC 6891 section 6.1.1).
            (opt.is_none() && fixed == at + 1).then_some(())?;
            opt = Some(*message.get(fixed + 4)?);
        }
        at = fixed + 10 + usize::from(word(fixed + 8)?);
    }
    (at == message.len()).then_some(Shape { opt })
}

/// Where a name at `start` ends.
fn after_name(message: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            high @ 0xc0.. => {
                let low = usize::from(*message.get(at + 1)?);
                let target = usize::from(high & 0x3f) << 8 | low;
                return (12..start).contains(&target).then_some(at + 2);
            }
            _ => return None,
        }
    }
}
