//! Lists of users that a file holds under a name.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::Fingerprint;

/// Users of a named list, exactly as they are written: in order, each once, in one piece of memory.
/// A million of 20 octets are 24 MB.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserList {
    /// One behind the other.
    octets: Box<[u8]>,
    /// Where each ends.
    ends: Box<[u32]>,
}

impl UserList {
    /// Of these users, in any order; together less than 4 GiB, what is beyond is left out.
    pub fn new<'u>(users: impl IntoIterator<Item = &'u [u8]>) -> Self {
        let mut users: Vec<&[u8]> = users.into_iter().collect();
        users.sort_unstable();
        users.dedup();
        let mut octets = Vec::with_capacity(users.iter().map(|user| user.len()).sum());
        let mut ends = Vec::with_capacity(users.len());
        for user in users {
            let Ok(end) = u32::try_from(octets.len() + user.len()) else {
                break;
            };
            octets.extend_from_slice(user);
            ends.push(end);
        }
        Self {
            octets: octets.into(),
            ends: ends.into(),
        }
    }

    /// Whether a user is in it: some twenty comparisons among a million.
    #[inline]
    pub fn contains(&self, user: &[u8]) -> bool {
        let (mut from, mut to) = (0, self.ends.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.user(middle).cmp(user) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        false
    }

    fn user(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.octets[start as usize..self.ends[at] as usize]
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none: a list without users holds nobody.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Of its content: equal for files that hold the same users in another order.
    pub fn fingerprint(&self) -> Fingerprint {
        let ends: Vec<u8> = self.ends.iter().flat_map(|end| end.to_le_bytes()).collect();
        let of_ends = xxh3_128(&ends);
        Fingerprint(xxh3_128(&self.octets) ^ of_ends.rotate_left(1))
    }
}

impl fmt::Debug for UserList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserList({} users)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(users: &[&str]) -> UserList {
        UserList::new(users.iter().map(|user| user.as_bytes()))
    }

    #[test]
    fn a_list_holds_whom_it_names_and_nobody_else() {
        let some = list(&["ben", "ann", "carl", "ann"]);
        assert_eq!((some.len(), some.is_empty()), (3, false));
        for user in ["ann", "ben", "carl"] {
            assert!(some.contains(user.as_bytes()), "{user}");
        }
        for user in ["", "an", "annb", "be", "carlo", "zoe"] {
            assert!(!some.contains(user.as_bytes()), "{user}");
        }
        assert!(!list(&[]).contains(b""));
    }

    #[test]
    fn a_fingerprint_tells_contents_apart_and_not_orders() {
        let of = |users: &[&str]| list(users).fingerprint();
        assert_eq!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
        assert_ne!(of(&[]), of(&["a"]));
    }

    #[test]
    fn a_million_users_are_told_apart() {
        let users: Vec<String> = (0..1_000_000).map(|n| format!("user-{n}")).collect();
        let list = UserList::new(users.iter().map(String::as_bytes));
        assert_eq!(list.len(), 1_000_000);
        for n in (0..1_000_000).step_by(9_973) {
            assert!(list.contains(format!("user-{n}").as_bytes()));
            assert!(!list.contains(format!("user-{n}x").as_bytes()));
        }
    }
}
