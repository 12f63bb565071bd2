//! The HTTP and TCP data plane: a listener, an engine and upstream pools per thread, over the Table.
//!
//! An exchange is validate → route → split → choose cluster → pick endpoint → forward (retry) →
//! record; `exchange` reads so. Deliberately absent: verdicts (control's), names of metrics
//! (telemetry's), any wait for control: reports to it go by `try_send`, and what it concludes comes
//! back in the Table.

mod access;
mod announce;
mod announced;
mod attempt;
mod balance;
mod breaker;
mod budget;
mod connection;
mod course;
mod date;
mod dial;
mod download;
mod draw;
mod endpoint_stream;
mod errand;
mod ewma;
mod exchange;
mod fault;
mod filter;
mod flags;
mod forwarded;
mod grpc;
mod handshake;
mod hop;
mod http1;
mod http2;
mod inbound;
mod limit;
mod links;
mod live;
mod mirror;
mod multiplex;
mod names;
mod outlier;
mod overload;
mod pick;
mod pool;
pub mod proxy_protocol;
mod quota;
mod record;
mod refusal;
mod relay;
mod reply;
mod request_id;
mod rounds;
mod secure;
mod serve;
mod settings;
pub mod sni;
mod split;
mod strict;
mod survey;
mod tcp;
mod tunnel;
mod unanswered;
mod underscore;
mod upgrade;
mod upload;
mod upstream;
mod validate;
mod wanted;
mod watch;
mod wire;
mod worker;

pub use access::{AccessLog, AccessSettings};
pub use live::Shared;
pub use overload::{Bounds, watch_overload};
pub use serve::{Listeners, serve};
pub use settings::{Http2, ProxyTrust, Settings};
pub use underscore::Underscores;
