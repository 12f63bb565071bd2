//! Numbers, durations and sizes from their texts.

use std::time::Duration;

/// Digits only, or YAML's `0x` and `0o`; leading zeros are decimal as in YAML 1.2; `1e3` is 1000.
pub(super) fn whole(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return digits(hex).then(|| u64::from_str_radix(hex, 16).ok())?;
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal).then(|| u64::from_str_radix(octal, 8).ok())?;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let value = number(text)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked"
    )]
    (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64)
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A decimal number; not `inf`, `nan` or a sexagesimal `1:30`.
pub(super) fn number(text: &str) -> Option<f64> {
    let decimal = text
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|v: &f64| decimal && v.is_finite())
}

/// Numbers with units, the larger before the smaller: `1m30s`. The error is a hint.
pub(super) fn duration(text: &str) -> Result<Duration, Option<String>> {
    const UNITS: [(&str, u64); 6] = [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ];
    if whole(text).is_some() {
        return Err(Some(format!("add a unit, as in {text}s")));
    }
    if let Some((minutes, seconds)) = text.split_once(':')
        && [minutes, seconds].iter().all(|t| whole(t).is_some())
    {
        return Err(Some(format!(
            "write {minutes}m{seconds}s or {minutes}h{seconds}m"
        )));
    }
    let (mut rest, mut micros, mut next) = (text, 0_u64, 0);
    while !rest.is_empty() {
        let (digits, after) = split(rest, |b| b.is_ascii_digit());
        let (unit, after) = split(after, |b| b.is_ascii_alphabetic());
        let (position, (_, size)) = UNITS
            .iter()
            .enumerate()
            .skip(next)
            .find(|(_, (u, _))| *u == unit)
            .ok_or(None)?;
        let part = digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(*size));
        micros = part.and_then(|part| micros.checked_add(part)).ok_or(None)?;
        (rest, next) = (after, position + 1);
    }
    if text.is_empty() {
        Err(None)
    } else {
        Ok(Duration::from_micros(micros))
    }
}

/// A whole number and a binary unit. The error is a hint.
pub(super) fn size(text: &str) -> Result<u64, Option<String>> {
    let (digits, unit) = split(text, |b| b.is_ascii_digit());
    let shift = match unit.trim_start() {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "" if !digits.is_empty() => return Err(Some(format!("add a unit, as in {digits}B"))),
        "K" | "k" | "KB" | "kB" => return Err(Some(format!("write {digits}KiB"))),
        "M" | "MB" => return Err(Some(format!("write {digits}MiB"))),
        "G" | "GB" => return Err(Some(format!("write {digits}GiB"))),
        _ => return Err(None),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or(None)
}

fn split(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let at = text.bytes().position(|b| !wanted(b)).unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_in_falling_order() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        };
        check("5s", Some(5_000));
        check("500ms", Some(500));
        check("1m30s", Some(90_000));
        check("0s", Some(0));
        check("1d", Some(86_400_000));
        for wrong in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "30s1m",
            "1:30",
            "5x",
            "1.5s",
            "99999999999999999d",
            "5sé",
        ] {
            check(wrong, None);
        }
        assert_eq!(
            duration("1:30"),
            Err(Some("write 1m30s or 1h30m".to_owned()))
        );
        assert_eq!(duration("5"), Err(Some("add a unit, as in 5s".to_owned())));
    }

    #[test]
    fn whole_numbers_mean_what_people_mean() {
        for (text, value) in [
            ("010", Some(10)),
            ("1e3", Some(1000)),
            ("0x1F", Some(31)),
            ("0o17", Some(15)),
        ] {
            assert_eq!(whole(text), value, "{text}");
        }
        for wrong in ["", "1:30", "-1", "1.5", "0x", "0x+1", "one", "1_000", "inf"] {
            assert_eq!(whole(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("64KB"), Err(Some("write 64KiB".to_owned())));
        assert_eq!(size("64"), Err(Some("add a unit, as in 64B".to_owned())));
        assert_eq!(size("999999999999999999GiB"), Err(None));
    }
}
