//! Steering by round trip: which one is taken, what it does to the tiers, and what it never touches.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use crate::support::{self, CLUSTERS, Dice, app, draft, model, name, prefer, slots, status};
use windrose_model::{
    ClientSet, Country, Draft, FenceRule, GeoRules, LatencyBand, LatencyMatrix, MeasuredRtt,
    MeasuredRtts, Model, Percent, RecordType, Rtt, RttCause, RttFrom, Step, WallTime, Weight,
};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, DnsChoice, Table, compile, explain};

const GERMAN: &str = "88.198.0.1";
const AMERICAN: &str = "8.8.8.8";
const NOWHERE: &str = "192.0.2.1";

static GEO: LazyLock<Arc<GeoDb>> = LazyLock::new(|| Arc::new(GeoDb::builtin()));

fn ms(millis: f64) -> Rtt {
    Rtt::from_millis(millis).unwrap()
}

fn from(text: &str) -> RttFrom {
    match (text.parse(), text.parse::<Country>()) {
        (Ok(net), _) => RttFrom::Cidr(net),
        (_, Ok(country)) => RttFrom::Country(country),
        _ => RttFrom::Region(name(text)),
    }
}

/// From, to, milliseconds.
fn matrix(lines: &[(&str, &str, f64)]) -> LatencyMatrix {
    let mut pairs: BTreeMap<RttFrom, BTreeMap<_, Rtt>> = BTreeMap::new();
    for (origin, to, rtt) in lines {
        let to = (name(to), ms(*rtt));
        pairs.entry(from(origin)).or_default().extend([to]);
    }
    LatencyMatrix::new(pairs)
}

fn measured(lines: &[(&str, &str, f64)]) -> MeasuredRtts {
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (origin, to, rtt) in lines {
        let entry = MeasuredRtt {
            rtt: ms(*rtt),
            cause: RttCause::WarmedUp { seconds: 600 },
            since: WallTime(0),
        };
        let region = all.entry(name(origin)).or_default();
        region.insert(name(to), entry);
    }
    Arc::new(all)
}

/// The four clusters and one app, steered by these steps.
struct World {
    model: Model,
    data: Data,
    slots: windrose_routing::Slots,
}

impl World {
    fn new(steps: Vec<Step>, lines: &[(&str, &str, f64)]) -> Self {
        Self::of(draft(), steps, lines)
    }

    fn of(mut draft: Draft, steps: Vec<Step>, lines: &[(&str, &str, f64)]) -> Self {
        let matrix = matrix(lines);
        draft.latency = Some(matrix.fingerprint());
        let shop = app("shop.example.com", steps);
        draft.apps.insert(name("shop"), shop);
        let model = model(draft, 1, None);
        Self {
            slots: slots(&model),
            data: Data::of_geo(Arc::clone(&GEO)).with_latency(matrix),
            model,
        }
    }

    fn table(&self, measured: &MeasuredRtts, previous: Option<&Table>) -> Table {
        let mut status = status(&self.model, 1);
        status.latency = Arc::clone(measured);
        compile(&self.model, &status, &self.data, &self.slots, previous)
    }

    fn plain(&self) -> Table {
        self.table(&MeasuredRtts::default(), None)
    }
}

fn by_latency() -> Vec<Step> {
    vec![Step::Latency(LatencyBand::default())]
}

/// The tiers of a client, most wanted first, as `a=b c`: a and b are equals.
fn tiers(table: &Table, client: &str) -> String {
    let client: IpAddr = client.parse().unwrap();
    let trace = explain::dns(
        table,
        &support::host("shop.example.com"),
        RecordType::A,
        client,
        1,
    );
    let tier = |step: &String| {
        let (_, members) = step.strip_prefix("tier ")?.split_once(": ")?;
        if !members.contains('(') {
            return None;
        }
        let names = members.split("; ").filter_map(|m| m.split(' ').next());
        Some(names.collect::<Vec<_>>().join("="))
    };
    trace
        .steps
        .iter()
        .filter_map(tier)
        .collect::<Vec<_>>()
        .join(" ")
}

fn said(table: &Table, client: &str) -> Vec<String> {
    let client: IpAddr = client.parse().unwrap();
    let host = support::host("shop.example.com");
    explain::dns(table, &host, RecordType::A, client, 1).steps
}

