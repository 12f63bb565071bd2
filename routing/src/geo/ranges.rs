//! All addresses of one family, cut into runs that lie in one locality each.

use std::iter::once;
use std::ops::Sub;

use xxhash_rust::xxh3::Xxh3;

/// Runs in ascending order: each reaches to the start of the next, the last to the family's last
/// address. A number stands for a locality; 0 is nowhere.
///
/// Invariants: `starts` and `numbers` have the same length, at least 1; the first start is 0;
/// starts ascend strictly; neighbours have different numbers. So equal content has one form.
/// Cost: 8 bytes a run for IPv4, 20 for IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges<A> {
    starts: Vec<A>,
    numbers: Vec<u32>,
    last: A,
}

impl Ranges<u32> {
    /// Of no IPv4 address anything is known.
    pub(super) fn v4() -> Self {
        Self::nowhere(u32::MAX)
    }
}

impl Ranges<u128> {
    /// Of no IPv6 address anything is known.
    pub(super) fn v6() -> Self {
        Self::nowhere(u128::MAX)
    }
}

impl<A: Copy + Ord + From<u8> + Sub<Output = A> + Into<u128>> Ranges<A> {
    /// From here to the end (or to the next call's start) is `number`. Calls come in ascending
    /// order of `start`.
    pub(super) fn push(&mut self, start: A, number: u32) {
        let top = self.starts.len() - 1;
        debug_assert!(self.starts[top] <= start, "runs come in ascending order");
        if self.numbers[top] == number {
            return;
        }
        if start > self.starts[top] {
            self.starts.push(start);
            self.numbers.push(number);
        } else {
            self.numbers[top] = number;
        }
    }

    /// Binary search.
    pub(super) fn number(&self, address: A) -> u32 {
        let after = self.starts.partition_point(|start| *start <= address);
        self.numbers[after - 1]
    }

    /// Runs of which something is known, as (first, last, number).
    pub(super) fn iter(&self) -> impl Iterator<Item = (A, A, u32)> {
        let ends = self.starts[1..].iter().map(|next| *next - A::from(1));
        let ends = ends.chain(once(self.last));
        let runs = self.starts.iter().zip(ends).zip(&self.numbers);
        runs.filter(|(_, number)| **number != 0)
            .map(|((start, end), number)| (*start, end, *number))
    }

    /// All runs, as (start, number).
    pub(super) fn runs(&self) -> impl Iterator<Item = (u128, u32)> {
        let starts = self.starts.iter().map(|start| (*start).into());
        starts.zip(self.numbers.iter().copied())
    }

    /// Adds the content to a digest.
    pub(super) fn digest(&self, into: &mut Xxh3) {
        into.update(&(self.starts.len() as u64).to_le_bytes());
        for (start, number) in self.runs() {
            let mut run = [0; 20];
            run[..16].copy_from_slice(&start.to_le_bytes());
            run[16..].copy_from_slice(&number.to_le_bytes());
            into.update(&run);
        }
    }

    /// Makes room for `runs` more.
    pub(super) fn reserve(&mut self, runs: usize) {
        self.starts.reserve_exact(runs);
        self.numbers.reserve_exact(runs);
    }

    fn nowhere(last: A) -> Self {
        Self {
            starts: vec![A::from(0)],
            numbers: vec![0],
            last,
        }
    }
}
