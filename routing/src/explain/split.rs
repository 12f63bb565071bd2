//! Why a request has its version.

use std::net::IpAddr;

use http::HeaderMap;
use windrose_model::{Name, SplitKey};

use crate::routes::{RouteId, user};
use crate::table::AppEntry;

/// As much of a value is told as somebody reads.
const SHOWN: usize = 60;

/// Tells how the version is chosen, and which it is.
pub(super) fn tell(
    entry: &AppEntry,
    route: RouteId,
    headers: &HeaderMap,
    client: IpAddr,
    draw: u64,
    steps: &mut Vec<String>,
) -> u8 {
    let plan = &entry.plan;
    let name = |version: u8| {
        let version = plan.versions.get(usize::from(version));
        version.map_or("", |version| version.name.as_str())
    };
    let weights = plan.routes.weights(route);
    let shares: Vec<_> = (weights.iter())
        .map(|(version, weight, total)| format!("{} {weight}/{total}", name(*version)))
        .collect();
    let shares = shares.join(", ");
    let Some(by) = entry.split_by(route) else {
        let version = entry.version(route, draw);
        let name = name(version);
        steps.push(format!("split {shares}: this draw takes {name}"));
        return version;
    };
    let Some(user) = user(&by.key, headers, client) else {
        let version = entry.version(route, draw);
        let (key, name) = (&by.key, name(version));
        let then = match key {
            SplitKey::SetCookie(..) => "a new user; this one would have",
            _ => "drawn by chance; this draw takes",
        };
        steps.push(format!(
            "split {shares} by {key}: the request has none, so {then} {name}"
        ));
        return version;
    };
    let point = entry.point_of(by, &user);
    let version = entry.version(route, point);
    let mut from = 0;
    let mut held = (0, 1, 1);
    for (of, weight, total) in weights {
        if of == version {
            held = (from, from + weight, total);
        }
        from += weight;
    }
    let who = match by.key {
        SplitKey::Client { .. } => client.to_string(),
        _ => {
            let text: String = String::from_utf8_lossy(&user).chars().take(SHOWN).collect();
            format!("{text:?}")
        }
    };
    let salt = by.salt.as_deref().unwrap_or(Name::as_str(&plan.name));
    steps.push(format!(
        "split {shares} by {}: {who} with the salt {salt:?} falls at {}, and {} to {} is {}",
        by.key,
        percent(point, 1 << 64),
        percent(held.0, u128::from(held.2)),
        percent(held.1, u128::from(held.2)),
        name(version),
    ));
    version
}

/// With three digits behind the point, rounded down.
fn percent(part: u64, whole: u128) -> String {
    let thousandths = u128::from(part) * 100_000 / whole;
    format!("{}.{:03} %", thousandths / 1_000, thousandths % 1_000)
}