#[test]
fn the_most_specific_row_is_taken_for_each_cluster() {
    let lines = [
        ("frankfurt", "virginia", 90.0),
        ("frankfurt", "oregon", 150.0),
        ("frankfurt", "singapore", 160.0),
        ("frankfurt", "frankfurt", 3.0),
        ("DE", "singapore", 60.0),
        ("88.198.0.0/16", "oregon", 40.0),
        ("88.0.0.0/8", "oregon", 1.0),
        ("88.1.0.0/16", "frankfurt", 12.0),
        ("88.0.0.0/8", "virginia", 20.0),
    ];
    let table = World::new(by_latency(), &lines).plain();
    // Oregon and Virginia by prefixes, the innermost first, Singapore by country, Frankfurt by region.
    assert_eq!(tiers(&table, GERMAN), "frankfurt virginia oregon singapore");
    let steps = said(&table, GERMAN);
    for line in [
        "latency: frankfurt 3 ms, of the matrix, from region frankfurt",
        "latency: virginia 20 ms, of the matrix, from 88.0.0.0/8",
        "latency: oregon 40 ms, of the matrix, from 88.198.0.0/16",
        "latency: singapore 60 ms, of the matrix, from country DE",
    ] {
        assert!(steps.iter().any(|step| step == line), "{line}: {steps:#?}");
    }
    assert_eq!(
        tiers(&table, "88.1.0.1"),
        "oregon frankfurt virginia singapore"
    );
}

#[test]
fn a_client_belongs_to_the_region_of_its_country_else_to_the_nearest() {
    let lines = [
        ("oregon", "oregon", 5.0),
        ("oregon", "virginia", 60.0),
        ("virginia", "virginia", 5.0),
        ("virginia", "oregon", 60.0),
    ];
    let first = |table: &Table, client| tiers(table, client).split(' ').next().unwrap().to_owned();
    let table = World::new(by_latency(), &lines).plain();
    assert_eq!(
        first(&table, AMERICAN),
        "virginia",
        "nearer to the people of the USA"
    );
    let mut told = draft();
    told.regions.get_mut("oregon").unwrap().country = Some("US".parse().unwrap());
    let table = World::of(told, by_latency(), &lines).plain();
    assert_eq!(
        first(&table, AMERICAN),
        "oregon",
        "it says that it lies there"
    );
    assert_eq!(
        first(&table, GERMAN),
        "frankfurt",
        "by distance from its own point"
    );
}

#[test]
fn what_the_matrix_lacks_is_estimated_by_distance_and_stands_beside_it() {
    // Frankfurt to Virginia is 6,500 km: 110 ms; to Oregon 8,300 km: 139 ms.
    let table = World::new(by_latency(), &[("frankfurt", "singapore", 120.0)]).plain();
    assert_eq!(tiers(&table, GERMAN), "frankfurt singapore=virginia oregon");
    let table = World::new(by_latency(), &[("frankfurt", "singapore", 300.0)]).plain();
    assert_eq!(tiers(&table, GERMAN), "frankfurt virginia oregon singapore");
    let steps = said(&table, GERMAN);
    assert!(
        steps
            .iter()
            .any(|s| s.starts_with("latency: virginia 11") && s.contains("estimated over 65")),
        "{steps:#?}"
    );
}

#[test]
fn a_client_of_unknown_place_is_ranked_by_its_prefix_or_not_at_all() {
    let world = World::new(by_latency(), &[("192.0.2.0/25", "oregon", 9.0)]);
    let table = world.plain();
    assert_eq!(
        tiers(&table, NOWHERE),
        "oregon frankfurt=singapore=virginia"
    );
    assert_eq!(
        tiers(&table, "192.0.2.200"),
        "frankfurt=oregon=singapore=virginia"
    );
    let entry = table.app(table.host("shop.example.com").unwrap());
    assert_eq!(entry.scope(table.leaf(NOWHERE.parse().unwrap())), 25);
}

#[test]
fn a_matrix_that_the_model_does_not_name_counts_for_nothing() {
    let lines = [("DE", "oregon", 1.0), ("DE", "frankfurt", 20.0)];
    let mut world = World::new(by_latency(), &lines);
    assert!(tiers(&world.plain(), GERMAN).starts_with("oregon"));
    world.data = world.data.with_latency(matrix(&[("DE", "virginia", 1.0)]));
    assert!(tiers(&world.plain(), GERMAN).starts_with("frankfurt"));
}

