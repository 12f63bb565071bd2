//! A small world to ask: two zones, two steered apps, three clusters; and the means to ask it.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "shared by the test binaries")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use windrose_dns::{Asked, Manners, Transport};
use windrose_model::{
    AliasCause, AliasStatus, Aliases, App, AppStatus, Cause, Cluster, ClusterStatus, Coordinates,
    DnsName, Draft, EndpointState, GeoRules, Model, Name, Percent, RData, RecordType, Region,
    Revision, RrSet, Soa, Split, Stamp, Status, Step, Ttl, Verdict, Version, WallTime, Weight,
    WhenAllDown, Zone,
};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, SlotBook, Table, compile};

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn dns(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn ttl(seconds: u32) -> Ttl {
    Ttl::new(seconds).unwrap()
}

/// Records of `example.com`, one a line: owner, TTL, type, data.
const EXAMPLE: &str = "
    example.com            3600 NS    ns1.example.net
    example.com            3600 NS    ns2.example.net
    example.com            3600 MX    mail.example.com
    example.com            3600 TXT   v=spf1
    mail.example.com       300  A     192.0.2.25
    www.example.com        300  A     192.0.2.80
    www.example.com        300  A     192.0.2.81
    www.example.com        300  AAAA  2001:db8::80
    deep.empty.example.com 300  TXT   here
    *.wild.example.com     120  TXT   wild
    alias.example.com      600  CNAME www.example.com
    outside.example.com    600  CNAME www.example.org
    dangling.example.com   600  CNAME nothing.example.com
    other.example.com      600  CNAME www.second.test
    toapp.example.com      600  CNAME shop.example.com
    loop-a.example.com     600  CNAME loop-b.example.com
    loop-b.example.com     600  CNAME loop-a.example.com
    self.example.com       600  CNAME self.example.com
    c0.example.com         600  CNAME c1.example.com
    c1.example.com         600  CNAME c2.example.com
    c2.example.com         600  CNAME c3.example.com
    c3.example.com         600  CNAME c4.example.com
    c4.example.com         600  CNAME c5.example.com
    c5.example.com         600  CNAME c6.example.com
    c6.example.com         600  CNAME c7.example.com
    c7.example.com         600  CNAME www.example.com
    shop.example.com       300  TXT   beside the steered addresses
";

const SECOND: &str = "
    second.test            3600 NS    ns1.example.net
    www.second.test        60   A     198.51.100.1
";

/// A zone of records, one a line: owner, TTL, type, data; of types that are not named below as hex.
pub fn zone(apex: &str, records: &str, minimum: u32) -> (DnsName, Zone) {
    let mut sets: BTreeMap<_, (Ttl, Vec<RData>)> = BTreeMap::new();
    for line in records.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let owner = dns(words.next().unwrap());
        let seconds = words.next().unwrap().parse().unwrap();
        let rtype: RecordType = words.next().unwrap().parse().unwrap();
        let rest: Vec<_> = words.collect();
        let data = match rtype {
            RecordType::A => RData::a(rest[0].parse().unwrap()),
            RecordType::AAAA => RData::aaaa(rest[0].parse().unwrap()),
            RecordType::CNAME => RData::cname(&dns(rest[0])),
            RecordType::ALIAS => RData::alias(&dns(rest[0])),
            RecordType::NS => RData::ns(&dns(rest[0])),
            RecordType::MX => RData::mx(10, &dns(rest[0])),
            RecordType::TXT => RData::txt(&[rest.join(" ")]).unwrap(),
            RecordType::DNAME => RData::dname(&dns(rest[0])),
            other => RData::from_wire(other, &hex(&rest.concat())).unwrap(),
        };
        sets.entry((owner, rtype))
            .or_insert_with(|| (ttl(seconds), Vec::new()))
            .1
            .push(data);
    }
    let records = sets
        .into_iter()
        .map(|((owner, _), (ttl, data))| (owner, RrSet::new(ttl, &data).unwrap()))
        .collect();
    let soa = Soa {
        mname: dns("ns1.example.net"),
        rname: dns("hostmaster.example.net"),
        serial: 7,
        refresh: 3600,
        retry: 600,
        expire: 604_800,
        minimum,
        ttl: ttl(900),
    };
    (dns(apex), Zone { soa, records })
}

fn hex(text: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(octet).collect()
}

fn cluster(addresses: &[&str]) -> Cluster {
    Cluster {
        region: name("here"),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        class: None,
        cost_thousandths: 1000,
        dial: Percent::FULL,
        drain: false,
    }
}

