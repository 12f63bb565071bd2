//! Client-subnet scope is the widest prefix around a client inside which the view is the same
//! (RFC 7871 section 7.2.1), against an oracle that searches all rules for each address.

use crate::support::mmdb;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::support::{self, CLUSTERS, Dice, app, draft, name, prefer, table};
use ipnet::IpNet;
use windrose_model::{
    City, Coordinates, Country, GeoRules, LatencyBand, LatencyMatrix, Preference, PrefixList, Rtt,
    RttFrom, Step, Subdivision, inner_ipv4,
};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, Lists};

/// Random clients in all; the benches ask for 1,000,000 through `WINDROSE_SCOPE_CHECKS`.
#[allow(clippy::disallowed_methods, reason = "a test asks its caller how much")]
fn wanted() -> usize {
    let asked = std::env::var("WINDROSE_SCOPE_CHECKS").ok();
    asked.map_or(120_000, |n| {
        n.parse().expect("WINDROSE_SCOPE_CHECKS is a number")
    })
}

#[test]
fn scopes_are_exact_over_nested_cidrs() {
    let mut checks = 0;
    for seed in 0.. {
        checks += check(seed, &Data::nothing(), 40, 500);
        if checks >= wanted() * 2 / 5 {
            break;
        }
    }
    println!("{checks} checks over CIDRs, 0 violations");
}

#[test]
fn scopes_are_exact_over_countries_and_cidrs() {
    let data = Data::of_geo(GeoDb::builtin());
    let mut checks = 0;
    for seed in 1_000_000.. {
        checks += check(seed, &data, 30, 5_000);
        if checks >= wanted() * 3 / 10 {
            break;
        }
    }
    println!("{checks} checks over countries, 0 violations");
}

#[test]
fn scopes_are_exact_over_cities_systems_and_lists() {
    let mut checks = 0;
    for seed in 2_000_000.. {
        let data = cities(&mut Dice(seed));
        checks += check(seed, &data, 10, 1_000);
        if checks >= wanted() * 3 / 10 {
            break;
        }
    }
    println!("{checks} checks over cities, systems and lists, 0 violations");
}

/// A city database and one of autonomous systems with random networks, and two lists.
fn cities(dice: &mut Dice) -> Data {
    let mut places = mmdb::Writer::new(6, 24);
    let mut asns = mmdb::Writer::new(6, 24);
    let mut slots = Vec::new();
    for (country, subdivisions, city) in [
        ("DE", &["BE"][..], "Berlin"),
        ("US", &["NH"], "Berlin"),
        ("US", &["CA"], "Fresno"),
        ("GB", &["ENG", "LND"], "London"),
        ("GB", &["ENG"], "Leeds"),
        ("FR", &[], ""),
    ] {
        slots.push(places.city(country, subdivisions, city, (10.0, 10.0)));
    }
    let systems = [64_496, 64_497, 64_498].map(|asn| asns.asn(asn));
    // Two from each /5, so that none overlaps another.
    for block in 0..64_u8 {
        let (five, rest) = (block / 2, u32::from(block % 2) << 26);
        let ip = u32::from(five) << 27 | rest | u32::try_from(dice.throw() >> 38).unwrap();
        let len = u32::try_from(6 + dice.below(27)).unwrap();
        let ip = ip & u32::MAX << (32 - len);
        places.insert_bits(u128::from(ip), 96 + len, slots[dice.below(slots.len())]);
        let len = u32::try_from(6 + dice.below(20)).unwrap();
        let ip = ip & u32::MAX << (32 - len);
        asns.insert_bits(u128::from(ip), 96 + len, systems[dice.below(3)]);
        let six = (0x2400 + u128::from(block)) << 112 | u128::from(dice.throw()) << 48;
        let len = u32::try_from(16 + dice.below(60)).unwrap();
        places.insert_bits(
            six & u128::MAX << (128 - len),
            len,
            slots[dice.below(slots.len())],
        );
    }
    let mut list = || {
        let mut nets = Vec::new();
        for _ in 0..20 {
            nets.push(random_net(dice, &nets));
        }
        PrefixList::new(nets)
    };
    Data {
        asn: Some(Arc::new(GeoDb::asns_from_mmdb(&asns.finish()).unwrap())),
        lists: Lists::new(BTreeMap::from([
            (name("one"), list()),
            (name("two"), list()),
        ])),
        ..Data::of_geo(GeoDb::from_mmdb(&places.finish()).unwrap())
    }
}

