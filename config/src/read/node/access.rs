//! `node.http.log`.

use windrose_model::Percent;

use super::super::{Found, number, value};
use super::defence;
use crate::node::AccessLog;
use crate::problem::Problem;
use crate::scalar;
use crate::tree::Node;

/// `None` when it does not say where to, which the language asks for.
pub(super) fn log(node: &Node, found: &mut Found) -> Option<AccessLog> {
    let defaults = AccessLog::new(defence::log_target(node)?);
    let flag = |key, otherwise| match node.get(key).and_then(Node::text) {
        Some("true") => true,
        Some("false") => false,
        _ => otherwise,
    };
    let log = AccessLog {
        sample: value(node, "sample", scalar::fraction).unwrap_or(defaults.sample),
        errors: flag("errors", defaults.errors),
        query: flag("query", defaults.query),
        per_second: number(node, "per_second", defaults.per_second),
        max_bytes: value(node, "max_bytes", scalar::size).unwrap_or(defaults.max_bytes),
        keep: number(node, "keep", defaults.keep),
        to: defaults.to,
    };
    if log.sample == Percent::ZERO && !log.errors {
        let message = "this log would write nothing: `sample` is 0 and `errors` is false";
        let problem = Problem::error("bad-sample", node.span, message.to_owned())
            .help("take `log` out to write none");
        found.problems.push(problem);
    }
    Some(log)
}
