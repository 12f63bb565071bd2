//! Requests that get a version which nobody else gets. HOT.

use http::HeaderMap;
use windrose_model::{App, DnsName, Name, Preview};

use super::request::joined_field;

/// A preview, compiled.
pub(super) struct Previewed {
    version: u8,
    exact: Box<[Box<str>]>,
    /// What stands behind the `*` of a wildcard, with its dot.
    below: Box<[Box<str>]>,
}

impl Previewed {
    pub(super) fn build(preview: &Preview, versions: &[&Name]) -> Option<Self> {
        let version = versions.iter().position(|v| **v == preview.version)?;
        let (below, exact): (Vec<_>, Vec<_>) =
            preview.hosts.iter().partition(|host| host.is_wildcard());
        let texts = |hosts: Vec<&DnsName>| -> Box<[Box<str>]> {
            let texts = hosts.into_iter().map(ToString::to_string);
            texts
                .map(|text| text.trim_start_matches('*').into())
                .collect()
        };
        Some(Self {
            version: u8::try_from(version).ok()?,
            exact: texts(exact),
            below: texts(below),
        })
    }

    /// The version of a request, if it is a preview.
    pub(super) fn find(&self, app: &App, host: &str, headers: &HeaderMap) -> Option<u8> {
        let preview = app.preview.as_ref()?;
        let by_host = self.exact.iter().any(|own| **own == *host)
            || self.below.iter().any(|end| host.ends_with(&**end));
        let by_headers = || {
            let mut wanted = preview.headers.iter();
            !preview.headers.is_empty()
                && wanted.all(|(name, wanted)| {
                    joined_field(headers, name).is_some_and(|value| wanted.is_match(&value))
                })
        };
        (by_host || by_headers()).then_some(self.version)
    }
}