#[test]
fn what_nodes_measure_goes_before_the_rows_of_their_region_and_no_others() {
    let lines = [
        ("frankfurt", "frankfurt", 3.0),
        ("frankfurt", "virginia", 90.0),
        ("FR", "virginia", 80.0),
    ];
    let seen = measured(&[
        ("frankfurt", "frankfurt", 200.0),
        ("frankfurt", "virginia", 50.0),
    ]);
    let table = World::new(by_latency(), &lines).table(&seen, None);
    assert!(tiers(&table, GERMAN).starts_with("virginia "));
    assert!(
        tiers(&table, "80.67.169.12").starts_with("virginia "),
        "France"
    );
    let steps = said(&table, GERMAN);
    let line = "latency: virginia 50 ms, from region frankfurt, measured for 600 s since";
    assert!(steps.iter().any(|s| s.starts_with(line)), "{steps:#?}");
    let steps = said(&table, "80.67.169.12");
    let line = "latency: virginia 80 ms, of the matrix, from country FR";
    assert!(steps.iter().any(|s| s == line), "{steps:#?}");

    let believe_the_file = LatencyBand {
        measured: false,
        ..LatencyBand::default()
    };
    let table = World::new(vec![Step::Latency(believe_the_file)], &lines).table(&seen, None);
    assert!(tiers(&table, GERMAN).starts_with("frankfurt "));
}

/// For each of the 32 regions of a cloud, among 16 clusters in other regions.
#[test]
fn clients_of_every_region_go_to_the_cluster_with_the_shortest_round_trip() {
    let mut differing = 0;
    let mut lost = Vec::new();
    for half in [0, 1] {
        let cloud = Cloud::read();
        let (sites, homes): (Vec<_>, Vec<_>) = (0..32).partition(|at| at % 2 == half);
        let exact = LatencyBand {
            within: Rtt::ZERO,
            within_percent: Percent::ZERO,
            ..LatencyBand::default()
        };
        for band in [exact, LatencyBand::default()] {
            let table = cloud.table(&sites, Step::Latency(band));
            let nearest = cloud.nearest(&sites);
            for &home in &homes {
                let rtt = |site: &usize| cloud.rtt[&(home, *site)];
                let best = sites.iter().min_by_key(|site| rtt(site)).unwrap();
                let got = tiers(&table, &format!("10.{home}.0.1"));
                let first: Vec<&str> = got.split(' ').next().unwrap().split('=').collect();
                let wanted: Vec<&str> = sites
                    .iter()
                    .filter(|site| !rtt(site).differs(rtt(best), band.within, band.within_percent))
                    .map(|site| &*cloud.regions[*site].0)
                    .collect();
                assert_eq!(first, wanted, "from {}", cloud.regions[home].0);
                if band == exact && nearest(home) != *best {
                    differing += 1;
                    lost.push(rtt(&nearest(home)).micros() - rtt(best).micros());
                }
            }
        }
    }
    lost.sort_unstable();
    println!(
        "{differing} of 32 regions have a faster cluster than the nearest; the nearest costs {} ms more at the median, {} at most",
        lost[lost.len() / 2] / 1_000,
        lost.last().unwrap() / 1_000
    );
    assert!(differing > 0);
}

/// The regions of a cloud and the round trips between them.
struct Cloud {
    regions: Vec<(String, f64, f64)>,
    rtt: BTreeMap<(usize, usize), Rtt>,
}

