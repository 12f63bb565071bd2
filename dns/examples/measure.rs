//! Cost of a query without the network: `measure answer N [KIND]` answers N queries of each kind in
//! a loop, `measure kinds` names the kinds (`limit KIND`: of the mode `limit`), `measure udp N` serves
//! N queries over loopback: for
//! callgrind (`benches/instructions`). `measure serve IP:PORT` serves 1,000 names and a host steered
//! by continent until it is killed: for load generators. `measure limit N [KIND]` asks a limiter what
//! it thinks of N such answers.
#![allow(clippy::unwrap_used, reason = "a tool for whoever develops this")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use windrose_dns::{
    Action, Counters, Limit, Limiter, Limits, Manners, Mode, Reply, Scratch, Ticks, Transport,
    respond, serve_udp,
};
use windrose_model::{
    ClientSet, Continent, Draft, FenceRule, GeoRules, LatencyBand, RData, RrSet, Step, Ttl, Weight,
};
use windrose_routing::{Publisher, Table};
use windrose_telemetry::Metrics;
use world::{Ask, asked, ip, name};

#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mode = words.get(1).map_or("answer", String::as_str);
    let count: u32 = words
        .get(2)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000_000);
    let kinds = [
        ("static", Ask::new("mail.example.com", 1)),
        ("static edns", Ask::new("mail.example.com", 1).edns(1232)),
        ("nxdomain", Ask::new("nothing.example.com", 1).edns(1232)),
        ("nxdomain deep", Ask::new(&deep(), 1).edns(1232)),
        ("steered", Ask::new("shop.example.com", 1).edns(1232)),
        (
            "steered subnet",
            Ask::new("shop.example.com", 1).subnet("198.51.100.0/24"),
        ),
        ("alias", Ask::new("toapp.example.com", 1).edns(1232)),
        (
            "one level",
            Ask::new("one.example.com", 1).subnet("198.51.100.0/24"),
        ),
        (
            "all levels",
            Ask::new("all.example.com", 1).subnet("198.51.100.0/24"),
        ),
    ];
    if mode == "kinds" {
        for (kind, _) in kinds {
            println!("{kind}");
        }
        println!("limit static\nlimit nxdomain");
        return;
    }
    if mode == "serve" {
        serve(words.get(2).map_or("127.0.0.1:5300", String::as_str));
        return;
    }
    let table = world::table_of(with_depths(world::draft()), &["silent", "empty", "last"]);
    let only = words.get(3).map(String::as_str);
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|(kind, _)| only.is_none_or(|o| o == *kind))
        .collect();
    if mode == "limit" {
        for (kind, ask) in kinds {
            let passed = limited(&table, &ask.wire(), count);
            println!("{kind:16} {passed} of {count} answered");
        }
        return;
    }
    if mode == "udp" {
        let wires: Vec<_> = kinds.iter().map(|(_, ask)| ask.wire()).collect();
        udp(
            table,
            &wires,
            count,
            words.get(4).map_or("127.0.0.1", String::as_str),
        );
        return;
    }
    for (kind, ask) in kinds {
        let wire = ask.wire();
        let start = Instant::now();
        let octets = answers(&table, &wire, count);
        let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(count);
        println!(
            "{kind:16} {each:6.1} ns, {} octets",
            octets / u64::from(count)
        );
    }
}

/// Adds two apps that end in the same choice among the same clusters, after one step of steering and
/// after one of each kind.
fn with_depths(mut draft: Draft) -> Draft {
    let all = ["a", "b", "c"].map(name);
    let equals = || vec![all.to_vec()];
    let by_cidr = Step::Geo(GeoRules {
        cidrs: [("198.51.100.0/24".parse().unwrap(), equals())].into(),
        default: equals(),
        ..GeoRules::default()
    });
    let weights = all.iter().zip([70, 20, 10]);
    let weighted = Step::Weighted(
        weights
            .map(|(cluster, weight)| (cluster.clone(), Weight::new(weight).unwrap()))
            .collect(),
    );
    let fence = Step::Fence(vec![FenceRule {
        clients: ClientSet {
            cidrs: vec!["198.51.0.0/16".parse().unwrap()],
            ..ClientSet::default()
        },
        clusters: all.to_vec(),
    }]);
    let steps = [
        ("one", vec![by_cidr.clone()]),
        (
            "all",
            vec![
                fence,
                by_cidr,
                Step::Nearest(BTreeMap::new()),
                Step::Latency(LatencyBand::default()),
                Step::Failover(equals()),
                weighted,
            ],
        ),
    ];
    for (host, steering) in steps {
        let mut app = draft.apps[&name("shop")].clone();
        app.hosts = vec![world::dns(&format!("{host}.example.com"))];
        app.steering = steering;
        draft.apps.insert(name(host), app);
    }
    draft
}

