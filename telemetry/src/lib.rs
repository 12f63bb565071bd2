//! What a node counts and writes down: numbers per thread that are summed when somebody looks, the
//! Prometheus text form, and logs.
//!
//! Deliberately absent: names of apps, clusters and zones. A number is found by its *slot*; who
//! scrapes resolves slots to labels from the Table of that moment (`windrose-admin`).

mod bank;
mod breakers;
mod cells;
mod dns_cells;
mod exclusions;
pub mod exposition;
mod fault_cells;
mod footprints;
mod grpc_cells;
mod http2_cells;
mod live;
pub mod logs;
mod metrics;
mod overload;
mod process;
mod proxy_header_cells;
mod record_log;
mod scalars;
mod slots;
mod stream_cells;
mod tls_cells;

pub use bank::{Bank, CAPACITY, Local};
pub use breakers::{
    BREAKER_CELLS, Breakers, CIRCUIT, Counted, InUse, OPENED, OVERFLOWS, OpenCircuit,
};
pub use cells::{
    BUCKET_SECONDS, CODES, DURATION_CELLS, DnsEvent, FALLBACKS, FELL_ELSEWHERE, FELL_TO_RESPONSE,
    GroupEvent, Hedged, HttpEvent, Mirrored, RATE_LIMITED, RCODES, SUM_CELL, bucket_cell,
    code_cell, code_label, rcode_cell, rcode_label,
};
pub use dns_cells::{
    COOKIES, EXTENDED_ERRORS, LIMITED_CELLS, LIMITERS, QTYPES, SIZE_BOUNDS, SIZE_CELLS,
    SIZE_SUM_CELL, Way, limited_cell, qtype_cell, size_cell,
};
pub use exclusions::{EJECTIONS, EjectionCause, Exclusion, Exclusions, PREVENTED};
pub use fault_cells::Injected;
pub use footprints::{Footprint, Footprints, Prefix, Steps};
pub use grpc_cells::{GRPC_STATUSES, grpc_cell};
pub use http2_cells::Http2Event;
pub use live::{BySlot, Live};
pub use metrics::{Metrics, NO_ZONE};
pub use overload::{Actions, Overload, RESOURCES};
pub use process::{Process, memory_limit, resident_bytes};
pub use proxy_header_cells::ProxyHeader;
pub use record_log::{Framing, LogPlan, LogTarget, Rate, RecordLog, Writing, data_frame};
pub use scalars::{Counter, Gauge, Log, Logged, ProbeOutcome, Scalars};
pub use slots::Slots;
pub use stream_cells::{StreamEvent, StreamKind, TcpEvent, stream_cell};
pub use tls_cells::{
    EndpointTlsFailure, HANDSHAKE_CELLS, HandshakeFailure, handshake_cell, handshake_labels,
};
