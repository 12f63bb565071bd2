//! What stands in for a response that no backend gave, or none that clients should see.

use std::fmt;

use crate::{Name, Respond, RetryOn};

/// What a request gets that could not be served; of an app, or of a route in place of its app's.
///
/// What no cluster could take is covered in any case: no endpoint, no room, no connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fallback {
    /// After what else: no response, one that came too late, or one with such a status.
    pub on: RetryOn,
    /// Where it is tried once more; none: nowhere.
    pub elsewhere: Option<Elsewhere>,
    /// What the client gets in the end; none: what it would have got.
    pub respond: Option<Respond>,
}

/// Another place for a request; at least one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Elsewhere {
    /// A version of the app; none: the one that was drawn.
    pub version: Option<Name>,
    /// A cluster, whatever its health, dial and share, but never behind a fence; none: as steering
    /// has it.
    pub cluster: Option<Name>,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.version, &self.cluster) {
            (Some(version), Some(cluster)) => write!(f, "version {version} in cluster {cluster}"),
            (Some(version), None) => write!(f, "version {version}"),
            (None, Some(cluster)) => write!(f, "cluster {cluster}"),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

impl fmt::Display for Fallback {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "when no cluster can serve")?;
        for cause in self.on.causes() {
            write!(f, ", after {cause}")?;
        }
        f.write_str(": ")?;
        if let Some(elsewhere) = &self.elsewhere {
            write!(f, "{elsewhere}")?;
        }
        if self.elsewhere.is_some() && self.respond.is_some() {
            f.write_str(", then ")?;
        }
        if let Some(respond) = &self.respond {
            let (status, octets) = (respond.status.as_u16(), respond.body.len());
            write!(f, "answered here with {status}, {octets} octets")?;
        }
        Ok(())
    }
}
