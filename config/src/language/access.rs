//! The keys of the access log.

use super::{Field, Mapping, S, Scalar};

pub(super) static ACCESS_LOG: Mapping = Mapping::new(
    "`node.http.log`",
    &[
        Field::required(
            "to",
            Scalar(S::Path),
            "A file, or `unix:` and the path of a socket somebody listens on; relative to the working directory.",
        ),
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
        Field::optional(
            "per_second",
            Scalar(S::Whole(1, 1_000_000)),
            "Most records a second of the node.",
        )
        .or("10000"),
        Field::optional(
            "max_bytes",
            Scalar(S::Size),
            "Of a file, then the next one begins.",
        )
        .or("\"64MiB\""),
        Field::optional(
            "keep",
            Scalar(S::Whole(0, 1_000)),
            "Older files that are kept.",
        )
        .or("5"),
    ],
);
