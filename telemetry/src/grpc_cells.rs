//! What each cell of the bank of gRPC statuses means.

/// Statuses by number, then what is none: as in the label `grpc_status`.
pub const GRPC_STATUSES: [&str; 19] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "other",
    "none",
];

/// The cell of a status; none came: the last one.
pub fn grpc_cell(status: Option<u8>) -> u32 {
    match status {
        Some(status) => u32::from(status).min(17),
        None => 18,
    }
}