#[test]
fn one_view_has_scope_0() {
    let mut draft = draft();
    draft.apps.insert(
        name("shop"),
        app(
            "shop.example.com",
            vec![Step::Failover(prefer(&["virginia"]))],
        ),
    );
    let (_, table) = table(draft, &Data::of_geo(GeoDb::builtin()));
    let entry = table.app(table.host("shop.example.com").unwrap());
    assert_eq!(entry.scope(table.leaf("192.0.2.1".parse().unwrap())), 0);
    assert_eq!(entry.scope(table.leaf("2001:db8::1".parse().unwrap())), 0);
}

/// The case where others tailor with a scope that is too wide: 10/8 = A, 10.1.2/24 = B, else C.
#[test]
fn a_nested_more_specific_prefix_narrows_the_scope() {
    let rules = GeoRules {
        cidrs: BTreeMap::from([
            ("10.0.0.0/8".parse().unwrap(), prefer(&["frankfurt"])),
            ("10.1.2.0/24".parse().unwrap(), prefer(&["virginia"])),
        ]),
        default: prefer(&["oregon"]),
        ..GeoRules::default()
    };
    let mut draft = draft();
    draft.apps.insert(
        name("shop"),
        app("shop.example.com", vec![Step::Geo(rules)]),
    );
    let (_, table) = table(draft, &support::no_geo());
    let entry = table.app(table.host("shop.example.com").unwrap());
    let scope = |ip: &str| entry.scope(table.leaf(ip.parse().unwrap()));
    assert_eq!(scope("10.9.9.1"), 13);
    assert_eq!(scope("10.1.2.3"), 24);
    assert_eq!(scope("172.16.0.1"), 1);
    // Teredo, 2001::/32, holds IPv4 addresses, which are not of one view.
    assert_eq!(scope("2001:db8::1"), 21);
}

