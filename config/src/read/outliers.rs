//! Outlier ejection.

use windrose_model::Outliers;

use super::app::{duration, percent};
use super::{number, value};
use crate::scalar;
use crate::tree::Node;

pub(super) fn read(node: &Node) -> Outliers {
    let defaults = Outliers::default();
    Outliers {
        consecutive: number(node, "consecutive", defaults.consecutive),
        success_rate: value(node, "success_rate", scalar::fraction)
            .unwrap_or(defaults.success_rate),
        window: duration(node, "window", defaults.window),
        min_requests: number(node, "min_requests", defaults.min_requests),
        base: duration(node, "base", defaults.base),
        // A base that is longer than the default bound was meant.
        max: duration(
            node,
            "max",
            defaults.max.max(duration(node, "base", defaults.base)),
        ),
        max_share: percent(node, "max_share", defaults.max_share),
        restore_on_check: value(node, "restore_on_check", scalar::boolean)
            .unwrap_or(defaults.restore_on_check),
    }
}
