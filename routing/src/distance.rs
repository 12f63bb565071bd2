//! How far apart two points are, equal on all machines.
//!
//! Only additions, multiplications, divisions and square roots of `f64`, which IEEE 754 fixes bit by
//! bit; the sines of the platform's library are not used, since they differ between machines.

use windrose_model::{Bias, Coordinates};

/// The mean radius of the Earth in metres (IUGG).
const RADIUS: f64 = 6_371_009.0;

/// The great-circle distance in metres, 0 to about 20,015,000; off by less than 10 m on the sphere.
/// Equal points give 0, and a pair gives the same in both directions.
pub(crate) fn metres(a: Coordinates, b: Coordinates) -> u64 {
    let (a, b) = (on_sphere(a), on_sphere(b));
    let square = |i: usize| (a[i] - b[i]) * (a[i] - b[i]);
    let half_chord = ((square(0) + square(1) + square(2)).sqrt() / 2.0).min(1.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to half the circumference"
    )]
    let metres = (2.0 * RADIUS * arc_sine(half_chord)).round() as u64;
    metres
}

/// A distance as a bias bends it, by the rule of Route 53's geoproximity: a positive bias makes a
/// cluster nearer, d(1 - b/100); a negative one farther, d/(1 + b/100), so that -50 doubles it.
pub(crate) fn biased(metres: u64, bias: Bias) -> u64 {
    let points = u64::from(bias.points().unsigned_abs());
    match bias.points() {
        0.. => metres * (100 - points) / 100,
        _ => metres * 100 / (100 - points),
    }
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

/// The arc sine of 0 to 1 in radians. Halving the angle brings it below 0.4, where the series of
/// nine terms is off by less than 1e-9.
fn arc_sine(x: f64) -> f64 {
    if x > 0.4 {
        // sin(a/2) = sqrt((1 - cos a) / 2).
        let cos = (1.0 - x * x).max(0.0).sqrt();
        return 2.0 * arc_sine(((1.0 - cos) / 2.0).sqrt());
    }
    let q = x * x;
    // Coefficients (2n-1)!! / ((2n)!! (2n+1)).
    let series = [
        1.0,
        1.0 / 6.0,
        3.0 / 40.0,
        15.0 / 336.0,
        105.0 / 3_456.0,
        945.0 / 42_240.0,
        10_395.0 / 599_040.0,
        135_135.0 / 9_676_800.0,
        2_027_025.0 / 175_472_640.0,
    ];
    x * series.iter().rev().fold(0.0, |sum, term| sum * q + term)
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
        for x in (0..=10_000).map(|x| f64::from(x) / 10_000.0) {
            assert!((arc_sine(x) - x.asin()).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let berlin = at(52.52, 13.4);
        // Great-circle distances, to a kilometre.
        for (place, km) in [
            (at(50.11, 8.68), 423),
            (at(39.04, -77.49), 6_727),
            (at(1.29, 103.85), 9_924),
        ] {
            let metres = metres(berlin, place);
            assert!(metres.abs_diff(km * 1_000) < 1_000, "{metres} m, {km} km");
        }
        assert_eq!(metres(berlin, berlin), 0);
        assert_eq!(
            metres(at(0.0, 0.0), at(0.0, 180.0)) / 1_000,
            20_015,
            "half around"
        );
        assert!(metres(at(0.0, 179.0), at(0.0, -179.0)) < metres(at(0.0, 179.0), at(0.0, 170.0)));
    }

    #[test]
    fn a_bias_bends_distances_as_in_route_53() {
        let bend = |points| biased(1_000, Bias::new(points).unwrap());
        assert_eq!(bend(0), 1_000);
        assert_eq!((bend(25), bend(99)), (750, 10));
        assert_eq!((bend(-50), bend(-99)), (2_000, 100_000));
    }
}
