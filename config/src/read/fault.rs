//! Faults.

use windrose_model::{Abort, Delay, Fault, Percent};

use super::route::{code, headers};
use super::{number, value};
use crate::scalar;
use crate::tree::Node;

/// None while it lacks what it needs, which was told.
pub(super) fn read(node: &Node) -> Option<Fault> {
    let delay = node.get("delay").and_then(|node| {
        Some(Delay {
            fixed: value(node, "fixed", scalar::duration)?,
            percent: value(node, "percent", scalar::percent)?,
        })
    });
    let abort = node.get("abort").and_then(|node| {
        Some(Abort {
            status: code(number(node, "status", 0))?,
            percent: value(node, "percent", scalar::percent)?,
        })
    });
    Some(Fault {
        delay,
        abort,
        reset: value(node, "reset", scalar::percent).unwrap_or(Percent::ZERO),
        headers: headers(node),
        cluster: value(node, "cluster", scalar::name),
        until: value(node, "until", scalar::time)?,
    })
}
