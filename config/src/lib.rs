//! Text to [`Model`](windrose_model::Model): reads YAML, and says everything that is wrong with it at
//! file, line and column.
//!
//! The way of a text: `tree` (YAML events to a tree with places) → `shape` and `language` (one
//! table of keys: unknown, missing and malformed ones are told here) → `read` (tree to draft) →
//! `Model::build` → `place` (its refusals back to places). Deliberately absent: serde derives, which
//! stop at the first mistake, and anything that touches the network.
#![warn(missing_docs)]

mod about;
mod again;
mod check;
mod country;
mod diagnostic;
mod files;
mod language;
mod load;
mod node;
mod place;
mod problem;
mod rdata;
mod read;
mod scalar;
mod schema;
mod shape;
mod source;
mod tree;
mod warn;
mod zonefile;

pub use about::AboutFile;
pub use again::Reader;
pub use diagnostic::{Diagnostic, Related, Report, Severity};
pub use files::{UNREADABLE_NOW, is_passing};
pub use load::{Loaded, load, load_text, summary};
pub use node::{
    AccessLog, CertificateSource, ClientCaFile, DataSources, DnsAny, DnsBadCookie, DnsCookies,
    DnsErrors, DnsLimit, DnsLimits, DnsLog, DnsLogFormat, DnsManners, DnsResponseLimit,
    DnsTcpLimits, GeoSource, HeadLimits, Http2, LimitMode, Listeners, LogTarget, NodeConfig,
    Overload, ProxyTrust, TlsConfig, Underscores, UpstreamTlsFiles,
};
pub use read::GeoNeed;
pub use schema::schema;
pub use source::Sources;
pub use zonefile::zone_text;
