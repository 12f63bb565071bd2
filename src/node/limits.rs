//! The process's limit of file descriptors: every connection and every probe under way holds one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Beyond this nobody asks for more, and some systems have "unlimited".
const MOST: u64 = 1 << 20;

/// Raises the soft limit to the hard one; what it is then. Shells begin with 1,024.
pub(crate) fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1_024;
    };
    let wanted = hard.min(MOST);
    if wanted <= soft {
        return soft;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(e) => {
            tracing::warn!("file descriptors stay at {soft}: {e}");
            soft
        }
    }
}
