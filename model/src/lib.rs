//! The nouns of Windrose: names, units, places, the [`Model`] an operator wants, the [`Fact`]s that
//! were seen, the [`Status`] control concludes, and the [`Stamp`] that orders what is published.
//!
//! Deliberately absent: I/O, clocks, randomness, async, documents; the only texts are those that
//! names, units and record data have by themselves. A `Model` can only be made by
//! [`Model::build`], which refuses whatever is wrong or exceeds a [`budget`].
#![warn(missing_docs)]

mod alias;
mod app;
mod balance;
mod breakers;
pub mod budget;
mod cluster;
mod dns_name;
mod fact;
mod fallback;
mod health;
mod hedge;
mod hosts;
mod invalid;
mod latency;
mod locality;
mod meant;
mod model;
mod name;
mod normal_path;
mod outliers;
mod pattern;
mod place;
mod prefix_list;
mod preview;
mod rate_limit;
mod rdata;
mod record_type;
mod records;
mod retry;
mod route;
mod secure;
mod split_by;
mod stamp;
mod status;
mod steered;
mod steering;
mod tcp;
mod time;
mod ttl_cause;
mod unit;
mod upstream;
mod user_list;
mod zone;

pub use alias::{AliasCause, AliasFailure, AliasStatus, Aliases};
pub use app::{
    App, EncodedSlashes, Failback, HostPattern, Split, Timeouts, TtlBand, Version, WhenAllDown,
};
pub use balance::{Balance, EndpointTraits, Policy};
pub use breakers::Breakers;
pub use cluster::{Cluster, Region};
pub use dns_name::{DnsName, DnsNameError, unescape};
pub use fact::{EndpointId, Fact, PassiveKind, ProbeFailure, Report};
pub use fallback::{Elsewhere, Fallback};
pub use health::{HealthCheck, HttpProbe, Probe, StatusRange};
pub use hedge::Hedge;
pub use hosts::Hosts;
pub use invalid::{Invalid, Segment};
pub use latency::{Fingerprint, LatencyMatrix, MeasuredRtt, MeasuredRtts, Rtt, RttCause, RttFrom};
pub use locality::{Asn, City, GeoField, Subdivision};
pub use meant::meant;
pub use model::{
    AppId, Checked, ClusterId, Draft, Model, PlacedEndpoint, RecordEdit, RegionId, Safety, Standing,
};
pub use name::{Name, NameError};
pub use normal_path::{PathFault, normal_path};
pub use outliers::Outliers;
pub use pattern::{Pattern, PatternError};
pub use place::{Continent, Coordinates, Country, PlaceError};
pub use prefix_list::{PrefixList, inner_ipv4};
pub use preview::Preview;
pub use rate_limit::{RateKey, RateLimit};
pub use rdata::{Field, RData, RDataError, RDataRef, SvcParams, layout, svc_param, target};
pub use record_type::RecordType;
pub use records::{RecordChange, Records};
pub use retry::{BackOff, Retry, RetryBudget, RetryOn};
pub use route::{
    Abort, Action, AllowedOrigin, Came, Conditions, Cors, Delay, Fault, Filters, GrpcMatch,
    HeaderEdits, Match, Mirror, PathMatch, PathRewrite, Redirect, Respond, Rewrite, Route,
    TextMatch, UserKey, UserMatch, Wildcard,
};
pub use secure::{ClientAuth, Hsts, Secure};
pub use split_by::{SplitBy, SplitKey};
pub use stamp::{Revision, Stamp};
pub use status::{AppStatus, Cause, ClusterStatus, EndpointState, Status, Verdict};
pub use steered::{SteeredData, SteeredRecord};
pub use steering::{ClientSet, FenceRule, GeoRules, LatencyBand, Preference, Step};
pub use tcp::{Tcp, WhenEndpointDown};
pub use time::{Now, WallTime, WallTimeError};
pub use ttl_cause::{NextChange, TtlBound, TtlCause};
pub use unit::{Bias, Percent, Ttl, UnitError, Weight};
pub use upstream::{HttpVersion, Manner, ProxyProtocol, Upstream, UpstreamTls};
pub use user_list::UserList;
pub use zone::{RrSet, RrSetError, Soa, Zone};
