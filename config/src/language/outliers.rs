//! The keys of outlier ejection.

use super::Shape::Scalar;
use super::{Field, Mapping, S};

pub(super) static OUTLIERS: Mapping = Mapping::new(
    "`outliers`",
    &[
        Field::optional(
            "consecutive",
            Scalar(S::Whole(0, 1_000)),
            "Failures in a row; 0 switches this off.",
        )
        .or("5"),
        Field::optional(
            "success_rate",
            Scalar(S::Fraction),
            "Below this share of successes; 0 switches this off.",
        )
        .or("0.8"),
        Field::optional(
            "window",
            Scalar(S::Duration),
            "What the share is taken over.",
        )
        .or("\"10s\""),
        Field::optional(
            "min_requests",
            Scalar(S::Whole(1, 1_000_000)),
            "Fewer in the window say nothing.",
        )
        .or("5"),
        Field::optional(
            "base",
            Scalar(S::Duration),
            "The first ejection; each further one lasts twice as long.",
        )
        .or("\"30s\""),
        Field::optional("max", Scalar(S::Duration), "The longest ejection.").or("\"5m\""),
        Field::optional(
            "max_share",
            Scalar(S::Percent),
            "Percent of the endpoints of a version in a cluster that may be left out; one always may.",
        )
        .or("50"),
        Field::optional(
            "restore_on_check",
            Scalar(S::Bool),
            "Whether a health check that passes ends an ejection.",
        )
        .or("true"),
    ],
);
