//! Whether octets are data of their type. Names are checked, and folded to lower case, here.

use super::layout::{Field, layout};
use super::{RDataError, svcb};
use crate::RecordType;

/// Octets of the data of one record.
const LONGEST: usize = 65_535;

/// Checks `wire` against the form of its type and folds the case of the names in it.
pub(super) fn check(rtype: RecordType, wire: &mut [u8]) -> Result<(), RDataError> {
    if rtype.is_meta() {
        return Err(RDataError::Meta(rtype));
    }
    if wire.len() > LONGEST {
        return Err(RDataError::TooLong(wire.len()));
    }
    let Some(fields) = layout(rtype) else {
        return Ok(());
    };
    let mut at = 0;
    for field in fields {
        at += field_len(*field, &mut wire[at..])?;
    }
    if at != wire.len() {
        return Err(RDataError::Trailing(wire.len() - at));
    }
    digest_len(rtype, wire)
}

/// The octets of one field at the beginning of `rest`.
fn field_len(field: Field, rest: &mut [u8]) -> Result<usize, RDataError> {
    let len = match field {
        Field::U8 => 1,
        Field::U16 => 2,
        Field::U32 | Field::Seconds | Field::Ipv4 => 4,
        Field::Ipv6 | Field::Location => 16,
        Field::Name => name_len(rest).ok_or(RDataError::Name)?,
        Field::String | Field::Tag => 1 + usize::from(*rest.first().ok_or(RDataError::Short)?),
        Field::Strings => strings_len(rest)?,
        Field::Text | Field::SvcParams => rest.len(),
        Field::Hex | Field::Base64 => rest.len().max(1),
    };
    let octets = rest.get_mut(..len).ok_or(RDataError::Short)?;
    match field {
        Field::Name => octets.make_ascii_lowercase(),
        Field::Tag if len == 1 || !octets[1..].iter().all(u8::is_ascii_alphanumeric) => {
            return Err(RDataError::Tag);
        }
        Field::SvcParams => svcb::check(octets)?,
        Field::Location => location(octets)?,
        _ => {}
    }
    Ok(len)
}

/// The octets of an uncompressed name, its root included.
pub(super) fn name_len(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let len = usize::from(*wire.get(at)?);
        at += len + 1;
        if len > 63 || at > 255 || at > wire.len() {
            return None;
        }
        if len == 0 {
            return Some(at);
        }
    }
}

fn strings_len(wire: &[u8]) -> Result<usize, RDataError> {
    let mut at = 0;
    while let Some(len) = wire.get(at) {
        at += usize::from(*len) + 1;
    }
    match at {
        0 => Err(RDataError::Short),
        _ => Ok(at),
    }
}

/// RFC 1876 section 2: version 0; sizes of mantissa and exponent 0 to 9; within the poles and ±180°.
fn location(octets: &[u8]) -> Result<(), RDataError> {
    let size = |octet: u8| octet >> 4 <= 9 && octet & 0xf <= 9;
    let arc = |at: usize, degrees: u32| {
        let thousandths =
            u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        thousandths.abs_diff(1 << 31) <= degrees * 3_600_000
    };
    let good =
        octets[0] == 0 && octets[1..4].iter().copied().all(size) && arc(4, 90) && arc(8, 180);
    good.then_some(()).ok_or(RDataError::Location)
}

/// A digest of a known kind has its length (RFC 4509, 6605, 6698, 4255, 6594).
fn digest_len(rtype: RecordType, wire: &[u8]) -> Result<(), RDataError> {
    let (head, expected) = match rtype {
        RecordType::DS | RecordType::CDS => (
            4,
            match wire[3] {
                1 => 20,
                2 => 32,
                4 => 48,
                _ => return Ok(()),
            },
        ),
        RecordType::SSHFP => (
            2,
            match wire[1] {
                1 => 20,
                2 => 32,
                _ => return Ok(()),
            },
        ),
        RecordType::TLSA | RecordType::SMIMEA => (
            3,
            match wire[2] {
                1 => 32,
                2 => 64,
                _ => return Ok(()),
            },
        ),
        _ => return Ok(()),
    };
    let found = wire.len() - head;
    if found == expected {
        return Ok(());
    }
    Err(RDataError::Digest { found, expected })
}