pub fn app(hosts: &[&str], clusters: &[&str]) -> App {
    let endpoints = clusters
        .iter()
        .map(|c| (name(c), vec!["127.0.0.1:80".parse().unwrap()]))
        .collect();
    let versions = BTreeMap::from([(name("v1"), Version::at(endpoints))]);
    let split = Split(BTreeMap::from([(name("v1"), Weight::ONE)]));
    App::new(hosts.iter().map(|h| dns(h)).collect(), versions, split)
}

/// `10/8` goes to `a`, `10.1.2/24` in it to `b`, `2001:db8:1::/48` to `b`, the rest to `c`.
pub fn geo() -> Step {
    let prefer = |c: &str| vec![vec![name(c)]];
    Step::Geo(GeoRules {
        cidrs: BTreeMap::from([
            ("10.0.0.0/8".parse().unwrap(), prefer("a")),
            ("10.1.2.0/24".parse().unwrap(), prefer("b")),
            ("198.51.100.0/24".parse().unwrap(), prefer("a")),
            ("2001:db8:1::/48".parse().unwrap(), prefer("b")),
        ]),
        default: prefer("c"),
        ..GeoRules::default()
    })
}

/// Everything the scripts ask about; tests change it before they build.
pub fn draft() -> Draft {
    let mut shop = app(
        &["shop.example.com", "*.shop.example.com"],
        &["a", "b", "c"],
    );
    shop.steering = vec![geo()];
    let mut plain = app(&["plain.example.com", "second.test"], &["a", "b", "c"]);
    plain.answers = 3;
    let mut sticky = app(&["sticky.example.com"], &["a", "b", "c"]);
    sticky.sticky = true;
    let mut silent = app(&["silent.example.com"], &["a"]);
    silent.when_all_down = WhenAllDown::Servfail;
    let mut empty = app(&["quiet.example.com"], &["a"]);
    empty.when_all_down = WhenAllDown::Nodata;
    let mut last = app(&["last.example.com"], &["a"]);
    last.when_all_down = WhenAllDown::LastKnown;
    let crowd = app(&["crowd.example.com"], &["crowd"]);
    let many: Vec<String> = (0..32).map(|i| format!("203.0.113.{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (first, second) = (
        zone("example.com", EXAMPLE, 300),
        zone("second.test", SECOND, 1800),
    );
    Draft {
        regions: BTreeMap::from([(
            name("here"),
            Region {
                location: Coordinates::new(50.0, 8.0).unwrap(),
                country: None,
            },
        )]),
        clusters: BTreeMap::from([
            (name("a"), cluster(&["192.0.2.1", "2001:db8::a"])),
            (name("b"), cluster(&["192.0.2.2", "192.0.2.3"])),
            (name("c"), cluster(&["192.0.2.4", "2001:db8::c"])),
            (name("crowd"), cluster(&many)),
        ]),
        apps: BTreeMap::from([
            (name("shop"), shop),
            (name("plain"), plain),
            (name("sticky"), sticky),
            (name("silent"), silent),
            (name("empty"), empty),
            (name("last"), last),
            (name("crowd"), crowd),
        ]),
        zones: BTreeMap::from([first, second]),
        ..Draft::default()
    }
}

/// A Table with all clusters up, but those of `down` (app names) all down; no address has a
/// country.
pub fn table_of(draft: Draft, down: &[&str]) -> Table {
    table_with(draft, down, GeoDb::empty())
}

/// The same with a country database.
pub fn table_with(draft: Draft, down: &[&str], geo: GeoDb) -> Table {
    let share = |app: &Name, _: &Name| (!down.contains(&app.as_str())).then_some(Percent::FULL);
    table_where(draft, geo, share)
}

/// A Table in which each cluster of each app has this share; `None`: it is down.
pub fn table_where(
    draft: Draft,
    geo: GeoDb,
    share: impl Fn(&Name, &Name) -> Option<Percent>,
) -> Table {
    let model = Model::build(draft, Revision(1), None).unwrap();
    let status = Status {
        stamp: Stamp {
            term: 1,
            epoch: 1,
            revision: Revision(1),
        },
        apps: model
            .app_ids()
            .map(|(id, name, app)| {
                let clusters = model.clusters_of(id);
                let shares: Vec<_> = clusters
                    .iter()
                    .map(|cluster| share(name, &model.cluster(*cluster).0))
                    .collect();
                let up = shares.iter().any(Option::is_some);
                let concluded = |share: &Option<Percent>| ClusterStatus {
                    verdict: match share {
                        Some(_) => Verdict::Up,
                        None => Verdict::Down,
                    },
                    usable: share.is_some(),
                    share: share.unwrap_or(Percent::FULL),
                    cause: Cause::Starting,
                    since: WallTime(0),
                };
                Arc::new(AppStatus {
                    clusters: shares.iter().map(concluded).collect(),
                    endpoints: vec![
                        if up {
                            EndpointState::Up
                        } else {
                            EndpointState::Down
                        };
                        model.endpoints(id).count()
                    ],
                    last_known: u16::MAX >> (16 - clusters.len()),
                    ttl_cause: windrose_model::TtlCause::STARTING,
                    ttl: app.ttl.min,
                })
            })
            .collect(),
        aliases: Arc::new(known()),
        ..Status::default()
    };
    let slots = SlotBook::new().assign(&model, 1);
    let data = Data::of_geo(geo);
    compile(&model, &status, &data, &slots, None)
}

/// What was resolved of foreign names: `cdn.example.org`, IPv4 only.
fn known() -> Aliases {
    let known = AliasStatus {
        v4: vec![
            "203.0.113.1".parse().unwrap(),
            "203.0.113.2".parse().unwrap(),
        ],
        v6: Vec::new(),
        ttl: ttl(120),
        cause: AliasCause::Resolved,
        confirmed: WallTime(0),
    };
    Aliases::from([(dns("cdn.example.org"), Arc::new(known))])
}

/// The usual world: `silent`, `empty` and `last` are down.
pub fn table() -> Table {
    table_of(draft(), &["silent", "empty", "last"])
}

static MANNERS: LazyLock<Manners> = LazyLock::new(Manners::default);

/// A query's circumstances with the usual manners, at the beginning of 2026.
pub fn asked(source: IpAddr, draw: u64, transport: Transport) -> Asked<'static> {
    Asked {
        source,
        transport,
        draw,
        now: 1_767_225_600,
        limited: false,
        manners: &MANNERS,
    }
}

