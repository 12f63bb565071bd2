//! Why a listener could not be opened, in words that name the next move.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dns,
    Http,
    Https,
    Tcp,
    Admin,
}

/// Over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// Named after who is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{kind} listener: {address} ({transport}) is in use by another process")]
    InUse {
        kind: Kind,
        transport: Transport,
        address: SocketAddr,
    },
    #[error("{kind} listener: this user may not bind {address} ({transport})")]
    Denied {
        kind: Kind,
        transport: Transport,
        address: SocketAddr,
    },
    #[error("{kind} listener: {address} is no address of this machine")]
    NotHere { kind: Kind, address: SocketAddr },
    #[error("{kind} listener: cannot open {address} ({transport}): {source}")]
    System {
        kind: Kind,
        transport: Transport,
        address: SocketAddr,
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn new(
        kind: Kind,
        transport: Transport,
        address: SocketAddr,
        source: io::Error,
    ) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse {
                kind,
                transport,
                address,
            },
            io::ErrorKind::PermissionDenied => Self::Denied {
                kind,
                transport,
                address,
            },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { kind, address },
            _ => Self::System {
                kind,
                transport,
                address,
                source,
            },
        }
    }

    /// Stable, for tools.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "port-in-use",
            Self::Denied { .. } => "port-denied",
            Self::NotHere { .. } => "address-not-available",
            Self::System { .. } => "listener-failed",
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::InUse { kind, .. }
            | Self::Denied { kind, .. }
            | Self::NotHere { kind, .. }
            | Self::System { kind, .. } => *kind,
        }
    }

    /// The next move, for a node that runs from a file.
    pub(crate) fn help(&self) -> String {
        let kind = self.kind();
        let or_flag = kind.flag().map(|flag| format!(" or `{flag}`"));
        let instead = format!(
            "set `{}`{} to another address",
            kind.key(),
            or_flag.unwrap_or_default()
        );
        match self {
            Self::InUse { .. } => {
                format!("stop the other process, or {instead} (port 0 chooses a free one)")
            }
            Self::Denied { .. } => format!(
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or {instead}"
            ),
            Self::NotHere { .. } | Self::System { .. } => instead,
        }
    }
}

impl Kind {
    /// Where the configuration says it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Dns => "listeners.dns",
            Self::Http => "listeners.http",
            Self::Https => "listeners.https",
            Self::Tcp => "listeners.tcp",
            Self::Admin => "listeners.admin",
        }
    }

    /// The flag of `run` that overrides it, if there is one.
    pub(crate) fn flag(self) -> Option<&'static str> {
        match self {
            Self::Dns => Some("--listen-dns"),
            Self::Http => Some("--listen-http"),
            Self::Https => Some("--listen-https"),
            Self::Tcp => None,
            Self::Admin => Some("--listen-admin"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Admin => "admin",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}