/// Builds one random steering and compares random clients with the oracle; returns the checks done.
fn check(seed: u64, data: &Data, cidrs: usize, clients: usize) -> usize {
    let mut dice = Dice(seed);
    let cluster = |dice: &mut Dice| CLUSTERS[dice.below(4)].0;
    let mut rules = GeoRules {
        default: prefer(&[cluster(&mut dice)]),
        ..GeoRules::default()
    };
    let mut nets: Vec<IpNet> = Vec::new();
    for _ in 0..cidrs {
        let net = random_net(&mut dice, &nets);
        nets.push(net);
        let target = cluster(&mut dice);
        rules.cidrs.insert(net, prefer(&[target]));
    }
    if data.asn.is_some() {
        for asn in ["AS64496", "AS64498"] {
            let target = cluster(&mut dice);
            rules.asns.insert(asn.parse().unwrap(), prefer(&[target]));
        }
        for city in ["DE/Berlin", "US/berlin", "US-NH/Berlin", "GB-ENG/London"] {
            if dice.below(3) > 0 {
                let target = cluster(&mut dice);
                rules
                    .cities
                    .insert(city.parse().unwrap(), prefer(&[target]));
            }
        }
        for subdivision in ["US-CA", "GB-ENG", "GB-LND"] {
            if dice.below(3) > 0 {
                let target = cluster(&mut dice);
                rules
                    .subdivisions
                    .insert(subdivision.parse().unwrap(), prefer(&[target]));
            }
        }
        for list in ["one", "two"] {
            let target = cluster(&mut dice);
            rules.lists.insert(name(list), prefer(&[target]));
        }
    }
    if data.geo.v4().count() > 0 {
        for code in ["DE", "US", "SG", "JP", "BR", "GB", "FR", "IN"] {
            let target = cluster(&mut dice);
            rules
                .countries
                .insert(code.parse::<Country>().unwrap(), prefer(&[target]));
        }
    }
    // Every second steering goes on by round trip, from prefixes and countries of its own.
    let matrix = (seed % 2 == 1).then(|| random_matrix(&mut dice, &mut nets));
    let oracle = Oracle::new(&rules, matrix.clone(), data);
    let mut draft = draft();
    let mut steps = vec![Step::Geo(rules)];
    let mut data = data.clone();
    if let Some(matrix) = matrix {
        steps.push(Step::Latency(LatencyBand::default()));
        draft.latency = Some(matrix.fingerprint());
        data = data.with_latency(matrix);
    }
    draft.lists = BTreeMap::from([(name("one"), 1), (name("two"), 1)]);
    draft
        .apps
        .insert(name("shop"), app("shop.example.com", steps));
    let (_, table) = table(draft, &data);
    let entry = table.app(table.host("shop.example.com").unwrap());
    let mut proven = BTreeSet::new();
    for _ in 0..clients {
        let client = random_client(&mut dice, &nets);
        let scope = entry.scope(table.leaf(client));
        let view = entry.view(&table, table.leaf(client));
        let around = |len: u8| IpNet::new(client, len).unwrap().trunc();
        let want = oracle.target(client);
        // The claim about a prefix is checked once; each further client inside must make the same.
        if !proven.insert(around(scope)) {
            assert_eq!(
                want,
                oracle.target(around(scope).network()),
                "seed {seed}: {client} /{scope}"
            );
            continue;
        }
        for point in oracle.points_in(around(scope), 400, &mut dice) {
            assert_eq!(
                oracle.target(point),
                want,
                "seed {seed}: {client} has scope /{scope}, but {point} differs"
            );
            assert_eq!(
                entry.view(&table, table.leaf(point)),
                view,
                "seed {seed}: {client} /{scope} {point}"
            );
        }
        if scope > 0 {
            let wider = around(scope - 1);
            let differs = [200, 20_000, usize::MAX].into_iter().any(|most| {
                oracle
                    .points_in(wider, most, &mut dice)
                    .into_iter()
                    .any(|p| oracle.target(p) != want)
            });
            assert!(
                differs,
                "seed {seed}: {client} has scope /{scope}, but /{} is uniform",
                scope - 1
            );
        }
    }
    clients
}

/// Round trips from prefixes, often nested in those of the rules, from countries and from regions.
fn random_matrix(dice: &mut Dice, nets: &mut Vec<IpNet>) -> LatencyMatrix {
    let mut pairs: BTreeMap<RttFrom, BTreeMap<_, Rtt>> = BTreeMap::new();
    for _ in 0..20 {
        let from = match dice.below(6) {
            0 => RttFrom::Country(["DE", "US", "JP"][dice.below(3)].parse().unwrap()),
            1 => RttFrom::Region(name(CLUSTERS[dice.below(4)].0)),
            _ => {
                let net = random_net(dice, nets);
                nets.push(net);
                RttFrom::Cidr(net)
            }
        };
        let to = name(CLUSTERS[dice.below(4)].0);
        // Few values, so that neighbours are often alike.
        let rtt = Rtt::from_micros(20_000 * u32::try_from(dice.below(3)).unwrap()).unwrap();
        pairs.entry(from).or_default().insert(to, rtt);
    }
    LatencyMatrix::new(pairs)
}

/// A prefix that rules may name: not IPv4 written as IPv6.
fn random_net(dice: &mut Dice, nets: &[IpNet]) -> IpNet {
    loop {
        let net = any_net(dice, nets);
        if inner_ipv4(&net).is_none() {
            return net;
        }
    }
}

