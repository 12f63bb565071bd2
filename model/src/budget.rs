//! Upper bounds of a Model. What exceeds one is refused by name when the Model is made, so that
//! compiling and serving never have to fail.

/// Apps in a Model.
pub const APPS: usize = 100_000;
/// Clusters in a Model.
pub const CLUSTERS: usize = 4_096;
/// Clusters of one app: a usable set is one 16-bit mask.
pub const CLUSTERS_PER_APP: usize = 16;
/// Addresses of one cluster and family, so that any answer fits a message.
pub const ADDRESSES_PER_CLUSTER: usize = 32;
/// Endpoints of one app over all versions and clusters.
pub const ENDPOINTS_PER_APP: usize = 16_384;
/// Versions of one app.
pub const VERSIONS_PER_APP: usize = 64;
/// Endpoints of all apps.
pub const ENDPOINTS: usize = 1_000_000;
/// Octets of the rings and tables by which endpoints are chosen by hash, in all apps.
pub const HASH_OCTETS: usize = 256 << 20;
/// Hosts of all apps.
pub const HOSTS: usize = 1_000_000;
/// Groups (app, version, cluster) of all apps: each has a number for metrics.
pub const GROUPS: usize = 1_000_000;
/// Steps of one steering.
pub const STEERING_STEPS: usize = 8;
/// CIDRs in all steerings together, apps of equal steering and clusters counted once.
pub const CIDRS: usize = 60_000;
/// Records that differ by cluster: their number is a u16.
pub const STEERED_RECORDS: usize = 65_535;
/// Prefixes in all lists together.
pub const LIST_PREFIXES: usize = 500_000;
/// Users in all lists together.
pub const LIST_USERS: usize = 8_000_000;
/// Regions in a Model.
pub const REGIONS: usize = 4_096;
/// Pairs of a latency matrix.
pub const LATENCY_PAIRS: usize = 1_000_000;
/// Prefixes that a latency matrix tells apart: each may be a view of its own in every steering by
/// latency.
pub const LATENCY_CIDRS: usize = 10_000;
/// Rules of one fence: each place is held against them in turn.
pub const FENCE_RULES: usize = 1_024;
/// Different steerings that tell places apart, apps of equal steering and clusters counted once:
/// each holds an octet per leaf, some hundred kilobytes with a country database.
pub const PLACE_STEERINGS: usize = 1_024;
/// Octets of one RRset on the wire, so that it fits a TCP message.
pub const RRSET_OCTETS: usize = 32_768;
/// ALIAS records in all zones together: each foreign target is asked about again and again.
pub const ALIASES: usize = 1_000;
/// Records in all zones together.
pub const RECORDS: usize = 4_000_000;
/// Routes of one app.
pub const ROUTES_PER_APP: usize = 1_024;
/// Rate limits of one app.
pub const RATE_LIMITS_PER_APP: usize = 16;
/// Matches of one route, as in the Gateway API.
pub const MATCHES_PER_ROUTE: usize = 64;
/// Headers, query parameters or cookies that one match names.
pub const CONDITIONS_PER_MATCH: usize = 16;
/// Header fields that one list of edits names.
pub const HEADER_EDITS: usize = 16;
/// Octets of a path in a route, of a name or value in its matches and edits.
pub const ROUTE_TEXT: usize = 4_096;
/// Mirrors of one route.
pub const MIRRORS_PER_ROUTE: usize = 8;
/// Octets of a body that a mirror copies.
pub const MIRRORED_OCTETS: u64 = 16 << 20;
/// Copies of one mirror under way from one node.
pub const MIRRORED_AT_ONCE: u32 = 10_000;
/// Octets of a response that a route gives itself.
pub const RESPONSE_OCTETS: usize = 65_536;
/// Octets of the target of a request; above: 414.
pub const TARGET_OCTETS: usize = 16 * 1024;
/// Characters of a regex.
pub const PATTERN_CHARACTERS: usize = 1_024;
/// Octets of a regex, compiled: what the automaton may take, and a quarter of what its cache may.
pub const PATTERN_OCTETS: usize = 65_536;
/// Regexes of one app: each may be tried in turn for one request.
pub const PATTERNS_PER_APP: usize = 64;
/// Regexes of all apps.
pub const PATTERNS: usize = 4_096;
/// Different sets of clients that the routes of all apps tell apart: each holds a bit per place.
pub const CLIENT_SETS: usize = 1_024;
/// Octets of the salt of a sticky split.
pub const SALT_OCTETS: usize = 256;
