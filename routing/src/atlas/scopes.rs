//! Client-subnet scopes: the widest uniform prefix around each leaf.

/// The leaves of one family in address order; they partition it.
pub(super) struct Leaves<'a, T> {
    /// Bits of an address.
    pub(super) bits: u8,
    pub(super) starts: &'a [T],
    /// Prefix lengths.
    pub(super) lens: &'a [u8],
}

impl<T: Copy + Into<u128>> Leaves<'_, T> {
    /// The length of the widest prefix around each leaf inside which `view` is the same. A leaf
    /// without a view is not uniform inside, and gets no scope.
    ///
    /// Neighbours of one view make a run, and the widest prefixes inside a range of addresses follow
    /// from its two ends: one look at each leaf, however many there are to merge.
    pub(super) fn scopes(&self, view: impl Fn(usize) -> Option<u32>, scopes: &mut [u8]) {
        let count = self.starts.len().min(scopes.len());
        let mut first = 0;
        let mut next = (count > 0).then(|| view(0)).flatten();
        while first < count {
            let of = next;
            let mut end = first + 1;
            while end < count {
                next = view(end);
                if next != of {
                    break;
                }
                end += 1;
            }
            match (of, end - first) {
                (None, _) => {}
                (Some(_), 1) => scopes[first] = self.lens[first],
                (Some(_), _) => self.cover(first, end, scopes),
            }
            first = end;
        }
    }

    /// Divides a run into the fewest prefixes.
    fn cover(&self, first: usize, end: usize, scopes: &mut [u8]) {
        let last = match self.starts.get(end) {
            Some(beyond) => (*beyond).into() - 1,
            None => self.highest(0, 0),
        };
        let mut at = first;
        while at < end {
            let begin = self.starts[at].into();
            let mut len = self.lens[at];
            // One bit shorter is still aligned, and does not reach beyond the run.
            while len > 0
                && (begin >> (self.bits - len)) & 1 == 0
                && self.highest(begin, len - 1) <= last
            {
                len -= 1;
            }
            let reach = self.highest(begin, len);
            let from = at;
            while at < end && self.starts[at].into() <= reach {
                at += 1;
            }
            scopes[from..at].fill(len);
        }
    }

    /// The last address of a prefix.
    fn highest(&self, begin: u128, len: u8) -> u128 {
        let host_bits = u32::from(self.bits - len);
        begin | u128::MAX.checked_shr(128 - host_bits).unwrap_or(0)
    }
}
