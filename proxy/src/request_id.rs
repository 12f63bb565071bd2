//! HOT
//!
//! Request ids: 128 bits of chance in hexadecimal, made in batches so that one costs no allocation.

use std::cell::RefCell;

use bytes::Bytes;
use http::HeaderValue;

use crate::draw::Dice;

/// Digits of an id.
const LENGTH: usize = 32;
/// Ids that share memory; it is freed with the last of them.
const BATCH: usize = 64;

/// The ids of one thread.
#[derive(Debug, Default)]
pub(crate) struct RequestIds(RefCell<Bytes>);

impl RequestIds {
    /// The next id.
    pub(crate) fn next(&self, dice: &Dice) -> HeaderValue {
        let mut left = self.0.borrow_mut();
        if left.is_empty() {
            *left = batch(dice);
        }
        let id = left.split_to(LENGTH);
        HeaderValue::from_maybe_shared(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

fn batch(dice: &Dice) -> Bytes {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut octets = Vec::with_capacity(BATCH * LENGTH);
    for _ in 0..BATCH * LENGTH / 16 {
        let draw = dice.draw();
        octets.extend((0..16).map(|n| DIGITS[(draw >> (4 * n) & 15) as usize]));
    }
    octets.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different_and_hexadecimal() {
        let (ids, dice) = (RequestIds::default(), Dice::new(1));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10 * BATCH {
            let id = ids.next(&dice);
            let text = id.to_str().unwrap().to_owned();
            assert_eq!(text.len(), LENGTH);
            assert!(text.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(seen.insert(text));
        }
    }
}