fn any_net(dice: &mut Dice, nets: &[IpNet]) -> IpNet {
    // Half of them nested in an earlier one.
    if !nets.is_empty() && dice.below(2) == 0 {
        let outer = nets[dice.below(nets.len())];
        let max = outer.max_prefix_len();
        let len = (outer.prefix_len() + 1 + u8::try_from(dice.below(10)).unwrap()).min(max);
        return IpNet::new(inside(dice, outer), len).unwrap().trunc();
    }
    if dice.below(3) == 0 {
        let ip = Ipv6Addr::from(
            (u128::from(dice.throw()) << 64 | u128::from(dice.throw())) >> 3 | 1 << 125,
        );
        IpNet::new(ip.into(), u8::try_from(dice.below(129)).unwrap())
            .unwrap()
            .trunc()
    } else {
        let ip = Ipv4Addr::from(u32::try_from(dice.throw() >> 32).unwrap());
        IpNet::new(ip.into(), u8::try_from(dice.below(33)).unwrap())
            .unwrap()
            .trunc()
    }
}

fn random_client(dice: &mut Dice, nets: &[IpNet]) -> IpAddr {
    let near = nets[dice.below(nets.len())];
    if let (IpAddr::V4(ip), 0) = (inside(dice, near), dice.below(8)) {
        let (ip, low) = (u128::from(u32::from(ip)), u128::from(dice.throw()));
        let bits = match dice.below(4) {
            0 => 0xffff << 32 | ip,
            1 => 0x64_ff9b << 96 | ip,
            2 => 0x2001_0000 << 96 | low << 32 | u128::from(!(ip as u32)),
            _ => 0x2002 << 112 | ip << 80 | low,
        };
        return Ipv6Addr::from(bits).into();
    }
    match dice.below(4) {
        0 => Ipv4Addr::from(u32::try_from(dice.throw() >> 32).unwrap()).into(),
        1 => Ipv6Addr::from(u128::from(dice.throw()) << 61 | u128::from(dice.throw())).into(),
        2 => inside(dice, near),
        // Just outside or at the edge.
        _ => {
            let wider = IpNet::new(near.network(), near.prefix_len().saturating_sub(1)).unwrap();
            inside(dice, wider.trunc())
        }
    }
}

fn inside(dice: &mut Dice, net: IpNet) -> IpAddr {
    let bits = u128::from(dice.throw()) << 64 | u128::from(dice.throw());
    match net {
        IpNet::V4(net) => {
            Ipv4Addr::from(u32::from(net.network()) | (bits as u32 & u32::from(net.hostmask())))
                .into()
        }
        IpNet::V6(net) => {
            Ipv6Addr::from(u128::from(net.network()) | (bits & u128::from(net.hostmask()))).into()
        }
    }
}

/// The IPv4 address inside an IPv6 one: mapped, NAT64, 6to4, Teredo.
fn unfolded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let bits = u128::from(six);
    let low = bits as u32;
    let ip = match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => low,
        [0x2001, 0, ..] => !low,
        [0x2002, ..] => (bits >> 80) as u32,
        _ => return ip,
    };
    Ipv4Addr::from(ip).into()
}

