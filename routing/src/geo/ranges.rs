//! All addresses of one family, cut into runs of one country each.

use std::iter::once;
use std::ops::Sub;

use windrose_model::Country;
use xxhash_rust::xxh3::Xxh3;

/// Runs in ascending order: each reaches to the start of the next, the last to the family's last
/// address.
///
/// Invariants: `starts` and `countries` have the same length, at least 1; the first start is 0;
/// starts ascend strictly; neighbours have different countries. So equal content has one form.
/// Cost: 7 bytes a run for IPv4, 19 for IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges<A> {
    starts: Vec<A>,
    countries: Vec<Option<Country>>,
    last: A,
}

impl Ranges<u32> {
    /// No IPv4 address has a country.
    pub(super) fn v4() -> Self {
        Self::nowhere(u32::MAX)
    }
}

impl Ranges<u128> {
    /// No IPv6 address has a country.
    pub(super) fn v6() -> Self {
        Self::nowhere(u128::MAX)
    }
}

impl<A: Copy + Ord + From<u8> + Sub<Output = A> + Into<u128>> Ranges<A> {
    /// From here to the end (or to the next call's start) is `country`. Calls come in ascending
    /// order of `start`.
    pub(super) fn push(&mut self, start: A, country: Option<Country>) {
        let top = self.starts.len() - 1;
        debug_assert!(self.starts[top] <= start, "runs come in ascending order");
        if self.countries[top] == country {
            return;
        }
        if start > self.starts[top] {
            self.starts.push(start);
            self.countries.push(country);
        } else {
            self.countries[top] = country;
        }
    }

    /// Binary search.
    pub(super) fn country(&self, address: A) -> Option<Country> {
        let after = self.starts.partition_point(|start| *start <= address);
        self.countries[after - 1]
    }

    /// Runs that have a country, as (first, last, country).
    pub(super) fn iter(&self) -> impl Iterator<Item = (A, A, Country)> {
        let ends = self.starts[1..].iter().map(|next| *next - A::from(1));
        let ends = ends.chain(once(self.last));
        let runs = self.starts.iter().zip(ends).zip(&self.countries);
        runs.filter_map(|((start, end), country)| Some((*start, end, (*country)?)))
    }

    /// Adds the content to a digest.
    pub(super) fn digest(&self, into: &mut Xxh3) {
        into.update(&(self.starts.len() as u64).to_le_bytes());
        for (start, country) in self.starts.iter().zip(&self.countries) {
            let mut run = [0; 18];
            run[..16].copy_from_slice(&(*start).into().to_le_bytes());
            run[16..].copy_from_slice(&country.map_or([0; 2], Country::octets));
            into.update(&run);
        }
    }

    /// Makes room for `runs` more.
    pub(super) fn reserve(&mut self, runs: usize) {
        self.starts.reserve_exact(runs);
        self.countries.reserve_exact(runs);
    }

    fn nowhere(last: A) -> Self {
        Self {
            starts: vec![A::from(0)],
            countries: vec![None],
            last,
        }
    }
}
