//! What each cell of the bank of PROXY headers means.

/// How the header of a trusted peer's connection turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// Version 1, with the client's address.
    Version1,
    /// Version 2, with the client's address.
    Version2,
    /// Without one: the connection is the peer's own.
    Local,
    /// The first octets are no header; the connection was closed, as in all that follow.
    Missing,
    /// A header that cannot be read.
    Malformed,
    /// A header whose checksum is wrong.
    Checksum,
    /// A header that did not arrive in time.
    Timeout,
    /// The peer left before its header was whole.
    Closed,
}

impl ProxyHeader {
    /// All, in order of their cells.
    pub const ALL: [Self; 8] = [
        Self::Version1,
        Self::Version2,
        Self::Local,
        Self::Missing,
        Self::Malformed,
        Self::Checksum,
        Self::Timeout,
        Self::Closed,
    ];

    /// As in the label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version1 => "v1",
            Self::Version2 => "v2",
            Self::Local => "local",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
        }
    }
}
