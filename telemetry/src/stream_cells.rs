//! What is counted of byte streams by group (app, version, cluster): tunnels after an upgrade, and
//! TCP connections.

/// Which streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// HTTP connections that switched protocols.
    Tunnel,
    /// Connections of TCP listeners.
    Tcp,
}

/// What a proxy thread counts of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent {
    /// It began.
    Opened,
    /// Octets that the endpoint was sent.
    FromClient,
    /// Octets that the client was sent.
    ToClient,
    /// Ended: both sides closed.
    Closed,
    /// Ended: the client reset it.
    ClientReset,
    /// Ended: the endpoint reset it.
    UpstreamReset,
    /// Ended: nothing moved for too long.
    Idle,
    /// Ended: it had lasted as long as it may.
    Duration,
    /// Ended: the node stopped.
    Stopped,
    /// Ended: its endpoint is down or gone, and the app wants no such stream.
    EndpointDown,
}

impl StreamKind {
    /// How many there are.
    pub const COUNT: u32 = 2;
}

impl StreamEvent {
    /// How many there are.
    pub const COUNT: u32 = 10;

    /// How a stream may end, with its label.
    pub const ENDS: [(Self, &'static str); 7] = [
        (Self::Closed, "closed"),
        (Self::ClientReset, "client_reset"),
        (Self::UpstreamReset, "upstream_reset"),
        (Self::Idle, "idle"),
        (Self::Duration, "duration"),
        (Self::Stopped, "stopped"),
        (Self::EndpointDown, "endpoint_down"),
    ];

    /// The label of an end; `None` of what is none.
    pub fn end(self) -> Option<&'static str> {
        let mut ends = Self::ENDS.iter();
        ends.find(|(end, _)| *end == self).map(|(_, label)| *label)
    }
}

/// The cell of an event.
#[inline]
pub const fn stream_cell(kind: StreamKind, event: StreamEvent) -> u32 {
    kind as u32 * StreamEvent::COUNT + event as u32
}

/// Why a connection of a TCP listener reached no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpEvent {
    /// No app takes connections of the listener, or none that name nobody.
    NoApp,
    /// The ClientHello asks for a name that no app of the listener has.
    UnknownName,
    /// TLS that could not be read.
    MalformedHello,
    /// A ClientHello that did not arrive in time.
    HelloTimeout,
    /// The client left before it was known where to.
    ClientGone,
    /// The app has as many as it may.
    Limit,
    /// No endpoint to try.
    NoEndpoint,
    /// No endpoint could be connected to.
    Unreachable,
    /// The connection had to begin with a PROXY header, and did not.
    NoHeader,
}

impl TcpEvent {
    /// How many there are.
    pub const COUNT: u32 = 9;

    /// All, with their labels.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::NoApp, "no_app"),
        (Self::UnknownName, "unknown_name"),
        (Self::MalformedHello, "malformed_hello"),
        (Self::HelloTimeout, "hello_timeout"),
        (Self::ClientGone, "client_gone"),
        (Self::Limit, "limit"),
        (Self::NoEndpoint, "no_endpoint"),
        (Self::Unreachable, "unreachable"),
        (Self::NoHeader, "no_proxy_header"),
    ];

    /// Its label.
    pub const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}
