//! Fallbacks.

use windrose_model::{Elsewhere, Fallback, RetryOn};

use super::{Found, retry, route, value};
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

pub(super) fn read(node: &Node, sources: &mut Sources, found: &mut Found) -> Fallback {
    let elsewhere = Elsewhere {
        version: value(node, "version", scalar::name),
        cluster: value(node, "cluster", scalar::name),
    };
    Fallback {
        on: match node.get("on") {
            Some(list) => retry::on(list, found),
            None => RetryOn::default(),
        },
        elsewhere: (elsewhere != Elsewhere::default()).then_some(elsewhere),
        respond: (node.get("respond")).map(|node| route::respond(node, sources, found)),
    }
}
