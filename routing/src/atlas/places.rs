//! Places, and the CIDRs that steering names.

use std::collections::HashMap;

use ipnet::IpNet;

/// What steering may know of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Place {
    /// Index into the spots of the atlas; 0 is nowhere.
    pub(crate) spot: u32,
    /// One more than the position among the autonomous systems that any steering names; 0 for all
    /// others.
    pub(crate) asn: u32,
    /// Number of the innermost CIDR.
    pub(crate) cidr: Option<u32>,
}

pub(crate) struct Cidr {
    pub(crate) net: IpNet,
    /// The innermost CIDR around this one.
    pub(crate) parent: Option<u32>,
}

/// Places by number, in the order of their first address.
#[derive(Default)]
pub(super) struct Places {
    pub(super) list: Vec<Place>,
    numbers: HashMap<Place, u32>,
    /// The place of the addresses of a mount.
    mount: Option<u32>,
}

impl Places {
    pub(super) fn number(&mut self, place: Place) -> u32 {
        *self.numbers.entry(place).or_insert_with(|| {
            self.list.push(place);
            u32::try_from(self.list.len()).unwrap_or(u32::MAX) - 1
        })
    }

    /// A place of no client: in a mount, the IPv4 address counts.
    pub(super) fn mount(&mut self) -> u32 {
        *self.mount.get_or_insert_with(|| {
            self.list.push(Place::default());
            u32::try_from(self.list.len()).unwrap_or(u32::MAX) - 1
        })
    }
}

/// Sorts CIDRs so that parents come before children, and links them.
pub(super) fn nest<'n>(nets: impl Iterator<Item = &'n IpNet>) -> Box<[Cidr]> {
    let mut sorted: Vec<IpNet> = nets.map(IpNet::trunc).collect();
    sorted.sort_unstable_by_key(order);
    sorted.dedup();
    let mut open: Vec<u32> = Vec::new();
    let mut list: Vec<Cidr> = Vec::with_capacity(sorted.len());
    for (i, net) in (0u32..).zip(sorted) {
        while let Some(&top) = open.last() {
            if list[top as usize].net.contains(&net) {
                break;
            }
            open.pop();
        }
        list.push(Cidr {
            net,
            parent: open.last().copied(),
        });
        open.push(i);
    }
    list.into()
}

/// The number of a CIDR without a bit behind its prefix.
pub(super) fn number_of(cidrs: &[Cidr], net: &IpNet) -> Option<u32> {
    let at = cidrs.binary_search_by_key(&order(net), |cidr| order(&cidr.net));
    at.ok().and_then(|at| u32::try_from(at).ok())
}

fn order(net: &IpNet) -> (std::net::IpAddr, u8) {
    (net.network(), net.prefix_len())
}
