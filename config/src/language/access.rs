//! The keys of the access log.

use super::log::{KEEP, MAX_BYTES, PER_SECOND, TO};
use super::{Field, Mapping, S, Scalar};

pub(super) static ACCESS_LOG: Mapping = Mapping::new(
    "`node.http.log`",
    &[
        TO,
        Field::optional(
            "sample",
            Scalar(S::Fraction),
            "The share of requests that is written.",
        )
        .or("1"),
        Field::optional(
            "errors",
            Scalar(S::Bool),
            "Whether requests that went wrong are written whatever the share.",
        )
        .or("true"),
        Field::optional(
            "query",
            Scalar(S::Bool),
            "Whether the query of a target is written.",
        )
        .or("true"),
        PER_SECOND.or("10000"),
        MAX_BYTES,
        KEEP,
    ],
);
