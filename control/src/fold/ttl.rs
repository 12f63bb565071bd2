//! The TTL of steered answers, derived from how soon a verdict could change (as gdnsd does).

use std::time::Duration;

use windrose_model::{App, Ttl};

use crate::probe::Check;

/// No derived TTL is halved below this, unless the band begins lower.
const LEAST: u32 = 5;

/// The shortest time in which a verdict could change, clamped to the app's band; halved while a
/// member is down, because then a change is what one waits for.
pub(super) fn derived(app: &App, member_down: bool) -> Ttl {
    let health = &app.health;
    let (fall, rise) = (u32::from(health.fall.max(1)), u32::from(health.rise.max(1)));
    let hurried = Check::hurry(health.interval);
    let falling = health.interval + health.timeout + (hurried + health.timeout) * (fall - 1);
    let rising = health.interval * rise;
    let soonest = if member_down {
        falling.min(rising)
    } else {
        falling
    };
    let (min, max) = (app.ttl.min.seconds(), app.ttl.max.seconds());
    let ttl = Ttl::from_duration(soonest)
        .seconds()
        .clamp(min, max.max(min));
    let ttl = if member_down {
        ttl.div_ceil(2).max(min.min(LEAST))
    } else {
        ttl
    };
    Ttl::from_duration(Duration::from_secs(ttl.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::{HealthCheck, Split, TtlBand};

    fn check(interval: u64, band: (u32, u32), member_down: bool, expected: u32) {
        let mut app = App::new(Vec::new(), [].into(), Split([].into()));
        app.health = HealthCheck {
            interval: Duration::from_secs(interval),
            ..HealthCheck::default()
        };
        app.ttl = TtlBand {
            min: Ttl::new(band.0).unwrap(),
            max: Ttl::new(band.1).unwrap(),
        };
        let ttl = derived(&app, member_down).seconds();
        assert_eq!(ttl, expected, "{interval} s in {band:?}, {member_down}");
    }

    #[test]
    fn a_ttl_is_the_time_until_a_black_hole_would_be_noticed() {
        check(5, (1, 300), false, 5 + 2 + 1 + 2 + 1 + 2);
        check(30, (1, 300), false, 38);
    }

    #[test]
    fn a_ttl_stays_in_its_band() {
        check(5, (30, 60), false, 30);
        check(600, (30, 60), false, 60);
    }

    #[test]
    fn a_ttl_is_halved_while_a_member_is_down() {
        check(5, (30, 60), true, 15);
        check(5, (6, 60), true, 7);
        check(5, (8, 8), true, 5);
        check(5, (2, 4), true, 2);
    }
}
