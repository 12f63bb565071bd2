//! Who a request is from, where a split is sticky, and at which point of the split that is. HOT.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use windrose_model::{SplitBy, SplitKey};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::request::{cookie, joined_field};
use crate::atlas::embedded_ipv4;
use crate::digest::{mix, text};

/// Apart from the salt by which clusters are chosen, so that a version's users are of all clusters.
const SALT: u64 = 0x5350_4c49_545f_4259;

/// What of a request stands for its user; `None` when it has nothing of the kind, or an empty one.
/// An IPv4 address inside an IPv6 one counts as itself.
pub fn user<'h>(key: &SplitKey, headers: &'h HeaderMap, client: IpAddr) -> Option<Cow<'h, [u8]>> {
    let value = match key {
        SplitKey::Header(name) => joined_field(headers, name),
        SplitKey::Cookie(name) | SplitKey::SetCookie(name, _) => {
            cookie(headers, name).map(Cow::Borrowed)
        }
        SplitKey::Client { ipv4, ipv6 } => Some(Cow::Owned(prefix(client, *ipv4, *ipv6))),
    };
    value.filter(|value| !value.is_empty())
}

/// The point of a user, in the place of a draw.
pub(crate) fn point(by: &SplitBy, app: u64, user: &[u8]) -> u64 {
    let salt = by.salt.as_ref().map_or(app, |salt| mix(text(salt)));
    xxh3_64_with_seed(user, salt ^ SALT)
}

fn prefix(client: IpAddr, ipv4: u8, ipv6: u8) -> Vec<u8> {
    let inner = match client {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => embedded_ipv4(address).map(|(inner, _)| inner),
    };
    match (inner, client) {
        (Some(address), _) | (None, IpAddr::V4(address)) => {
            let mask = u32::MAX << 32u8.saturating_sub(ipv4).min(31);
            (u32::from(address) & mask).to_be_bytes().to_vec()
        }
        (None, IpAddr::V6(address)) => {
            let mask = u128::MAX << 128u8.saturating_sub(ipv6).min(127);
            (u128::from(address) & mask).to_be_bytes().to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::shares::Shares;
    use windrose_model::{Name, Split, Weight};

    const USERS: u32 = 100_000;

    fn by(salt: Option<&str>) -> SplitBy {
        SplitBy {
            key: SplitKey::CLIENT,
            salt: salt.map(Box::from),
        }
    }

    fn shares(weights: &[u32]) -> Shares {
        let named = (b'a'..).zip(weights).map(|(letter, weight)| {
            let name = Name::new(&char::from(letter).to_string()).unwrap();
            (name, Weight::new(*weight).unwrap())
        });
        let split = Split(named.collect());
        let names: Vec<&Name> = split.0.keys().collect();
        Shares::build(&split, &names)
    }

    fn point_of(user: u32, salt: &str) -> u64 {
        point(&by(Some(salt)), 0, format!("user-{user}").as_bytes())
    }

    #[test]
    fn users_are_shared_out_by_weight_within_half_a_percentage_point() {
        for weights in [
            &[90, 10][..],
            &[99, 1],
            &[1, 1, 1],
            &[50, 30, 20],
            &[999, 1],
        ] {
            let shares = shares(weights);
            let mut drawn = vec![0u32; weights.len()];
            for user in 0..USERS {
                drawn[usize::from(shares.pick(point_of(user, "shop")))] += 1;
            }
            let total: u32 = weights.iter().sum();
            for (weight, drawn) in weights.iter().zip(drawn) {
                let wanted = f64::from(*weight) * 100.0 / f64::from(total);
                let got = f64::from(drawn) * 100.0 / f64::from(USERS);
                assert!(
                    (got - wanted).abs() <= 0.5,
                    "{weights:?}: {got} of {wanted}"
                );
            }
        }
    }

    #[test]
    fn two_apps_give_their_canaries_to_different_users() {
        let canary = shares(&[90, 10]);
        let in_both = (0..USERS).filter(|user| {
            let of = |salt| canary.pick(point_of(*user, salt));
            of("shop") == 1 && of("blog") == 1
        });
        let share = in_both.count() as f64 * 100.0 / f64::from(USERS);
        assert!((share - 1.0).abs() <= 0.2, "{share} % are in both, of 1 %");
    }

    #[test]
    fn an_address_counts_as_far_as_its_prefix_and_ipv4_inside_ipv6_as_itself() {
        let of = |client: &str, ipv4, ipv6| prefix(client.parse().unwrap(), ipv4, ipv6);
        assert_eq!(of("192.0.2.1", 24, 64), of("192.0.2.200", 24, 64));
        assert_ne!(of("192.0.2.1", 32, 64), of("192.0.2.200", 32, 64));
        assert_eq!(of("192.0.2.1", 32, 64), of("::ffff:192.0.2.1", 32, 64));
        assert_eq!(of("2001:db8::1", 32, 64), of("2001:db8::2", 32, 64));
        assert_ne!(of("2001:db8::1", 32, 128), of("2001:db8::2", 32, 128));
        assert_eq!(of("128.0.0.1", 1, 1), of("255.0.0.1", 1, 1));
    }

    /// Of two versions this holds whatever their names are; of more, users go on to later ones.
    #[test]
    fn a_user_never_moves_back_while_weight_moves_on() {
        let mut seed = 0;
        let mut chance = |below: u64| {
            seed += 1;
            mix(seed) % below
        };
        for versions in 2..5 {
            for _ in 0..50 {
                let some = |chance: &mut dyn FnMut(u64) -> u64| chance(1_000) as u32;
                let mut weights: Vec<u32> = (0..versions).map(|_| some(&mut chance)).collect();
                weights[0] += 1_000;
                let users: Vec<u64> = (0..50).map(|_| mix(chance(u64::MAX))).collect();
                let mut before = vec![0u8; users.len()];
                for _ in 0..30 {
                    let shares = shares(&weights);
                    for (user, before) in users.iter().zip(&mut before) {
                        let now = shares.pick(*user);
                        assert!(now >= *before, "{weights:?}");
                        *before = now;
                    }
                    let from = chance(versions - 1) as usize;
                    let much = (chance(300) as u32).min(weights[from]);
                    weights[from] -= much;
                    weights[from + 1] += much;
                }
            }
        }
    }

    #[test]
    fn of_two_versions_the_one_that_gains_keeps_its_users_whichever_it_is() {
        for user in (0..1_000).map(mix) {
            let (mut was_first, mut was_last) = (false, false);
            for weight in [0, 1, 7, 50, 93, 100] {
                let first = shares(&[weight, 100 - weight]).pick(user) == 0;
                let last = shares(&[100 - weight, weight]).pick(user) == 1;
                assert!(first || !was_first, "{weight}");
                assert!(last || !was_last, "{weight}");
                (was_first, was_last) = (first, last);
            }
        }
    }
}
