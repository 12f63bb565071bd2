//! What `--version` says.

/// `-V`.
pub(crate) const SHORT: &str = env!("CARGO_PKG_VERSION");
/// `--version`: version, commit, features.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("WINDROSE_COMMIT"),
    "\nfeatures: none"
);
