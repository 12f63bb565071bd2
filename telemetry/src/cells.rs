//! What each cell of a slot means: response codes, duration buckets, DNS rcodes, events.

use std::time::Duration;

/// Cells for DNS response codes: the four bits of the header (RFC 1035 section 4.1.1), of which the
/// last two, that nobody has, stand for BADVERS and BADCOOKIE.
pub const RCODES: u32 = 16;

/// The cell of a response code, extended ones included (RFC 6891 section 6.1.3).
#[inline]
pub const fn rcode_cell(rcode: u8) -> u32 {
    match rcode {
        0..=13 => rcode as u32,
        16 => BADVERS,
        23 => BADCOOKIE,
        _ => 13,
    }
}

const BADVERS: u32 = 14;
const BADCOOKIE: u32 = 15;

/// The label of a response code, as people write it (IANA DNS RCODEs).
pub const fn rcode_label(cell: u32) -> &'static str {
    match cell {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        BADVERS => "BADVERS",
        BADCOOKIE => "BADCOOKIE",
        _ => "OTHER",
    }
}

/// Labels of HTTP code cells: usual codes by number, the rest by class, so that label sets stay
/// bounded whatever a backend sends. 499 is a client that left first.
pub const CODES: [&str; 32] = [
    "other", "1xx", "2xx", "3xx", "4xx", "5xx", "200", "201", "202", "204", "206", "301", "302",
    "304", "307", "308", "400", "401", "403", "404", "405", "408", "409", "413", "422", "429",
    "431", "499", "500", "502", "503", "504",
];

/// The cell of an HTTP status code.
#[inline]
pub const fn code_cell(status: u16) -> u32 {
    if status < 600 {
        CELL_BY_STATUS[status as usize] as u32
    } else {
        0
    }
}

/// The label of a code cell.
pub fn code_label(cell: u32) -> &'static str {
    CODES.get(cell as usize).copied().unwrap_or("other")
}

const CELL_BY_STATUS: [u8; 600] = {
    let mut cells = [0; 600];
    let mut status = 100;
    while status < 600 {
        cells[status] = (status / 100) as u8;
        status += 1;
    }
    let mut cell = 6;
    while cell < CODES.len() {
        let digits = CODES[cell].as_bytes();
        let mut status = 0;
        let mut i = 0;
        while i < digits.len() {
            status = status * 10 + (digits[i] - b'0') as usize;
            i += 1;
        }
        cells[status] = cell as u8;
        cell += 1;
    }
    cells
};

/// Upper bounds of the duration buckets, inclusive.
pub const BUCKET_SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const BUCKET_MICROS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Cells of a duration: one per bucket, one for what is longer, and [`SUM_CELL`]. The count is the
/// sum of the buckets.
pub const DURATION_CELLS: u32 = BUCKET_SECONDS.len() as u32 + 2;

/// The cell that sums microseconds.
pub const SUM_CELL: u32 = DURATION_CELLS - 1;

/// The bucket cell of a duration in microseconds.
#[inline]
pub fn bucket_cell(micros: u64) -> u32 {
    BUCKET_MICROS
        .iter()
        .map(|bound| u32::from(micros > *bound))
        .sum()
}

/// Microseconds of a duration, as the duration cells want them.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a DNS thread counts for the whole node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsEvent {
    /// A packet that gets no answer: too short for a header, a response, or from port 0.
    Dropped,
    /// An answer that did not fit and told the client to come by TCP.
    Truncated,
    /// A TCP connection accepted.
    TcpConnection,
    /// A datagram the system did not take.
    SendFailed,
}

impl DnsEvent {
    /// How many there are.
    pub const COUNT: u32 = 4;
}

/// What rate limits of an app did, as in the label `result`: a request was refused; one would have
/// been by a limit that only counts; one passed because there was no room to count it.
pub const RATE_LIMITED: [&str; 3] = ["refused", "would_refuse", "untracked"];

/// What stood in for what nobody could serve, as in the label `to`: another try elsewhere; a response
/// of the configuration.
pub const FALLBACKS: [&str; 2] = ["elsewhere", "response"];

/// The cell of a response of the configuration.
pub const FELL_TO_RESPONSE: u32 = 1;
/// The cell of another try elsewhere.
pub const FELL_ELSEWHERE: u32 = 0;

/// What became of second tries beside the first, as in the label `result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedged {
    /// Its response was taken, and the first try reset.
    Won,
    /// The first try answered first, and it was reset.
    Lost,
    /// It got no good response.
    Failed,
    /// It was not made: the retry budget had no room.
    Refused,
}

