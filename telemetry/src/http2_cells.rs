//! What each cell of the bank of HTTP/2 means.

/// Something that happened on a client connection that speaks HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2Event {
    /// Such a connection began.
    Connection,
    /// A stream began.
    Stream,
    /// The client reset a stream, or left it open when its connection ended.
    ClientReset,
    /// We reset one whose client took too little of its response for too long.
    WindowReset,
    /// We reset one whose response did not come whole from its backend.
    BackendReset,
    /// A connection was ended because the node stops.
    GoAwayStop,
    /// One that had no stream for long.
    GoAwayIdle,
    /// One whose client sent too many frames that do nothing.
    GoAwayFrames,
    /// One whose client reset too many streams.
    GoAwayResets,
    /// One with a frame or head that did not become whole in time.
    GoAwayHead,
    /// One whose client did not read.
    GoAwayWindow,
    /// One whose client broke a rule of the protocol, or exceeded a bound of the engine.
    GoAwayFault,
    /// A backend gave back a request unprocessed.
    Unprocessed,
    /// A connection was ended because the node is overloaded.
    GoAwayOverload,
}

impl Http2Event {
    /// How many there are.
    pub const COUNT: u32 = 14;
    /// Resets of streams, as in the label `by`.
    pub const RESETS: [(Self, &'static str); 3] = [
        (Self::ClientReset, "client"),
        (Self::WindowReset, "window_timeout"),
        (Self::BackendReset, "upstream"),
    ];
    /// Ends of connections, as in the label `reason`.
    pub const GO_AWAYS: [(Self, &'static str); 8] = [
        (Self::GoAwayStop, "stop"),
        (Self::GoAwayIdle, "idle"),
        (Self::GoAwayFrames, "frames"),
        (Self::GoAwayResets, "resets"),
        (Self::GoAwayHead, "head_timeout"),
        (Self::GoAwayWindow, "window_timeout"),
        (Self::GoAwayFault, "protocol"),
        (Self::GoAwayOverload, "overload"),
    ];
}
