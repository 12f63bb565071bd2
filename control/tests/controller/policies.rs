//! What DNS answers from a compiled Table when every cluster is down, by policy.

use windrose_model::{AppId, WhenAllDown};
use windrose_routing::{DnsChoice, SlotBook, compile};

use crate::script::{Backend, World, draft, name};

/// Kills `a` first, then everything; which clusters the answers of many draws lead to.
fn check(policy: WhenAllDown, expected: Result<&[u8], DnsChoice>) {
    let mut draft = draft(&[("a", 1), ("b", 1), ("c", 1)]);
    draft.apps.get_mut("web").unwrap().when_all_down = policy.clone();
    let mut world = World::settled(draft);
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.cluster(1, &Backend::Refused);
    world.run(60.0);
    // Of b and c, c was usable last.
    world.cluster(2, &Backend::Refused);
    world.run(90.0);
    let inputs = world.controller.inputs();
    let slots = SlotBook::new().assign(&inputs.model, 1);
    let table = compile(&inputs.model, &inputs.status, &inputs.data, &slots, None);
    let app = table.app(AppId(0));
    let view = app.view(&table, table.leaf([192, 0, 2, 1].into()));
    let mut seen = Vec::new();
    for draw in 0..200u64 {
        match (
            app.choose_dns(view, draw.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            &expected,
        ) {
            (DnsChoice::Clusters(picked), Ok(_)) => seen.extend_from_slice(&picked),
            (choice, Err(expected)) => assert_eq!(choice, *expected),
            (choice, Ok(_)) => panic!("{policy:?}: {choice:?}"),
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, expected.unwrap_or_default(), "{policy:?}");
}

#[test]
fn when_all_is_down_the_policy_decides() {
    check(WhenAllDown::LastKnown, Ok(&[2]));
    check(WhenAllDown::All, Ok(&[0, 1, 2]));
    check(WhenAllDown::Fallback(name("b")), Ok(&[1]));
    check(WhenAllDown::Servfail, Err(DnsChoice::Servfail));
    check(WhenAllDown::Nodata, Err(DnsChoice::Nodata));
}
