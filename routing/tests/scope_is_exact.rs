//! Client-subnet scope is the widest prefix around a client inside which the view is the same
//! (RFC 7871 section 7.2.1), against an oracle that searches all rules for each address.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use support::{CLUSTERS, Dice, app, draft, name, prefer, table};
use windrose_model::{Country, GeoRules, Step};
use windrose_routing::Data;
use windrose_routing::geo::GeoDb;

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
    let geo = Arc::new(GeoDb::empty());
    let mut checks = 0;
    for seed in 0.. {
        checks += check(seed, &geo, 40, 500);
        if checks >= wanted() * 3 / 5 {
            break;
        }
    }
    println!("{checks} checks over CIDRs, 0 violations");
}

#[test]
fn scopes_are_exact_over_countries_and_cidrs() {
    let geo = Arc::new(GeoDb::builtin());
    let mut checks = 0;
    for seed in 1_000_000.. {
        checks += check(seed, &geo, 30, 5_000);
        if checks >= wanted() * 2 / 5 {
            break;
        }
    }
    println!("{checks} checks over countries, 0 violations");
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
    assert_eq!(scope("2001:db8::1"), 0);
}

/// Builds one random steering and compares random clients with the oracle; returns the checks done.
fn check(seed: u64, geo: &Arc<GeoDb>, cidrs: usize, clients: usize) -> usize {
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
    if geo.country("8.8.8.8".parse().unwrap()).is_some() {
        for code in ["DE", "US", "SG", "JP", "BR", "GB", "FR", "IN"] {
            let target = cluster(&mut dice);
            rules
                .countries
                .insert(code.parse::<Country>().unwrap(), prefer(&[target]));
        }
    }
    let oracle = Oracle::new(&rules, geo);
    let mut draft = draft();
    draft.apps.insert(
        name("shop"),
        app("shop.example.com", vec![Step::Geo(rules)]),
    );
    let (_, table) = table(draft, &Data::of_geo(Arc::clone(geo)));
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

fn random_net(dice: &mut Dice, nets: &[IpNet]) -> IpNet {
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

/// Answers by searching every rule for the address: slow and plain.
struct Oracle {
    rules: GeoRules,
    geo: Arc<GeoDb>,
    breaks4: Vec<u128>,
    breaks6: Vec<u128>,
}

impl Oracle {
    fn new(rules: &GeoRules, geo: &Arc<GeoDb>) -> Self {
        let (mut four, mut six) = (BTreeSet::new(), BTreeSet::new());
        for net in rules.cidrs.keys() {
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
        four.extend(
            geo.v4()
                .flat_map(|(a, b, _)| [u128::from(a), u128::from(b) + 1]),
        );
        six.extend(geo.v6().flat_map(|(a, b, _)| [a, b.wrapping_add(1)]));
        Self {
            rules: rules.clone(),
            geo: Arc::clone(geo),
            breaks4: four.into_iter().collect(),
            breaks6: six.into_iter().collect(),
        }
    }

    fn target(&self, ip: IpAddr) -> &windrose_model::Preference {
        let rules = &self.rules;
        if let Some((_, preference)) = rules
            .cidrs
            .iter()
            .filter(|(n, _)| n.contains(&ip))
            .max_by_key(|(n, _)| n.prefix_len())
        {
            return preference;
        }
        self.geo
            .country(ip)
            .and_then(|country| rules.countries.get(&country))
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
        let low = breaks.partition_point(|b| *b < first);
        let high = breaks.partition_point(|b| *b <= last);
        let step = ((high - low) / most).max(1);
        let from = dice.below(step);
        let mut points: Vec<IpAddr> = breaks[low..high]
            .iter()
            .skip(from)
            .step_by(step)
            .map(|b| address(*b))
            .collect();
        points.extend([address(first), address(last)]);
        points.extend((0..4).map(|_| inside(dice, net)));
        points
    }
}
