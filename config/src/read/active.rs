//! One version for all, and a preview of another.

use std::collections::BTreeMap;

use windrose_model::{Name, Preview, Split, Version, Weight};

use super::{Found, refuse, route, single, value};
use crate::scalar;
use crate::tree::Node;

/// The split of an app with one active version.
pub(super) fn split(active: &Node) -> Split {
    let name = single(active, scalar::name);
    Split(name.map(|name| (name, Weight::ONE)).into_iter().collect())
}

/// Its preview; of two versions that of the idle one.
pub(super) fn preview(
    app: &Name,
    node: &Node,
    split: &Split,
    versions: &BTreeMap<Name, Version>,
    found: &mut Found,
) -> Option<Preview> {
    let mut idle = versions.keys().filter(|name| !split.0.contains_key(*name));
    let written = value(node, "version", scalar::name);
    let Some(version) = written.or_else(|| match (idle.next(), idle.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }) else {
        found.invalid.push(refuse(
            "preview-without-version",
            &["apps", app.as_str(), "preview"],
            format!("which version does the preview of app `{app}` show?"),
            Some("write `version`; it may be left out where `active` leaves one other".to_owned()),
        ));
        return None;
    };
    Some(Preview {
        version,
        hosts: found.list(node.get("hosts"), |_, host| single(host, scalar::host)),
        headers: route::headers(node),
    })
}
