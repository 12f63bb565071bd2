//! The database that is part of the program: decodes the form that `routing/data/refresh-prefixes`
//! writes and describes. Knows nothing of MaxMind DB files.

use std::ops::Sub;

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use windrose_model::Country;

use super::database::{GeoDb, Known, Locality};
use super::ranges::Ranges;

/// The shipped bytes.
pub(super) const COUNTRIES: &[u8] = include_bytes!("../../data/countries.bin");

const MAGIC: &[u8] = b"WRGEO1\n";
/// Far above the 2 MB of today.
const INFLATED_LIMIT: usize = 32 << 20;

/// `None` if the bytes are not what the script writes.
pub(super) fn decode(shipped: &[u8]) -> Option<GeoDb> {
    let body = decompress_to_vec_with_limit(shipped.strip_prefix(MAGIC)?, INFLATED_LIMIT).ok()?;
    let mut cursor = Cursor(&body);
    let length = cursor.size()?;
    let description = std::str::from_utf8(cursor.take(length)?).ok()?.to_owned();
    let mut known = Known::default();
    let codes = codes(&mut cursor, &mut known)?;
    let v4 = family(&mut cursor, &codes, Ranges::v4())?;
    let v6 = family(&mut cursor, &codes, Ranges::v6())?;
    cursor
        .0
        .is_empty()
        .then(|| GeoDb::new(description, known, v4, v6))
}

/// What a run's number means: 0 is no country.
fn codes(cursor: &mut Cursor<'_>, known: &mut Known) -> Option<Vec<u32>> {
    let count = cursor.size()?;
    let (codes, _) = cursor.take(count.checked_mul(2)?)?.as_chunks();
    let mut number = |code| {
        let country = Country::new(code)?;
        Some(known.number(Locality::of_country(Some(country)), None))
    };
    [Some(0)]
        .into_iter()
        .chain(codes.iter().map(|code| number(*code)))
        .collect()
}

/// Three columns: zero bits of a step, its other bits, country.
fn family<A>(cursor: &mut Cursor<'_>, codes: &[u32], mut ranges: Ranges<A>) -> Option<Ranges<A>>
where
    A: Copy + Ord + From<u8> + Sub<Output = A> + Into<u128> + TryFrom<u128>,
{
    let steps = cursor.size()?.checked_sub(1)?;
    let zeros = cursor.take(steps)?;
    let mut starts = Vec::with_capacity(steps + 1);
    let mut start = 0_u128;
    starts.push(A::from(0));
    for zeros in zeros {
        let step = cursor
            .number()?
            .checked_mul(1_u128.checked_shl(u32::from(*zeros))?)?;
        start = start.checked_add(step).filter(|_| step > 0)?;
        starts.push(A::try_from(start).ok()?);
    }
    ranges.reserve(steps);
    for start in starts {
        ranges.push(start, *codes.get(cursor.size()?)?);
    }
    Some(ranges)
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn size(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    /// LEB128, unsigned.
    fn number(&mut self) -> Option<u128> {
        let mut number = 0_u128;
        for shift in (0..128).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
