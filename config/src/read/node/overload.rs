//! From where on a node refuses.

use super::super::{Found, number, refuse, value};
use crate::node::Overload;
use crate::scalar;
use crate::tree::Node;

pub(super) fn read(node: &Node, found: &mut Found) -> Overload {
    let usual = Overload::default();
    let read = Overload {
        memory: value(node, "memory", scalar::size),
        connections: node
            .get("connections")
            .map(|_| number(node, "connections", 1)),
        lag: value(node, "lag", scalar::duration).unwrap_or(usual.lag),
        keep_alive_off: number(node, "keep_alive_off", usual.keep_alive_off),
        refuse: number(node, "refuse", usual.refuse),
        stop_accepting: number(node, "stop_accepting", usual.stop_accepting),
    };
    let steps = [
        ("refuse", read.keep_alive_off, read.refuse),
        ("stop_accepting", read.refuse, read.stop_accepting),
    ];
    for (key, before, step) in steps {
        if step < before {
            found.invalid.push(refuse(
                "overload-order",
                &["node", "overload", key],
                format!("{key} is {step} percent, below {before}, where the step before it begins"),
                Some("keep_alive_off, refuse and stop_accepting come in this order".to_owned()),
            ));
        }
    }
    read
}