/// The channel of manners that nobody will change.
pub fn manners(manners: Manners) -> tokio::sync::watch::Receiver<Arc<Manners>> {
    tokio::sync::watch::channel(Arc::new(manners)).1
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A query on the wire.
#[derive(Debug, Clone)]
pub struct Ask {
    pub id: u16,
    pub flags: u16,
    pub name: Vec<u8>,
    pub qtype: u16,
    pub class: u16,
    /// 1, or 0 for none at all.
    pub questions: u16,
    /// UDP size, extended flags word (rcode, version, DO and Z), options.
    pub opt: Option<(u16, u32, Vec<u8>)>,
}

impl Ask {
    pub fn new(name: &str, qtype: u16) -> Self {
        let mut wire = Vec::new();
        for label in name.split('.').filter(|l| !l.is_empty()) {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend(label.as_bytes());
        }
        wire.push(0);
        Self {
            id: 0x1234,
            flags: 0x0100,
            name: wire,
            qtype,
            class: 1,
            questions: 1,
            opt: None,
        }
    }

    #[must_use]
    pub fn edns(mut self, size: u16) -> Self {
        self.opt = Some((size, 0, Vec::new()));
        self
    }

    /// Adds an option; EDNS with size 1232 if there is none yet.
    #[must_use]
    pub fn option(mut self, code: u16, data: &[u8]) -> Self {
        let (.., options) = self.opt.get_or_insert((1232, 0, Vec::new()));
        options.extend(code.to_be_bytes());
        options.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        options.extend(data);
        self
    }

    /// Adds a client subnet such as `10.0.0.0/8`.
    #[must_use]
    pub fn subnet(self, text: &str) -> Self {
        let (address, source) = text.split_once('/').unwrap();
        let source: u8 = source.parse().unwrap();
        let (family, octets) = match ip(address) {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2, ip.octets().to_vec()),
        };
        let mut data = vec![0, family, source, 0];
        data.extend(&octets[..usize::from(source).div_ceil(8)]);
        self.option(8, &data)
    }

    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        for word in [
            self.id,
            self.flags,
            self.questions,
            0,
            0,
            u16::from(self.opt.is_some()),
        ] {
            wire.extend(word.to_be_bytes());
        }
        if self.questions > 0 {
            wire.extend(&self.name);
            wire.extend(self.qtype.to_be_bytes());
            wire.extend(self.class.to_be_bytes());
        }
        if let Some((size, extended, options)) = &self.opt {
            wire.extend([0, 0, 41]);
            wire.extend(size.to_be_bytes());
            wire.extend(extended.to_be_bytes());
            wire.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
            wire.extend(options);
        }
        wire
    }
}
