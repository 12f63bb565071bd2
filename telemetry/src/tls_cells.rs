//! What each cell of the handshake banks means.

/// Cells of handshakes that succeeded: version and resumption.
pub const HANDSHAKE_CELLS: u32 = 4;

/// The cell of a handshake.
#[inline]
pub const fn handshake_cell(tls13: bool, resumed: bool) -> u32 {
    tls13 as u32 * 2 + resumed as u32
}

/// Labels of a cell: version, resumed.
pub const fn handshake_labels(cell: u32) -> (&'static str, &'static str) {
    match cell {
        0 => ("1.2", "false"),
        1 => ("1.2", "true"),
        2 => ("1.3", "false"),
        _ => ("1.3", "true"),
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// Not through in time.
    Timeout,
    /// The client left.
    Closed,
    /// No certificate for the host it names.
    NoCertificate,
    /// The host's settings changed that moment.
    NoPolicy,
    /// No version in common.
    Version,
    /// No cipher suite, group, signature or protocol in common.
    Parameters,
    /// The client had to show a certificate and did not.
    ClientCertificateMissing,
    /// The client's certificate is not trusted.
    ClientCertificate,
    /// The client does not trust our certificate.
    Distrusted,
    /// The client refused for another reason.
    Alert,
    /// No TLS.
    Garbage,
}

impl HandshakeFailure {
    /// All, in order of their cells.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Closed,
        Self::NoCertificate,
        Self::NoPolicy,
        Self::Version,
        Self::Parameters,
        Self::ClientCertificateMissing,
        Self::ClientCertificate,
        Self::Distrusted,
        Self::Alert,
        Self::Garbage,
    ];

    /// As in the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::NoCertificate => "no_certificate",
            Self::NoPolicy => "no_policy",
            Self::Version => "version",
            Self::Parameters => "parameters",
            Self::ClientCertificateMissing => "client_certificate_missing",
            Self::ClientCertificate => "client_certificate",
            Self::Distrusted => "distrusted",
            Self::Alert => "alert",
            Self::Garbage => "garbage",
        }
    }
}

/// Why there is no TLS to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointTlsFailure {
    /// Not through in time.
    Timeout,
    /// The endpoint closed.
    Closed,
    /// No trusted authority signed its certificate.
    Untrusted,
    /// Its certificate is for other names.
    Name,
    /// Its certificate has expired, or is not valid yet.
    Expired,
    /// It wants another certificate of us, or any.
    ClientCertificate,
    /// No version, cipher suite or group in common.
    Version,
    /// It does not speak HTTP/2, which is asked for.
    Protocol,
    /// It refused for another reason.
    Alert,
    /// No TLS.
    Garbage,
    /// The settings changed that moment.
    NoPolicy,
}

impl EndpointTlsFailure {
    /// All, in order of their cells.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Closed,
        Self::Untrusted,
        Self::Name,
        Self::Expired,
        Self::ClientCertificate,
        Self::Version,
        Self::Protocol,
        Self::Alert,
        Self::Garbage,
        Self::NoPolicy,
    ];

    /// As in the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Untrusted => "untrusted",
            Self::Name => "name",
            Self::Expired => "expired",
            Self::ClientCertificate => "client_certificate",
            Self::Version => "version",
            Self::Protocol => "protocol",
            Self::Alert => "alert",
            Self::Garbage => "garbage",
            Self::NoPolicy => "no_policy",
        }
    }
}