/// The loop that callgrind collects from.
#[inline(never)]
fn answers(table: &Table, wire: &[u8], count: u32) -> u64 {
    let mut scratch = Scratch::new();
    let mut out = [0; 1232];
    let mut octets = 0;
    for draw in 0..u64::from(count) {
        let wire = std::hint::black_box(wire);
        if let Some(reply) = respond(
            table,
            wire,
            &mut scratch,
            &asked(ip_of_resolver(), draw, Transport::Udp),
            &mut out,
        ) {
            octets += reply.len as u64;
        }
    }
    octets
}

/// The longest name there can be in `example.com`: 120 labels of one letter before it.
fn deep() -> String {
    "x.".repeat(120) + "example.com"
}

/// A limiter, and what it is asked of each of 256 client prefixes in turn.
fn limited(table: &Table, wire: &[u8], count: u32) -> u32 {
    let limits = Limits {
        responses: Limit {
            mode: Mode::On,
            ..Limits::default().responses
        },
        ..Limits::default()
    };
    let limiter = Limiter::new(&limits, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]).unwrap();
    let mut out = [0; 1232];
    let asked = asked(ip_of_resolver(), 0, Transport::Udp);
    let reply = respond(table, wire, &mut Scratch::new(), &asked, &mut out).unwrap();
    judgements(&limiter, &reply, &out[..reply.len], count)
}

/// The other loop that callgrind collects from.
#[inline(never)]
fn judgements(limiter: &Limiter, reply: &Reply, message: &[u8], count: u32) -> u32 {
    let mut passed = 0;
    for i in 0..count {
        let source = std::net::Ipv4Addr::from_bits(0xc000_0200 + ((i & 255) << 8));
        let now = Ticks::after(Duration::from_micros(i.into()));
        let reply = std::hint::black_box(reply);
        let judged = limiter.judge(reply, message, source.into(), now);
        passed += u32::from(judged.action == Action::Answer);
    }
    passed
}

fn ip_of_resolver() -> std::net::IpAddr {
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8))
}

fn serve(address: &str) {
    let mut draft = world::draft();
    for (apex, zone) in &mut draft.zones {
        for i in 0..1_000 {
            let owner = world::dns(&format!("host{i:04}.{apex}"));
            let data = RData::a(std::net::Ipv4Addr::from(0xc000_0200 + i));
            let set = RrSet::single(Ttl::new(300).unwrap(), &data);
            zone.records.insert(owner, set);
        }
    }
    let prefer = |cluster: &str| vec![vec![name(cluster)]];
    let continents = Continent::ALL
        .into_iter()
        .zip(["a", "b", "c"].into_iter().cycle())
        .map(|(continent, cluster)| (continent, prefer(cluster)));
    if let Some(shop) = draft.apps.get_mut("shop") {
        shop.steering = vec![Step::Geo(GeoRules {
            continents: continents.collect(),
            default: prefer("a"),
            ..GeoRules::default()
        })];
    }
    let (_publisher, source) = Publisher::new(world::table_with(
        draft,
        &[],
        windrose_routing::geo::GeoDb::builtin(),
    ));
    let socket = UdpSocket::bind(address).unwrap();
    let counters = Counters::new(&Metrics::new());
    let manners = world::manners(Manners::default());
    serve_udp(
        &socket,
        source.reader(),
        manners,
        &counters,
        7,
        &Arc::default(),
    )
    .unwrap();
}

fn udp(table: Table, wires: &[Vec<u8>], count: u32, bind: &str) {
    let socket = UdpSocket::bind((ip(bind), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let (_publisher, source) = Publisher::new(table);
    let stop = Arc::new(AtomicBool::new(false));
    let metrics = Metrics::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let manners = world::manners(Manners::default());
            serve_udp(
                &socket,
                source.reader(),
                manners,
                &Counters::new(&metrics),
                7,
                &stop,
            )
        });
        let client = UdpSocket::bind((ip("127.0.0.1"), 0)).unwrap();
        client.connect((ip("127.0.0.1"), address.port())).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut reply = [0; 1500];
        let window = 32;
        let mut wires = wires.iter().cycle();
        for _ in 0..count / window {
            for wire in wires.by_ref().take(window as usize) {
                client.send(wire).unwrap();
            }
            for _ in 0..window {
                client.recv(&mut reply).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
