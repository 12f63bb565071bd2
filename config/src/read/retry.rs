//! Retries.

use std::time::Duration;

use windrose_model::{BackOff, Hedge, Retry, RetryBudget, RetryOn};

use super::app::{duration, percent};
use super::{Found, number, single};
use crate::scalar::{self, RetryCause};
use crate::tree::Node;

pub(super) fn read(node: &Node, defaults: &Retry, found: &mut Found) -> Retry {
    Retry {
        attempts: number(node, "attempts", defaults.attempts),
        on: match node.get("on") {
            Some(list) => on(list, found),
            None => defaults.on.clone(),
        },
        back_off: match node.get("back_off") {
            Some(node) => back_off(node, defaults.back_off),
            None => defaults.back_off,
        },
        retry_after: duration(node, "retry_after", defaults.retry_after),
    }
}

pub(super) fn hedge(node: &Node) -> Hedge {
    Hedge {
        // Needed, so the table has refused a node without it.
        after: duration(node, "after", Duration::from_secs(1)),
    }
}

pub(super) fn budget(node: &Node) -> RetryBudget {
    let defaults = RetryBudget::default();
    RetryBudget {
        share: percent(node, "budget", defaults.share),
        min_per_second: number(node, "min_per_second", defaults.min_per_second),
    }
}

pub(super) fn on(list: &Node, found: &mut Found) -> RetryOn {
    let causes: Vec<RetryCause> =
        found.list(Some(list), |_, item| single(item, scalar::retry_cause));
    let statuses = causes.iter().filter_map(|cause| match cause {
        RetryCause::Status(range) => Some(*range),
        _ => None,
    });
    RetryOn {
        reset: causes.contains(&RetryCause::Reset),
        timeout: causes.contains(&RetryCause::Timeout),
        statuses: statuses.collect(),
    }
}

fn back_off(node: &Node, defaults: BackOff) -> BackOff {
    let base = duration(node, "base", defaults.base);
    BackOff {
        base,
        // A base that is longer than the usual bound was meant.
        max: duration(node, "max", defaults.max.max(base)),
    }
}
