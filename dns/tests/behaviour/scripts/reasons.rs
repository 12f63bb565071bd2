//! Why a steered answer is as it is (RFC 8914): one sentence for each thing that steering does out
//! of the ordinary.

use std::collections::BTreeMap;

use windrose_dns::{ExtendedErrors, Manners};
use windrose_model::{Percent, Step, WhenAllDown};
use windrose_routing::geo::GeoDb;

use super::play::ask_with;
use crate::world::{app, draft, name, table_where};

/// Two tiers: `a` and `b`, behind them `c`.
fn tiers() -> Vec<Step> {
    vec![Step::Failover(vec![
        vec![name("a"), name("b")],
        vec![name("c")],
    ])]
}

/// What an app says of its answer when its clusters have these shares, the rest being down.
fn said(change: impl FnOnce(&mut windrose_model::App), shares: &[(&str, f64)]) -> String {
    let mut draft = draft();
    let mut tiered = app(&["tiered.example.com"], &["a", "b", "c"]);
    tiered.steering = tiers();
    change(&mut tiered);
    draft.apps.insert(name("tiered"), tiered);
    let shares: BTreeMap<_, _> = (shares.iter())
        .map(|(cluster, share)| (name(cluster), Percent::new(*share).unwrap()))
        .collect();
    let table = table_where(draft, GeoDb::empty(), |_, cluster| {
        shares.get(cluster).copied()
    });
    let manners = Manners {
        extended_errors: ExtendedErrors::Reasons,
        ..Manners::default()
    };
    let text = ask_with(&table, &manners, "tiered.example.com A edns=1232");
    let (_, said) = text.split_once("opt 1232 version 0").unwrap();
    said.trim().to_owned()
}

#[test]
fn the_usual_answer_has_no_reason() {
    let all = [("a", 100.0), ("b", 100.0), ("c", 100.0)];
    assert_eq!(said(|_| {}, &all), "");
    // A dial sends on within its tier: that is what weights mean.
    assert_eq!(said(|_| {}, &[("a", 0.01), ("b", 100.0)]), "");
}

#[test]
fn another_tier_is_told_of() {
    let standby = [("c", 100.0)];
    assert_eq!(said(|_| {}, &standby), "ede 0 no cluster up: next tier");
    let mostly = |app: &mut windrose_model::App| app.min_up_fraction = Percent::new(80.0).unwrap();
    let half = [("a", 100.0), ("c", 100.0)];
    assert_eq!(said(mostly, &half), "ede 0 too few clusters up: next tier");
    let warm = |app: &mut windrose_model::App| app.trickle = Percent::FULL;
    let all = [("a", 100.0), ("b", 100.0), ("c", 100.0)];
    assert_eq!(said(warm, &all), "ede 0 keeps next tier warm");
}

#[test]
fn a_half_alive_tier_that_is_answered_whole_is_told_of() {
    let alone = |app: &mut windrose_model::App| {
        app.steering = vec![Step::Failover(vec![vec![name("a"), name("b"), name("c")]])];
    };
    let third = [("a", 100.0)];
    assert_eq!(
        said(alone, &third),
        "ede 0 too few clusters up: all of them"
    );
}

#[test]
fn an_answer_beyond_every_share_is_told_of() {
    assert_eq!(
        said(|_| {}, &[("a", 0.01), ("b", 0.01)]),
        "ede 0 shares exhausted: ignored"
    );
}

#[test]
fn all_down_says_what_the_operator_chose() {
    let with = |rule: WhenAllDown| said(|app| app.when_all_down = rule, &[]);
    for (rule, told) in [
        (
            WhenAllDown::LastKnown,
            "ede 3 all clusters down: last known ones",
        ),
        (WhenAllDown::All, "ede 0 all clusters down: all of them"),
        (
            WhenAllDown::Fallback(name("c")),
            "ede 0 all clusters down: fallback",
        ),
        (WhenAllDown::Servfail, "ede 0 all clusters down"),
        (WhenAllDown::Nodata, "ede 0 all clusters down"),
    ] {
        assert_eq!(with(rule), told);
    }
}

#[test]
fn clusters_that_are_all_drained_are_answered_and_told_of() {
    let mut draft = draft();
    for cluster in draft.clusters.values_mut() {
        cluster.drain = true;
    }
    draft.safety.min_clusters_on = 0;
    let table = table_where(draft, GeoDb::empty(), |_, _| None);
    let manners = Manners {
        extended_errors: ExtendedErrors::Reasons,
        ..Manners::default()
    };
    let text = ask_with(&table, &manners, "last.example.com A edns=1232");
    let (_, said) = text.split_once("192.0.2.1\n").unwrap();
    let told = "opt 1232 version 0 ede 0 all clusters drained: all of them\n";
    assert_eq!(said, told);
}
