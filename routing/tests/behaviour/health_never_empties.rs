//! Whatever control concludes, a name stays a name, an answer is empty only by the operator's word,
//! and what is unknown is used: random worlds, repeatable by their seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{
    CLUSTERS, Dice, app, draft, host, model, name, no_geo, prefer, slots, status,
};
use windrose_model::{
    App, ClientSet, EndpointState, FenceRule, Percent, Status, Step, Verdict, Weight, WhenAllDown,
};
use windrose_routing::{DnsChoice, Lookup, Table, compile};

fn random_steps(dice: &mut Dice) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..dice.below(4) {
        steps.push(match dice.below(4) {
            0 => Step::Nearest(BTreeMap::new()),
            1 => Step::Failover(prefer(&[CLUSTERS[dice.below(4)].0])),
            2 => {
                let weights = CLUSTERS.map(|(cluster, ..)| (name(cluster), dice.below(3)));
                let weight = |w: usize| Weight::new(u32::try_from(w).unwrap() * 50).unwrap();
                let mut weights = weights.map(|(cluster, w)| (cluster, weight(w)));
                weights[0].1 = Weight::ONE;
                Step::Weighted(weights.into())
            }
            _ => Step::Failover(prefer(&["virginia", "oregon"])),
        });
    }
    steps
}

/// Keeps 192.0.2.0/24 to frankfurt (0) and one other.
fn fence(other: usize) -> Step {
    Step::Fence(vec![FenceRule {
        clients: ClientSet {
            cidrs: vec!["192.0.2.0/24".parse().unwrap()],
            ..ClientSet::default()
        },
        clusters: vec![name("frankfurt"), name(CLUSTERS[other].0)],
    }])
}

fn random_app(dice: &mut Dice) -> App {
    let mut app = app("shop.example.com", random_steps(dice));
    app.answers = u8::try_from(dice.below(4)).unwrap() + 1;
    app.sticky = dice.below(2) == 0;
    app.min_up_fraction = Percent::new(dice.below(101) as f64).unwrap();
    app.when_all_down = match dice.below(3) {
        0 => WhenAllDown::LastKnown,
        1 => WhenAllDown::All,
        _ => WhenAllDown::Fallback(name(CLUSTERS[dice.below(4)].0)),
    };
    app
}

/// As control could conclude: a cluster is usable only with a share, and its dead endpoints are down.
fn disturb(status: &mut Status, dice: &mut Dice) {
    let shop = Arc::make_mut(&mut status.apps[0]);
    for (at, cluster) in shop.clusters.iter_mut().enumerate() {
        let lives = dice.below(3) > 0;
        let share = Percent::new([100.0, 50.0, 1.0][dice.below(3)]).unwrap();
        cluster.usable = cluster.usable && lives;
        cluster.share = if lives { share } else { Percent::ZERO };
        for endpoint in &mut shop.endpoints[at * 2..at * 2 + 2] {
            if !lives || dice.below(4) == 0 {
                *endpoint = EndpointState::Down;
            }
        }
    }
    shop.last_known = u16::try_from(dice.below(16)).unwrap();
}

/// `reachable` are the clusters that no fence keeps from `client`.
fn check(table: &Table, client: [u8; 4], reachable: &[u8], seed: u64, dice: &mut Dice) {
    let Lookup::Node { node, .. } = table.lookup(host("shop.example.com").wire()) else {
        panic!("seed {seed}: the name is gone");
    };
    let entry = table.app(node.app.unwrap());
    let view = entry.view(table, table.leaf(client.into()));
    let usable = |local: u8| {
        let at = u16::from(local) * 2;
        let lives = entry.endpoint_up(at) || entry.endpoint_up(at + 1);
        entry.status.clusters[usize::from(local)].usable && lives
    };
    for _ in 0..50 {
        let key = dice.throw();
        let DnsChoice::Clusters(picked) = entry.choose_dns(view, key) else {
            panic!("seed {seed}: an empty answer");
        };
        assert!((1..=usize::from(entry.plan.app.answers)).contains(&picked.len()));
        assert!(picked.iter().all(|c| reachable.contains(c)), "seed {seed}");
        // The proxy goes through every cluster, first those that are usable.
        let mut tried = Vec::new();
        while let Some(next) = entry.choose_http(view, 0, key, mask(&tried)) {
            assert!(reachable.contains(&next) && !tried.contains(&next));
            let better = reachable.iter().any(|c| !tried.contains(c) && usable(*c));
            assert_eq!(usable(next), better, "seed {seed}: {tried:?}, {next}");
            tried.push(next);
        }
        assert_eq!(tried.len(), reachable.len(), "seed {seed}: {tried:?}");
    }
}

fn mask(clusters: &[u8]) -> u16 {
    clusters.iter().fold(0, |mask, cluster| mask | 1 << cluster)
}

#[test]
fn no_conclusion_empties_an_answer_or_goes_past_a_fence() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let other = dice.below(3) + 1;
        let fenced_in = [0, u8::try_from(other).unwrap()];
        let mut draft = draft();
        for (cluster, ..) in &CLUSTERS[..3] {
            draft.clusters.get_mut(*cluster).unwrap().drain = dice.below(4) == 0;
        }
        let mut shop = random_app(&mut dice);
        let at = dice.below(shop.steering.len() + 1);
        shop.steering.insert(at, fence(other));
        draft.apps.insert(name("shop"), shop);
        let model = model(draft, 1, None);
        let numbers = slots(&model);
        for epoch in 1..5 {
            let mut seen = status(&model, epoch);
            disturb(&mut seen, &mut dice);
            let table = compile(&model, &seen, &no_geo(), &numbers, None);
            check(&table, [192, 0, 2, 1], &fenced_in, seed, &mut dice);
            check(&table, [198, 51, 100, 1], &[0, 1, 2, 3], seed, &mut dice);
        }
    }
}

#[test]
fn what_is_unknown_is_used_like_what_is_up() {
    for seed in 0..50 {
        let mut dice = Dice(seed);
        let mut draft = draft();
        draft.apps.insert(name("shop"), random_app(&mut dice));
        let model = model(draft, 1, None);
        let unknown = status(&model, 1);
        let mut up = unknown.clone();
        let shop = Arc::make_mut(&mut up.apps[0]);
        shop.endpoints.fill(EndpointState::Up);
        shop.clusters
            .iter_mut()
            .for_each(|c| c.verdict = Verdict::Up);
        let digest = |seen| compile(&model, seen, &no_geo(), &slots(&model), None).digest();
        assert_eq!(digest(&unknown), digest(&up), "seed {seed}");
    }
}