impl Cloud {
    fn read() -> Self {
        let rows = |text: &'static str| {
            let lines = text.lines().skip(1);
            lines.map(|line| line.split(',').collect::<Vec<_>>())
        };
        let regions: Vec<_> = rows(include_str!("../../../tests/data/aws-regions.csv"))
            .map(|r| {
                (
                    r[0].to_owned(),
                    r[3].parse().unwrap(),
                    r[4].parse().unwrap(),
                )
            })
            .collect();
        let at = |name: &str| regions.iter().position(|r| r.0 == name).unwrap();
        let rtt = rows(include_str!("../../../tests/data/aws-inter-region-rtt.csv"))
            .map(|r| ((at(r[0]), at(r[1])), ms(r[2].parse().unwrap())))
            .collect();
        Self { regions, rtt }
    }

    /// A cluster in each of these regions; clients of region n come from 10.n.0.0/16.
    fn table(&self, sites: &[usize], step: Step) -> Table {
        let mut draft = draft();
        let mut shop = app("shop.example.com", vec![step]);
        let v1 = shop.versions.get_mut("v1").unwrap();
        v1.endpoints.clear();
        let like = draft.clusters["oregon"].clone();
        for (region, lat, lon) in &self.regions {
            let location = windrose_model::Coordinates::new(*lat, *lon).unwrap();
            let country = None;
            let region_of = windrose_model::Region { location, country };
            draft.regions.insert(name(region), region_of);
        }
        for &site in sites {
            let region = name(&self.regions[site].0);
            let mut cluster = like.clone();
            cluster.region = region.clone();
            draft.clusters.insert(region.clone(), cluster);
            let endpoint = ([127, 1, 0, u8::try_from(site).unwrap()], 80).into();
            v1.endpoints.insert(region, vec![endpoint]);
        }
        draft.apps.insert(name("shop"), shop);
        let mut pairs: BTreeMap<RttFrom, BTreeMap<_, Rtt>> = BTreeMap::new();
        for ((home, site), rtt) in &self.rtt {
            let home = from(&format!("10.{home}.0.0/16"));
            let to = (name(&self.regions[*site].0), *rtt);
            pairs.entry(home).or_default().extend([to]);
        }
        let matrix = LatencyMatrix::new(pairs);
        draft.latency = Some(matrix.fingerprint());
        let data = Data::nothing().with_latency(matrix);
        support::table(draft, &data).1
    }

    /// By the library's own sines.
    fn nearest(&self, sites: &[usize]) -> impl Fn(usize) -> usize {
        let radians = |at: usize| {
            let (_, lat, lon) = &self.regions[at];
            (lat.to_radians(), lon.to_radians())
        };
        move |home| {
            let far = |site: &usize| {
                let ((a, b), (c, d)) = (radians(home), radians(*site));
                ((c - a) / 2.0).sin().powi(2) + a.cos() * c.cos() * ((d - b) / 2.0).sin().powi(2)
            };
            *sites
                .iter()
                .min_by(|a, b| far(a).total_cmp(&far(b)))
                .unwrap()
        }
    }
}

/// Any steps, in any order, with at least one by latency.
fn random_steps(dice: &mut Dice) -> Vec<Step> {
    let cluster = |dice: &mut Dice| CLUSTERS[dice.below(4)].0;
    let mut steps: Vec<Step> = (0..dice.below(5))
        .map(|_| match dice.below(6) {
            0 => Step::Nearest(BTreeMap::new()),
            1 => Step::Failover(prefer(&[cluster(dice)])),
            2 => Step::Weighted([(name(cluster(dice)), Weight::new(3).unwrap())].into()),
            3 => Step::Fence(vec![FenceRule {
                clients: ClientSet {
                    countries: vec!["DE".parse().unwrap()],
                    ..ClientSet::default()
                },
                clusters: vec![name("frankfurt"), name("virginia")],
            }]),
            4 => Step::Geo(GeoRules {
                continents: [(windrose_model::Continent::Asia, prefer(&[cluster(dice)]))].into(),
                cidrs: [("88.198.0.0/20".parse().unwrap(), prefer(&[cluster(dice)]))].into(),
                ..GeoRules::default()
            }),
            _ => Step::Latency(LatencyBand::default()),
        })
        .collect();
    let at = dice.below(steps.len() + 1);
    steps.insert(at, Step::Latency(LatencyBand::default()));
    steps
}

fn random_measured(dice: &mut Dice) -> MeasuredRtts {
    let mut lines = Vec::new();
    for (region, ..) in CLUSTERS {
        for (cluster, ..) in CLUSTERS {
            if dice.below(3) > 0 {
                lines.push((region, cluster, dice.below(200) as f64));
            }
        }
    }
    measured(&lines)
}

