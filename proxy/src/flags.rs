//! Why a response is not simply the backend's: Envoy's response flags, and CF of our own.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use windrose_telemetry::{StreamEvent, TcpEvent};

use crate::names::X_WINDROSE_FLAGS;

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(u32);

impl Flags {
    /// As it should be.
    pub(crate) const NONE: Self = Self(0);
    /// No host or app for the request.
    pub(crate) const NO_ROUTE: Self = Self(1);
    /// No endpoint to try.
    pub(crate) const NO_ENDPOINT: Self = Self(1 << 1);
    /// No connection could be made.
    pub(crate) const CONNECT_FAILURE: Self = Self(1 << 2);
    /// A backend was too slow.
    pub(crate) const TIMEOUT: Self = Self(1 << 3);
    /// A backend closed or reset before its response head.
    pub(crate) const CLOSED: Self = Self(1 << 4);
    /// A backend sent what is no HTTP.
    pub(crate) const PROTOCOL: Self = Self(1 << 5);
    /// A further attempt was refused by the budget or the limit of attempts.
    pub(crate) const RETRY_LIMIT: Self = Self(1 << 6);
    /// The whole-request timeout ran out.
    pub(crate) const DURATION: Self = Self(1 << 7);
    /// The client's body stopped moving.
    pub(crate) const STREAM_IDLE: Self = Self(1 << 8);
    /// The request is not acceptable HTTP.
    pub(crate) const BAD_REQUEST: Self = Self(1 << 9);
    /// Another cluster than the first choice was tried.
    pub(crate) const OTHER_CLUSTER: Self = Self(1 << 10);
    /// The client left before the end of its exchange.
    pub(crate) const CLIENT_GONE: Self = Self(1 << 11);

    /// Beyond a rate limit.
    pub(crate) const RATE_LIMITED: Self = Self(1 << 12);

    /// No room: there are as many as there may be.
    pub(crate) const OVERFLOW: Self = Self(1 << 13);
    /// Ended by this node: it stopped, or the app wants no stream to an endpoint that is down.
    pub(crate) const ENDED_HERE: Self = Self(1 << 14);

    /// An attempt waited on purpose.
    pub(crate) const DELAY_INJECTED: Self = Self(1 << 15);
    /// An attempt was answered here, or broke off, on purpose.
    pub(crate) const FAULT_INJECTED: Self = Self(1 << 16);

    /// Another place, or a response of the configuration, stood in for what nobody could serve.
    pub(crate) const FELL_BACK: Self = Self(1 << 17);

    /// A second try beside the first has answered.
    pub(crate) const HEDGED: Self = Self(1 << 18);

    /// The node is overloaded.
    pub(crate) const OVERLOADED: Self = Self(1 << 19);

    const NAMES: [&str; 20] = [
        "NR", "UH", "UF", "UT", "UC", "UPE", "URX", "DT", "SI", "DPE", "CF", "DC", "RL", "UO",
        "LR", "DI", "FI", "FB", "HG", "OM",
    ];

    /// Of a stream that ended so.
    pub(crate) const fn of_end(end: StreamEvent) -> Self {
        match end {
            StreamEvent::ClientReset => Self::CLIENT_GONE,
            StreamEvent::UpstreamReset => Self::CLOSED,
            StreamEvent::Idle => Self::STREAM_IDLE,
            StreamEvent::Duration => Self::DURATION,
            StreamEvent::Stopped | StreamEvent::EndpointDown => Self::ENDED_HERE,
            _ => Self::NONE,
        }
    }

    /// Of a TCP connection that reached no endpoint.
    pub(crate) const fn of_rejection(why: TcpEvent) -> Self {
        match why {
            TcpEvent::NoApp | TcpEvent::UnknownName => Self::NO_ROUTE,
            TcpEvent::MalformedHello | TcpEvent::NoHeader => Self::BAD_REQUEST,
            TcpEvent::HelloTimeout => Self::STREAM_IDLE,
            TcpEvent::ClientGone => Self::CLIENT_GONE,
            TcpEvent::Limit => Self::OVERFLOW,
            TcpEvent::NoEndpoint => Self::NO_ENDPOINT,
            TcpEvent::Unreachable => Self::CONNECT_FAILURE,
        }
    }

    /// Whether all of the other set are in it.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Says them in a header field, if there are any.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if self != Self::NONE
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(self.to_string()))
        {
            headers.insert(X_WINDROSE_FLAGS, value);
        }
    }

    /// Both sets.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0);
        for (n, (_, name)) in set.enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_listed_with_commas() {
        let flags = Flags::CONNECT_FAILURE.and(Flags::OTHER_CLUSTER);
        assert_eq!(flags.to_string(), "UF,CF");
        assert_eq!(Flags::default().to_string(), "");
    }
}
