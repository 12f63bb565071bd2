//! The keys that all logs of records have.

use super::{Field, S, Scalar};

pub(super) const TO: Field = Field::required(
    "to",
    Scalar(S::LogTarget),
    "A file, or `unix:` and the path of a socket somebody listens on; relative to the working directory.",
);

pub(super) const PER_SECOND: Field = Field::optional(
    "per_second",
    Scalar(S::Whole(1, 1_000_000)),
    "Most records a second of the node.",
);

pub(super) const MAX_BYTES: Field = Field::optional(
    "max_bytes",
    Scalar(S::Size),
    "Of a file, then the next one begins.",
)
.or("\"64MiB\"");

pub(super) const KEEP: Field = Field::optional(
    "keep",
    Scalar(S::Whole(0, 1_000)),
    "Older files that are kept.",
)
.or("5");