/// And the Table compiled on an earlier one is the Table compiled from nothing.
#[test]
fn a_measurement_changes_ranks_and_never_views_or_scopes() {
    let mut changed = 0;
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let lines = [("88.0.0.0/8", "oregon", 30.0), ("DE", "virginia", 40.0)];
        let world = World::new(random_steps(&mut dice), &lines[..dice.below(3)]);
        let clients: Vec<IpAddr> = (0..2_000)
            .map(|_| {
                u32::try_from(dice.throw() >> 32)
                    .unwrap()
                    .to_be_bytes()
                    .into()
            })
            .chain(["88.198.0.1", "88.198.255.1", "8.8.8.8"].map(|ip| ip.parse().unwrap()))
            .collect();
        let mut table = world.plain();
        for _ in 0..4 {
            let seen = random_measured(&mut dice);
            let next = world.table(&seen, Some(&table));
            let entry = |table: &Table| table.app(windrose_model::AppId(0)).clone();
            let (old, new) = (entry(&table), entry(&next));
            for &client in &clients {
                let leaf = table.leaf(client);
                assert_eq!(leaf, next.leaf(client), "seed {seed}");
                assert_eq!(old.view(&table, leaf), new.view(&next, leaf), "seed {seed}");
                assert_eq!(old.scope(leaf), new.scope(leaf), "seed {seed}");
            }
            assert!(Arc::ptr_eq(&old.plan, &new.plan), "seed {seed}");
            changed += usize::from(next.digest() != table.digest());
            table = next;
        }
        let last = measured(&[("frankfurt", "oregon", 1.0)]);
        let (with, without) = (world.table(&last, Some(&table)), world.table(&last, None));
        assert_eq!(with.digest(), without.digest(), "seed {seed}");
    }
    assert!(
        changed > 12,
        "only {changed} of 48 measurements changed a Table"
    );
}

#[test]
fn apps_beside_none_whose_ranks_change_keep_their_slab() {
    let mut world = World::new(by_latency(), &[]);
    let mut draft = draft();
    draft.latency = world.model.latency();
    for i in 0..130 {
        let steps = match i {
            70 => by_latency(),
            _ => vec![Step::Nearest(BTreeMap::new())],
        };
        let host = format!("a{i:03}.example.com");
        draft
            .apps
            .insert(name(&format!("a{i:03}")), app(&host, steps));
    }
    world.model = model(draft, 1, None);
    let mut seen = status(&world.model, 1);
    let numbers = slots(&world.model);
    let first = compile(&world.model, &seen, &world.data, &numbers, None);
    seen.latency = measured(&[("frankfurt", "oregon", 1.0)]);
    let second = compile(&world.model, &seen, &world.data, &numbers, Some(&first));
    assert_ne!(first.digest(), second.digest());
    let kept = first.apps().zip(second.apps());
    let kept = kept.filter(|((_, a), (_, b))| std::ptr::eq(*a, *b));
    assert_eq!(kept.count(), 130 - 64, "its slab is made anew");
    // A measurement that moves no cluster over another changes nothing at all.
    seen.latency = measured(&[("frankfurt", "oregon", 2.0)]);
    let third = compile(&world.model, &seen, &world.data, &numbers, Some(&second));
    assert_eq!(second.digest(), third.digest());
}

/// Whatever the depth, the data path reads one row: six levels that decide as one are that one.
#[test]
fn six_levels_cost_what_one_costs() {
    let lines = [
        ("frankfurt", "frankfurt", 3.0),
        ("frankfurt", "virginia", 90.0),
        ("frankfurt", "oregon", 150.0),
        ("frankfurt", "singapore", 160.0),
    ];
    let deep = vec![
        Step::Fence(vec![FenceRule {
            clients: ClientSet {
                countries: vec!["FR".parse().unwrap()],
                ..ClientSet::default()
            },
            clusters: vec![name("frankfurt")],
        }]),
        Step::Geo(GeoRules {
            continents: [(
                windrose_model::Continent::Europe,
                vec![vec![name("frankfurt"), name("virginia"), name("oregon")]],
            )]
            .into(),
            ..GeoRules::default()
        }),
        Step::Latency(LatencyBand::default()),
        Step::Nearest(BTreeMap::new()),
        Step::Weighted([(name("virginia"), Weight::new(3).unwrap())].into()),
        Step::Failover(prefer(&["oregon", "singapore"])),
    ];
    let shallow = vec![Step::Failover(prefer(&[
        "frankfurt",
        "virginia",
        "oregon",
        "singapore",
    ]))];
    let (deep, shallow) = (
        World::new(deep, &lines).plain(),
        World::new(shallow, &[]).plain(),
    );
    assert_eq!(tiers(&deep, GERMAN), tiers(&shallow, GERMAN));
    let choose = |table: &Table, client: &str, key| {
        let entry = table.app(windrose_model::AppId(0));
        let view = entry.view(table, table.leaf(client.parse().unwrap()));
        let mut seen = Vec::new();
        let DnsChoice::Clusters(picked) = entry.choose_dns_seen(view, key, &mut |s| seen.push(s))
        else {
            panic!("no answer")
        };
        (picked, seen)
    };
    for key in 0..100 {
        assert_eq!(
            choose(&deep, GERMAN, key),
            choose(&shallow, GERMAN, key),
            "step by step"
        );
    }
}
