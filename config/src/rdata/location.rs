//! LOC records (RFC 1876 section 3): `42 21 54 N 71 06 18 W -24m 30m`.

use super::{Bad, Words};

impl Words<'_> {
    /// Reads all words.
    pub(super) fn location(&mut self, wire: &mut Vec<u8>) -> Result<(), Bad> {
        let latitude = self.arc("latitude", 90, *b"SN")?;
        let longitude = self.arc("longitude", 180, *b"WE")?;
        let altitude = self.word("altitude", "metres from -100000 to 42849672.95", |text| {
            let centimetres = centimetres(text)?.checked_add(10_000_000)?;
            u32::try_from(centimetres).ok()
        })?;
        // Size, horizontal and vertical precision.
        let mut sizes = [0x12, 0x16, 0x13];
        for (size, label) in
            sizes
                .iter_mut()
                .zip(["size", "horizontal precision", "vertical precision"])
        {
            if self.tokens.is_empty() {
                break;
            }
            *size = self.word(label, "metres from 0 to 90000000", |text| {
                power(u64::try_from(centimetres(text)?).ok()?)
            })?;
        }
        wire.push(0);
        wire.extend_from_slice(&sizes);
        for number in [latitude, longitude, altitude] {
            wire.extend_from_slice(&number.to_be_bytes());
        }
        Ok(())
    }

    /// Degrees, then perhaps minutes and seconds, then the side.
    fn arc(&mut self, label: &str, most: u32, [below, above]: [u8; 2]) -> Result<u32, Bad> {
        let needs = format!(
            "degrees, minutes and seconds up to {most}°, then {} or {}",
            char::from(above),
            char::from(below)
        );
        let first = self.next(label)?;
        let mut thousandths = 0;
        let mut token = first;
        // Of a degree, a minute, a second; how many there may be.
        for (unit, limit) in [(3_600_000, most + 1), (60_000, 60), (1_000, 60)] {
            let text = std::str::from_utf8(token.of(self.text)).unwrap_or_default();
            let value = if unit == 1_000 {
                decimal(text, 3).and_then(|n| u32::try_from(n).ok())
            } else {
                whole(text).and_then(|n| n.checked_mul(unit))
            };
            let value = value.filter(|n| *n < unit * limit);
            thousandths += value.ok_or_else(|| self.wrong(token, label, &needs))?;
            token = self.next(label)?;
            let side = token.of(self.text).to_ascii_uppercase();
            let equator = 1_u32 << 31;
            if thousandths > most * 3_600_000 {
                return Err(self.wrong(first, label, &needs));
            }
            if side == [above] {
                return Ok(equator + thousandths);
            }
            if side == [below] {
                return Ok(equator - thousandths);
            }
        }
        Err(self.wrong(token, label, &needs))
    }
}

fn whole(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Metres with at most two decimals and perhaps an `m`, in centimetres.
fn centimetres(text: &str) -> Option<i64> {
    let text = text.strip_suffix(['m', 'M']).unwrap_or(text);
    match text.strip_prefix('-') {
        Some(text) => decimal(text, 2).map(|n| -n),
        None => decimal(text, 2),
    }
}

/// A number with at most so many decimals, times that power of ten.
fn decimal(text: &str, decimals: usize) -> Option<i64> {
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    if after.len() > decimals {
        return None;
    }
    let after = if after.is_empty() { "0" } else { after };
    let scale = 10_u32.pow(u32::try_from(decimals).ok()?);
    let fraction = whole(after)? * 10_u32.pow(u32::try_from(decimals - after.len()).ok()?);
    Some(i64::from(whole(before)?) * i64::from(scale) + i64::from(fraction))
}

/// One digit and a power of ten; what has more digits is rounded down, as RFC 1876's own code does.
fn power(centimetres: u64) -> Option<u8> {
    let (mut mantissa, mut exponent) = (centimetres, 0_u8);
    while mantissa > 9 {
        mantissa /= 10;
        exponent += 1;
    }
    let mantissa = u8::try_from(mantissa).ok()?;
    (exponent <= 9).then_some(mantissa << 4 | exponent)
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;
    use windrose_model::{DnsName, RecordType};

    fn read(text: &str) -> Result<String, String> {
        let origin = DnsName::parse(".").unwrap();
        let tokens = tokens(text).unwrap();
        let mut words = Words::new(RecordType::LOC, text.as_bytes(), &tokens, &origin);
        words
            .data()
            .map(|data| data.as_ref().to_string())
            .map_err(|bad| bad.message)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let check =
            |text, expected: &str| assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        check(
            "42 21 54 N 71 06 18 W -24m 30m",
            "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m",
        );
        check(
            "52 14 05 N 00 08 50.5 e 10.25",
            "52 14 5.000 N 0 8 50.500 E 10.25m 1.00m 10000.00m 10.00m",
        );
        check(
            "32 7 S 116 W 10m 0.01m 20m 2000m",
            "32 7 0.000 S 116 0 0.000 W 10.00m 0.01m 20.00m 2000.00m",
        );
    }

    #[test]
    fn what_lies_outside_the_earth_is_refused() {
        for wrong in [
            "91 N 0 E 0",
            "90 0 1 N 0 E 0",
            "0 60 N 0 E 0",
            "0 N 181 E 0",
            "0 N 0 E -100001",
            "0 N 0",
            "0 0 0 0 N 0 E 0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
