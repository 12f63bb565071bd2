//! The order of names (RFC 4034 section 6.1).

use std::cmp::Ordering;

use super::DnsName;

impl Ord for DnsName {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (Starts::of(&self.0), Starts::of(&other.0));
        for (a, b) in ours.rightmost_first().zip(theirs.rightmost_first()) {
            let (a, b) = (label(&self.0, a), label(&other.0, b));
            match a.cmp(b) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        ours.count.cmp(&theirs.count)
    }
}

impl PartialOrd for DnsName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where the labels of a name begin, the root left out: at most 127 (RFC 1035 section 3.1).
struct Starts {
    at: [u8; 128],
    count: usize,
}

impl Starts {
    fn of(name: &[u8]) -> Self {
        let mut starts = Self {
            at: [0; 128],
            count: 0,
        };
        let mut at = 0_u8;
        while name[usize::from(at)] > 0 {
            starts.at[starts.count] = at;
            starts.count += 1;
            at += name[usize::from(at)] + 1;
        }
        starts
    }

    fn rightmost_first(&self) -> impl Iterator<Item = u8> {
        self.at[..self.count].iter().rev().copied()
    }
}

fn label(name: &[u8], at: u8) -> &[u8] {
    let at = usize::from(at);
    &name[at + 1..][..usize::from(name[at])]
}
