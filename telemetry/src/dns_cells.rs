//! What the cells of DNS numbers mean: question types, sizes, who limited what.

/// Question types with a label of their own; the first stands for all others, so that label sets
/// stay bounded whatever is asked.
pub const QTYPES: [(&str, u16); 24] = [
    ("other", 0),
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("DS", 43),
    ("SSHFP", 44),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("TLSA", 52),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];

/// The cell of a question type in [`QTYPES`].
#[inline]
pub const fn qtype_cell(qtype: u16) -> u32 {
    if qtype < CELL_BY_QTYPE.len() as u16 {
        CELL_BY_QTYPE[qtype as usize] as u32
    } else {
        0
    }
}

const CELL_BY_QTYPE: [u8; 258] = {
    let mut cells = [0; 258];
    let mut cell = 1;
    while cell < QTYPES.len() {
        cells[QTYPES[cell].1 as usize] = cell as u8;
        cell += 1;
    }
    cells
};

/// How and from where a query came, two bits beside its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// TCP, else UDP.
    pub tcp: bool,
    /// From an IPv6 address, else IPv4.
    pub ipv6: bool,
}

impl Way {
    /// How many there are.
    pub const COUNT: u32 = 4;

    /// All, in order of their cells.
    pub const ALL: [Self; 4] = [
        Self::new(false, false),
        Self::new(false, true),
        Self::new(true, false),
        Self::new(true, true),
    ];

    const fn new(tcp: bool, ipv6: bool) -> Self {
        Self { tcp, ipv6 }
    }

    /// Its number.
    #[inline]
    pub const fn cell(self) -> u32 {
        ((self.tcp as u32) << 1) | self.ipv6 as u32
    }
}

/// Who limits answers, and which: limiter and class, in order of their cells.
pub const LIMITERS: [(&str, &str); 7] = [
    ("responses", "positive"),
    ("responses", "wildcard"),
    ("responses", "nxdomain"),
    ("responses", "nodata"),
    ("responses", "referral"),
    ("responses", "error"),
    ("queries", "all"),
];

/// Cells of what was limited.
pub const LIMITED_CELLS: u32 = LIMITERS.len() as u32 * 4;

/// The cell of an answer that one of [`LIMITERS`] cut short or dropped, or would have.
#[inline]
pub const fn limited_cell(limiter: u32, slipped: bool, dry_run: bool) -> u32 {
    limiter * 4 + ((slipped as u32) << 1) + dry_run as u32
}

/// What came of a query's cookie option (RFC 7873), in order of its cells. Queries without one are
/// not counted: they are the rest.
pub const COOKIES: [&str; 5] = ["client_only", "valid", "expired", "wrong", "malformed"];

/// Why an answer is as it is: INFO-CODE (RFC 8914 section 5.2) and reason, in order of their cells.
pub const EXTENDED_ERRORS: [(u16, &str); 18] = [
    (3, "last_known"),
    (0, "fallback"),
    (0, "all"),
    (0, "all_drained"),
    (0, "all_down"),
    (0, "half_alive"),
    (0, "half_alive_next_tier"),
    (0, "next_tier"),
    (0, "shares_ignored"),
    (0, "trickle"),
    (18, "fenced_out"),
    (22, "alias_unresolved"),
    (3, "alias_stale"),
    (0, "alias_circle"),
    (20, "not_authoritative"),
    (18, "no_transfer"),
    (21, "operation"),
    (30, "query_type"),
];

/// Upper bounds of the message sizes, inclusive octets.
pub const SIZE_BOUNDS: [f64; 11] = [
    64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 8_192.0, 16_384.0, 32_768.0, 65_536.0,
];

/// Cells of a size: one per bound, and [`SIZE_SUM_CELL`].
pub const SIZE_CELLS: u32 = SIZE_BOUNDS.len() as u32 + 1;

/// The cell that sums octets.
pub const SIZE_SUM_CELL: u32 = SIZE_CELLS - 1;

/// The cell of a message of `octets`, to 65,536.
#[inline]
pub const fn size_cell(octets: u32) -> u32 {
    // Octets up to 2^6 are bound 0, up to 2^7 bound 1, and so on.
    let bits = 32 - octets.saturating_sub(1).leading_zeros();
    let cell = bits.saturating_sub(6);
    if cell < SIZE_SUM_CELL {
        cell
    } else {
        SIZE_SUM_CELL - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_type_has_a_cell_and_the_rest_share_one() {
        for (cell, (label, qtype)) in (0..).zip(QTYPES) {
            assert_eq!(qtype_cell(qtype), cell, "{label}");
        }
        for qtype in [3, 41, 256, 258, u16::MAX] {
            assert_eq!(qtype_cell(qtype), 0, "{qtype}");
        }
    }

    #[test]
    fn size_bounds_are_inclusive() {
        for (cell, bound) in (0..).zip(SIZE_BOUNDS) {
            let bound = bound as u32;
            assert_eq!(size_cell(bound), cell);
            assert_eq!(size_cell(bound + 1), (cell + 1).min(SIZE_SUM_CELL - 1));
        }
        assert_eq!((size_cell(0), size_cell(u32::MAX)), (0, SIZE_SUM_CELL - 1));
    }

    #[test]
    fn ways_have_cells_of_their_own() {
        for (cell, way) in (0..).zip(Way::ALL) {
            assert_eq!(way.cell(), cell);
        }
    }
}