fn haversine(a: Coordinates, b: Coordinates) -> f64 {
    let radians = |hundredths: i16| (f64::from(hundredths) / 100.0).to_radians();
    let (lat_a, lat_b) = (radians(a.lat_hundredths), radians(b.lat_hundredths));
    let (dlat, dlon) = (
        lat_b - lat_a,
        radians(b.lon_hundredths) - radians(a.lon_hundredths),
    );
    (dlat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (dlon / 2.0).sin().powi(2)
}

/// Answers by searching every rule for the address: slow and plain.
struct Oracle {
    rules: GeoRules,
    /// Prefixes by rule, those written first, then those of lists.
    nets: Vec<(IpNet, Preference)>,
    matrix: Option<LatencyMatrix>,
    data: Data,
    breaks4: Vec<u128>,
    breaks6: Vec<u128>,
}

impl Oracle {
    fn new(rules: &GeoRules, matrix: Option<LatencyMatrix>, data: &Data) -> Self {
        let (mut four, mut six) = (BTreeSet::new(), BTreeSet::new());
        let mut nets: Vec<_> = (rules.cidrs.iter()).map(|(n, p)| (*n, p.clone())).collect();
        for (list, preference) in &rules.lists {
            let list = data.lists.get(list).unwrap().prefixes();
            nets.extend(list.iter().map(|net| (*net, preference.clone())));
        }
        let in_matrix = matrix.iter().flat_map(LatencyMatrix::cidrs);
        for net in nets.iter().map(|(net, _)| *net).chain(in_matrix) {
            match net {
                IpNet::V4(net) => four.extend([
                    u32::from(net.network()).into(),
                    u128::from(u32::from(net.broadcast())) + 1,
                ]),
                IpNet::V6(net) => six.extend([
                    u128::from(net.network()),
                    u128::from(net.broadcast()).wrapping_add(1),
                ]),
            }
        }
        for geo in data.asn.iter().chain([&data.geo]) {
            let ends = |(a, b): (u128, u128)| [a, b.wrapping_add(1)];
            four.extend(geo.v4().flat_map(|(a, b, _)| ends((a.into(), b.into()))));
            six.extend(geo.v6().flat_map(|(a, b, _)| ends((a, b))));
        }
        Self {
            rules: rules.clone(),
            matrix,
            nets,
            data: data.clone(),
            breaks4: four.into_iter().collect(),
            breaks6: six.into_iter().collect(),
        }
    }

    /// All that a row may depend on, whatever is measured: the preference and, of the clusters that
    /// it does not name, the round trips of the client's own and its region for the others.
    fn target(&self, ip: IpAddr) -> (&Preference, Vec<Option<Rtt>>, Option<usize>) {
        let ip = unfolded(ip);
        let preference = self.preference(ip);
        let Some(matrix) = &self.matrix else {
            return (preference, Vec::new(), None);
        };
        let mut around: Vec<IpNet> = matrix.cidrs().filter(|net| net.contains(&ip)).collect();
        around.sort_by_key(|net| std::cmp::Reverse(net.prefix_len()));
        let locality = self.data.geo.locality(ip);
        let from: Vec<RttFrom> = around
            .into_iter()
            .map(RttFrom::Cidr)
            .chain(locality.country.map(RttFrom::Country))
            .collect();
        let others: Vec<_> = CLUSTERS
            .iter()
            .map(|(cluster, ..)| name(cluster))
            .filter(|cluster| preference[0][0] != *cluster)
            .collect();
        let rtt = |to| from.iter().find_map(|from| matrix.rtt(from, to, to));
        let own: Vec<_> = others.iter().map(rtt).collect();
        let region = || {
            let middle = || windrose_routing::geo::centroid(locality.country?);
            let here = locality.point.or_else(middle)?;
            let far = |(_, lat, lon): &(&str, f64, f64)| {
                haversine(here, Coordinates::new(*lat, *lon).unwrap())
            };
            let far: Vec<f64> = CLUSTERS.iter().map(far).collect();
            (0..far.len()).min_by(|a, b| far[*a].total_cmp(&far[*b]))
        };
        let open = own.iter().any(Option::is_none);
        (preference, own, if open { region() } else { None })
    }

    fn preference(&self, ip: IpAddr) -> &Preference {
        let rules = &self.rules;
        let mut best: Option<&(IpNet, Preference)> = None;
        for rule in self.nets.iter().filter(|(net, _)| net.contains(&ip)) {
            // Of equal prefixes the first counts.
            if best.is_none_or(|(net, _)| net.prefix_len() < rule.0.prefix_len()) {
                best = Some(rule);
            }
        }
        if let Some((_, preference)) = best {
            return preference;
        }
        let asn = self.data.asn.as_ref().and_then(|db| db.locality(ip).asn);
        let locality = self.data.geo.locality(ip);
        let [outer, inner] = locality.subdivisions;
        let city = |within: Option<Subdivision>| {
            let name = self.data.geo.city(locality)?.to_lowercase();
            let named = |(city, _): &(&City, _)| {
                Some(city.country()) == locality.country
                    && city.subdivision() == within
                    && city.name().to_lowercase() == name
            };
            rules
                .cities
                .iter()
                .find(named)
                .map(|(_, preference)| preference)
        };
        let subdivision = |s: Option<Subdivision>| rules.subdivisions.get(&s?);
        asn.and_then(|asn| rules.asns.get(&asn))
            .or_else(|| inner.and_then(|inner| city(Some(inner))))
            .or_else(|| outer.and_then(|outer| city(Some(outer))))
            .or_else(|| city(None))
            .or_else(|| subdivision(inner))
            .or_else(|| subdivision(outer))
            .or_else(|| rules.countries.get(&locality.country?))
            .unwrap_or(&rules.default)
    }

    /// Addresses of the prefix where the answer may change (evenly taken if there are more than
    /// `most`), its ends, and some at random.
    fn points_in(&self, net: IpNet, most: usize, dice: &mut Dice) -> Vec<IpAddr> {
        let (breaks, first, last) = match net {
            IpNet::V4(n) => (
                &self.breaks4,
                u128::from(u32::from(n.network())),
                u128::from(u32::from(n.broadcast())),
            ),
            IpNet::V6(n) => (
                &self.breaks6,
                u128::from(n.network()),
                u128::from(n.broadcast()),
            ),
        };
        let address = |bits: u128| -> IpAddr {
            match net {
                IpNet::V4(_) => Ipv4Addr::from(u32::try_from(bits).unwrap()).into(),
                IpNet::V6(_) => Ipv6Addr::from(bits).into(),
            }
        };
        // Where IPv4 is inside IPv6, its breaks are breaks too.
        let mut points = Vec::new();
        if let IpNet::V6(_) = net {
            for (start, len, offset, inverted) in [
                (0xffff_u128 << 32, 96, 96, false),
                (0x64_ff9b << 96, 96, 96, false),
                (0x2001_0000 << 96, 32, 96, true),
                (0x2002 << 112, 16, 16, false),
            ] {
                let end = start | u128::MAX >> len;
                if end < first || start > last || self.breaks4.is_empty() {
                    continue;
                }
                let shift = 96 - offset;
                let inside = net.prefix_len() >= offset && first >= start && last <= end;
                let (lo, hi) = match inside {
                    true => ((first >> shift) as u32, (last >> shift) as u32),
                    false => (0, u32::MAX),
                };
                let (lo, hi) = if inverted { (!hi, !lo) } else { (lo, hi) };
                let base = first.max(start) & !(u128::from(u32::MAX) << shift);
                let low = self.breaks4.partition_point(|b| *b < lo.into());
                let high = self.breaks4.partition_point(|b| *b <= hi.into());
                let step = ((high - low) / most).max(1);
                let breaks = self.breaks4[low..high].iter();
                let breaks = breaks.skip(dice.below(step)).step_by(step);
                let borders = breaks.flat_map(|b| [*b as u32, (*b as u32).wrapping_sub(1)]);
                for ip in borders.chain([lo, hi]) {
                    let ip = u128::from(if inverted { !ip } else { ip });
                    let bits = base | ip << shift;
                    if (first..=last).contains(&bits) {
                        points.push(address(bits));
                    }
                }
            }
        }
        let low = breaks.partition_point(|b| *b < first);
        let high = breaks.partition_point(|b| *b <= last);
        let step = ((high - low) / most).max(1);
        let from = dice.below(step);
        let breaks = breaks[low..high].iter().skip(from).step_by(step);
        points.extend(breaks.map(|b| address(*b)));
        points.extend([address(first), address(last)]);
        points.extend((0..4).map(|_| inside(dice, net)));
        points
    }
}
