//! Edits of fields and paths.

use http::HeaderMap;
use windrose_model::{HeaderEdits, PathRewrite};

/// No field is named twice, so the order does not matter.
pub(super) fn fields(edits: &HeaderEdits, headers: &mut HeaderMap) {
    for name in &edits.remove {
        headers.remove(name);
    }
    for (name, value) in &edits.set {
        headers.insert(name, value.clone());
    }
    for (name, value) in &edits.add {
        headers.append(name, value.clone());
    }
}

/// A path in place of another, of which `prefix` octets matched.
pub(super) fn path(rewrite: &PathRewrite, path: &str, prefix: u16) -> String {
    rewrite.apply(path, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Gateway API `HTTPPathModifier.replacePrefixMatch`. How a prefix is written, with
    /// a slash at its end or without, does not count.
    #[test]
    fn a_prefix_is_replaced_by_whole_segments() {
        for (asked, matched, new, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/foo", "", "/xyz", "/xyz/foo"),
            ("/", "", "/xyz", "/xyz/"),
        ] {
            let prefix = u16::try_from(matched.len()).unwrap();
            let got = path(&PathRewrite::Prefix(new.into()), asked, prefix);
            assert_eq!(got, expected, "{asked} {matched} {new}");
        }
        assert_eq!(
            path(&PathRewrite::Full("/one".into()), "/full/x", 0),
            "/one"
        );
    }
}
