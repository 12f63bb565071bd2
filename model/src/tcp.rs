//! How an app takes TCP connections, unread or by the name in their ClientHello.

use std::time::Duration;

use crate::Name;

/// Connections of a listener that belong to an app. Such an app is not served over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tcp {
    /// The name of the listener.
    pub listener: Name,
    /// Only connections whose TLS ClientHello names one of the app's hosts (RFC 6066 section 3);
    /// without, all that are no other app's. At most one app of a listener is without.
    pub sni: bool,
    /// Open connections on a node; 0 is no limit but the node's.
    pub max_connections: u32,
    /// Of a connection; zero is no limit.
    pub max_duration: Duration,
    /// What becomes of established connections to an endpoint that is down or gone.
    pub when_endpoint_down: WhenEndpointDown,
}

/// What becomes of established connections to an endpoint that is down or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenEndpointDown {
    /// They stay, as long as both sides keep them.
    #[default]
    Keep,
    /// They are closed within about a second.
    Close,
}

impl Tcp {
    /// All connections of a listener, without limits.
    pub fn all_of(listener: Name) -> Self {
        Self {
            listener,
            sni: false,
            max_connections: 0,
            max_duration: Duration::ZERO,
            when_endpoint_down: WhenEndpointDown::Keep,
        }
    }
}
