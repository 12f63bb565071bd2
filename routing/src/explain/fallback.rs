//! What stands in for a request that no cluster may take, told.

use windrose_model::Fallback;

use super::placed::{Placed, at, placed};
use crate::steering::View;
use crate::table::AppEntry;

/// The version and place that are tried instead, or else the status of the answer.
pub(super) fn told(
    entry: &AppEntry,
    fallback: &Fallback,
    (view, version): (View, u8),
    keys: (u64, Option<u64>),
    steps: &mut Vec<String>,
) -> (Option<(String, Placed)>, Option<u16>) {
    if let Some(place) = &fallback.elsewhere {
        steps.push(format!("it falls back to {place}"));
        let other = match entry.falls_to(view, version, place) {
            None => None,
            Some((version, None)) => {
                Some((version, placed(entry, view, version, keys, None, steps)))
            }
            Some((version, Some(cluster))) => {
                Some((version, at(entry, version, (cluster, keys.1), steps)))
            }
        };
        if let Some((version, other)) = other
            && other.cluster.is_some()
        {
            let name = &entry.plan.versions[usize::from(version)].name;
            return (Some((name.to_string(), other)), None);
        }
        steps.push("which may not take it either".to_owned());
    }
    let status = fallback.respond.as_ref().map(|r| r.status.as_u16());
    if let Some(status) = status {
        steps.push(format!("it falls back to an answer of Windrose: {status}"));
    }
    (None, Some(status.unwrap_or(503)))
}