impl Hedged {
    /// In order of their cells.
    pub const ALL: [Self; 4] = [Self::Won, Self::Lost, Self::Failed, Self::Refused];

    /// As in the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// What became of a copy for a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirrored {
    /// Answered with 1xx or 2xx.
    Success,
    /// Answered with 3xx.
    Redirect,
    /// Answered with 4xx.
    ClientError,
    /// Answered with 5xx.
    ServerError,
    /// Not connected, or closed before a response.
    Failed,
    /// Not answered in its time.
    Timeout,
    /// Not made: its body is longer than a mirror copies.
    Body,
    /// Not made: as many as may be are under way.
    InFlight,
    /// Not made: no endpoint of the version is up.
    NoEndpoint,
    /// Not made: the request itself broke off.
    BrokenOff,
}

impl Mirrored {
    /// In order of their cells.
    pub const ALL: [Self; 10] = [
        Self::Success,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::Failed,
        Self::Timeout,
        Self::Body,
        Self::InFlight,
        Self::NoEndpoint,
        Self::BrokenOff,
    ];

    /// Of an answer.
    pub const fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::Redirect,
            400..=499 => Self::ClientError,
            500.. => Self::ServerError,
            _ => Self::Success,
        }
    }

    /// As in the label `result` of those that went, or `reason` of those that did not.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Body => "body",
            Self::InFlight => "in_flight",
            Self::NoEndpoint => "no_endpoint",
            Self::BrokenOff => "broken_off",
        }
    }

    /// Whether it was sent, or tried to be.
    pub const fn went(self) -> bool {
        (self as u32) < Self::Body as u32
    }
}

/// What a proxy thread counts for the whole node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpEvent {
    /// A client connection accepted.
    ClientConnection,
    /// Client connections open now: add 1, later add [`u64::MAX`].
    ClientsOpen,
    /// A connection to an endpoint opened.
    UpstreamConnection,
    /// Connections to endpoints open now: add 1, later add [`u64::MAX`].
    UpstreamsOpen,
    /// A request refused before it had an app: a malformed or oversized head.
    BadRequest,
    /// A request head that did not arrive in time.
    HeadTimeout,
    /// A request for a host that no app has.
    NoApp,
    /// A request for which no endpoint was left.
    NoEndpoint,
    /// A client that left before its response was whole.
    ClientGone,
    /// A response that broke off after its head was sent.
    BrokenResponse,
    /// A request for a host that its TLS connection is not for.
    Misdirected,
    /// A request in the clear that was sent to HTTPS.
    HttpsOnly,
    /// A request in the clear for an app that wants certificates of its clients.
    CertificateNeeded,
    /// A preflight that a route answered.
    Preflight,
    /// A redirect by a route.
    Redirect,
    /// A direct response of a route.
    DirectResponse,
    /// A request whose body is larger than its route allows, refused before anything was forwarded.
    BodyTooLarge,
    /// A field of a request left out because of an underscore in its name.
    UnderscoredField,
    /// A request refused because the node is overloaded.
    Overloaded,
}

impl HttpEvent {
    /// How many there are.
    pub const COUNT: u32 = 19;
}

/// What a proxy thread counts per group (app, version, cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupEvent {
    /// A further attempt after this group failed one.
    Retry,
    /// A request that this group could not serve and that went to another cluster.
    MovedCluster,
    /// A connection that could not be made.
    ConnectFailure,
    /// A further attempt that the retry budget refused.
    RetryRefused,
}

impl GroupEvent {
    /// How many there are.
    pub const COUNT: u32 = 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_code_has_its_own_cell_and_the_rest_their_class() {
        for (status, label) in [
            (200, "200"),
            (504, "504"),
            (299, "2xx"),
            (418, "4xx"),
            (101, "1xx"),
            (599, "5xx"),
            (99, "other"),
            (600, "other"),
            (u16::MAX, "other"),
        ] {
            assert_eq!(code_label(code_cell(status)), label, "status {status}");
        }
    }

    #[test]
    fn bucket_bounds_are_inclusive() {
        assert_eq!(bucket_cell(0), 0);
        assert_eq!(bucket_cell(1_000), 0);
        assert_eq!(bucket_cell(1_001), 1);
        assert_eq!(bucket_cell(10_000_000), 12);
        assert_eq!(bucket_cell(u64::MAX), 13);
        assert_eq!(SUM_CELL, 14);
        for (seconds, micros) in BUCKET_SECONDS.iter().zip(BUCKET_MICROS) {
            assert!((seconds * 1e6 - micros as f64).abs() < 1e-6);
        }
    }
}
