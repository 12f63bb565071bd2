//! Client-subnet scopes: the widest uniform prefix around each leaf.

/// The leaves of one family in address order; they partition it.
pub(super) struct Leaves<'a, T> {
    /// Bits of an address.
    pub(super) bits: u8,
    pub(super) starts: &'a [T],
    /// Prefix lengths.
    pub(super) lens: &'a [u8],
    /// The same leaves by place.
    pub(super) stretches: &'a [Stretch],
}

/// Neighbouring leaves of one place, up to the next stretch. They are the fewest prefixes that cover
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its first leaf.
    pub(super) first: u32,
    pub(super) place: u32,
}

/// Neighbours of equal place, joined.
pub(super) fn stretches(place_of_leaf: &[u32]) -> Box<[Stretch]> {
    let mut all: Vec<Stretch> = Vec::new();
    for (first, &place) in (0u32..).zip(place_of_leaf) {
        if all.last().is_none_or(|last| last.place != place) {
            all.push(Stretch { first, place });
        }
    }
    all.into()
}

impl<T: Copy + Into<u128>> Leaves<'_, T> {
    /// The length of the widest prefix around each leaf inside which the view of places is the same. A
    /// place without a view is not uniform inside, and gets no scope.
    ///
    /// Where a stretch has neighbours of other views, its leaves are those prefixes themselves, so that
    /// it costs one look. Neighbours of one view make a run, and the widest prefixes inside a range of
    /// addresses follow from its two ends: one look at each leaf, however many there are to merge.
    pub(super) fn scopes(&self, view: impl Fn(u32) -> Option<u32>, scopes: &mut [u8]) {
        scopes.copy_from_slice(self.lens);
        let place = |at: usize| self.stretches.get(at).map(|stretch| stretch.place);
        let mut at = 0;
        let mut next = place(at).map(&view);
        while let Some(of) = next {
            let from = at;
            loop {
                at += 1;
                next = place(at).map(&view);
                if next != Some(of) {
                    break;
                }
            }
            let first = self.stretches[from].first as usize;
            let end = self.stretches.get(at);
            let end = end.map_or(scopes.len(), |beyond| beyond.first as usize);
            match of {
                None => scopes[first..end].fill(0),
                Some(_) if at - from > 1 => self.cover(first, end, scopes),
                Some(_) => {}
            }
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
