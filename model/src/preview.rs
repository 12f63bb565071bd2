//! Who sees the version that nobody else sees yet.

use http::HeaderName;

use crate::{HostPattern, Name, TextMatch};

/// Requests that get another version than the app's split has for them. Routes with a split of their
/// own are as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Preview {
    /// Which.
    pub version: Name,
    /// Those for these hosts, which are hosts of the app or lie below a wildcard of it.
    pub hosts: Vec<HostPattern>,
    /// Those with all of these fields; empty: no others.
    pub headers: Vec<(HeaderName, TextMatch)>,
}
