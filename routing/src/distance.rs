//! How near two points are, equal on all machines.
//!
//! Only additions and multiplications of `f64`, which IEEE 754 fixes bit by bit; the sine of the
//! platform's library is not used, since it differs between machines.

use windrose_model::Coordinates;

/// Nearness as a whole number: the cosine of the angle between the points in units of 2^-40,
/// greater is nearer. Equal points give equal numbers.
pub(crate) fn nearness(a: Coordinates, b: Coordinates) -> i64 {
    let (a, b) = (on_sphere(a), on_sphere(b));
    let cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    #[allow(
        clippy::cast_possible_truncation,
        reason = "|cosine| is at most about 1"
    )]
    let units = (cosine * (1u64 << 40) as f64) as i64;
    units
}

fn on_sphere(point: Coordinates) -> [f64; 3] {
    let (sin_lat, cos_lat) = sin_cos(f64::from(point.lat_hundredths));
    let (sin_lon, cos_lon) = sin_cos(f64::from(point.lon_hundredths));
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// Sine and cosine of hundredths of a degree, -18,000 to 18,000, by Taylor series about the nearest
/// multiple of 90 degrees; error below 1e-9.
fn sin_cos(hundredths: f64) -> (f64, f64) {
    let quarters = (hundredths / 9_000.0).round();
    let x = (hundredths - quarters * 9_000.0) * (std::f64::consts::PI / 18_000.0);
    let q = x * x;
    let sin = x
        * (1.0
            - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0)))));
    let cos =
        1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
    #[allow(clippy::cast_possible_truncation, reason = "-2 to 2")]
    match (quarters as i32).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Coordinates {
        Coordinates::new(lat, lon).unwrap()
    }

    #[test]
    fn the_series_agree_with_the_library() {
        for h in (-18_000..=18_000).step_by(37) {
            let (s, c) = sin_cos(f64::from(h));
            let (ls, lc) = (f64::from(h) / 100.0).to_radians().sin_cos();
            assert!(
                (s - ls).abs() < 1e-8 && (c - lc).abs() < 1e-8,
                "{h}: {s} {ls} {c} {lc}"
            );
        }
    }

    #[test]
    fn nearer_is_greater() {
        let berlin = at(52.5, 13.4);
        assert!(nearness(berlin, at(50.1, 8.7)) > nearness(berlin, at(39.0, -77.5)));
        assert!(
            nearness(at(0.0, 179.0), at(0.0, -179.0)) > nearness(at(0.0, 179.0), at(0.0, 170.0))
        );
        assert_eq!(
            nearness(berlin, at(1.3, 103.8)),
            nearness(berlin, at(1.3, 103.8))
        );
    }
}
