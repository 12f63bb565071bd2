//! What holds whatever happens: random worlds, repeatable by their seed.

use windrose_model::{Cause, EndpointState, Percent, Verdict};

use crate::script::{Backend, World, draft, pattern, percent};

/// splitmix64.
struct Die(u64);

impl Die {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

const CLUSTERS: [&str; 3] = ["a", "b", "c"];

fn disturb(world: &mut World, die: &mut Die) {
    let cluster = usize::try_from(die.below(3)).unwrap();
    let backend = match die.below(6) {
        0 | 1 => Backend::Up,
        2 => Backend::Refused,
        3 => Backend::BlackHole,
        4 => Backend::NotMade,
        _ => pattern("++-+-+-++"),
    };
    match die.below(8) {
        0 => {
            // The last one stays: a Model without any would be refused.
            let drain = die.below(2) == 0 && cluster < 2;
            world.apply(|d| d.clusters.get_mut(CLUSTERS[cluster]).unwrap().drain = drain);
        }
        1 => {
            let dial = percent([100.0, 50.0, 1.0][usize::try_from(die.below(3)).unwrap()]);
            world.apply(|d| d.clusters.get_mut(CLUSTERS[cluster]).unwrap().dial = dial);
        }
        2 => world.passive(u16::try_from(die.below(6)).unwrap()),
        3 => {
            let endpoint = crate::script::address(cluster, usize::try_from(die.below(2)).unwrap());
            world.backend(endpoint, backend);
        }
        _ => world.cluster(cluster, &backend),
    }
    world.wake();
}

fn check(world: &World, seed: u64) {
    let app = world.app();
    let mut alive = false;
    let mut usable = 0;
    for (local, cluster) in app.clusters.iter().enumerate() {
        let about = format!(
            "seed {seed}, {} s, cluster {local}: {cluster:?}",
            world.now()
        );
        let states = &app.endpoints[local * 2..local * 2 + 2];
        let down = states.iter().all(|s| *s == EndpointState::Down);
        assert_eq!(cluster.usable, cluster.share > Percent::ZERO, "{about}");
        if cluster.verdict == Verdict::Draining {
            assert!(!cluster.usable, "{about}");
            continue;
        }
        assert_eq!(cluster.verdict == Verdict::Down, down, "{about}");
        assert!(!(down && cluster.usable), "{about}");
        let held = matches!(cluster.cause, Cause::HoldDown { .. });
        assert_eq!(cluster.usable, !down && !held, "{about}");
        alive |= !down;
        usable |= u16::from(cluster.usable) << local;
    }
    assert_eq!(alive, usable != 0, "seed {seed}: what lives is used");
    if usable != 0 {
        assert_eq!(app.last_known, usable, "seed {seed}");
    }
    assert!((15..=60).contains(&app.ttl.seconds()), "seed {seed}");
}

#[test]
fn whatever_happens_what_lives_is_used_and_what_is_unknown_is_not_down() {
    for seed in 0..16 {
        let mut die = Die(seed);
        let clusters = CLUSTERS.map(|name| (name, 2));
        let mut world = World::new(draft(&clusters));
        for _ in 0..120 {
            disturb(&mut world, &mut die);
            check(&world, seed);
            let pause = [0.0, 0.3, 2.0, 15.0, 400.0][usize::try_from(die.below(5)).unwrap()];
            world.pass(pause);
            check(&world, seed);
        }
        assert!(world.probes > 100);
    }
}
