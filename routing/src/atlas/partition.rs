//! Cutting a family of addresses into aligned prefixes of one place each.

use std::iter::Peekable;

use ipnet::IpNet;

use super::embedded::MOUNTS;
use super::places::{Cidr, Place, Places};

/// Aligned prefixes in ascending order, without a gap.
#[derive(Default)]
pub(super) struct Cut<T> {
    pub(super) starts: Vec<T>,
    pub(super) lens: Vec<u8>,
    pub(super) places: Vec<u32>,
}

/// What the numbers of runs mean.
pub(super) struct Layers<'a> {
    /// Spot by number of a locality; empty: nowhere.
    pub(super) spot_of: &'a [u32],
    /// [`Place::asn`] by number of a locality; empty: none.
    pub(super) asn_of: &'a [u32],
    pub(super) cidrs: &'a [Cidr],
}

/// Cuts the family with addresses of `bits` bits. `spots` and `asns` are runs (start, number of the
/// locality) over the whole family, the first at 0.
pub(super) fn partition<T: TryFrom<u128>>(
    bits: u8,
    spots: impl Iterator<Item = (u128, u32)>,
    asns: impl Iterator<Item = (u128, u32)>,
    layers: &Layers<'_>,
    places: &mut Places,
    out: &mut Cut<T>,
) {
    let last = if bits == 32 {
        u128::from(u32::MAX)
    } else {
        u128::MAX
    };
    let number = |table: &[u32], at: u32| table.get(at as usize).copied().unwrap_or(0);
    let mut spots = Runs::new(spots.map(|(start, at)| (start, number(layers.spot_of, at))));
    let mut asns = Runs::new(asns.map(|(start, at)| (start, number(layers.asn_of, at))));
    let mut cidrs = Runs::new(innermost(bits, last, layers.cidrs).into_iter());
    let mut mounts = MOUNTS.iter().filter(|_| bits == 128).peekable();
    // The run that is still open: equal neighbours join.
    let mut open: Option<(u128, u32)> = None;
    let mut at = 0;
    loop {
        let (place, end) = match mounts.next_if(|mount| mount.start == at) {
            Some(mount) => (places.mount(), mount.end()),
            None => {
                let place = places.number(Place {
                    spot: spots.value(at),
                    asn: asns.value(at),
                    cidr: cidrs.value(at),
                });
                let next = [
                    spots.next_start(),
                    asns.next_start(),
                    cidrs.next_start(),
                    mounts.peek().map(|mount| mount.start),
                ];
                let next = next.into_iter().flatten().min();
                (place, next.map_or(last, |next| next - 1))
            }
        };
        if let Some((start, before)) = open
            && before != place
        {
            out.cover(bits, start, at - 1, before);
            open = None;
        }
        let (start, _) = *open.get_or_insert((at, place));
        if end >= last {
            out.cover(bits, start, last, place);
            return;
        }
        at = end + 1;
    }
}

/// A sequence of (start, value), of which the value at an ascending address is asked.
struct Runs<V, I: Iterator<Item = (u128, V)>> {
    rest: Peekable<I>,
    value: V,
}

impl<V: Copy + Default, I: Iterator<Item = (u128, V)>> Runs<V, I> {
    fn new(runs: I) -> Self {
        Self {
            rest: runs.peekable(),
            value: V::default(),
        }
    }

    fn value(&mut self, at: u128) -> V {
        while let Some((_, value)) = self.rest.next_if(|(start, _)| *start <= at) {
            self.value = value;
        }
        self.value
    }

    /// Where the value may change next.
    fn next_start(&mut self) -> Option<u128> {
        self.rest.peek().map(|(start, _)| *start)
    }
}

/// Runs of constant innermost CIDR, over the whole family.
fn innermost(bits: u8, last: u128, cidrs: &[Cidr]) -> Vec<(u128, Option<u32>)> {
    let mut runs: Vec<(u128, Option<u32>)> = vec![(0, None)];
    let mut open: Vec<(u128, u32)> = Vec::new();
    let close =
        |open: &mut Vec<(u128, u32)>, runs: &mut Vec<(u128, Option<u32>)>, until: Option<u128>| {
            while let Some(&(end, _)) = open.last() {
                if until.is_some_and(|start| end >= start) {
                    break;
                }
                open.pop();
                if end < last {
                    runs.push((end + 1, open.last().map(|o| o.1)));
                }
            }
        };
    for (i, cidr) in (0u32..).zip(cidrs) {
        let Some((start, end)) = bounds(&cidr.net, bits) else {
            continue;
        };
        close(&mut open, &mut runs, Some(start));
        runs.push((start, Some(i)));
        open.push((end, i));
    }
    close(&mut open, &mut runs, None);
    runs
}

/// First and last address of a CIDR of the family with `bits` bits.
fn bounds(net: &IpNet, bits: u8) -> Option<(u128, u128)> {
    match (net, bits) {
        (IpNet::V4(net), 32) => Some((
            u128::from(u32::from(net.network())),
            u128::from(u32::from(net.broadcast())),
        )),
        (IpNet::V6(net), 128) => Some((u128::from(net.network()), u128::from(net.broadcast()))),
        _ => None,
    }
}

impl<T: TryFrom<u128>> Cut<T> {
    /// Adds the fewest aligned prefixes that cover a range.
    fn cover(&mut self, bits: u8, mut start: u128, end: u128, place: u32) {
        loop {
            let align = if start == 0 {
                u32::from(bits)
            } else {
                start.trailing_zeros().min(u32::from(bits))
            };
            let left = end - start;
            let fits = if left == u128::MAX {
                128
            } else {
                127 - (left + 1).leading_zeros()
            };
            let size = align.min(fits);
            // An address of the family fits its type.
            if let Ok(start) = T::try_from(start) {
                #[allow(clippy::cast_possible_truncation, reason = "at most 128")]
                self.lens.push(bits - size as u8);
                self.starts.push(start);
                self.places.push(place);
            }
            let last = if size == 128 {
                u128::MAX
            } else {
                start + ((1u128 << size) - 1)
            };
            if last >= end {
                return;
            }
            start = last + 1;
        }
    }
}
