//! The keys of a rate limit.

use super::Shape::{Either, Mapping as Keys, Scalar};
use super::{Field, Mapping, Rule, S, Shape};

pub(super) static RATE_LIMIT: Shape = Keys(&Mapping::new(
    "a rate limit",
    &[
        Field::required("rate", Scalar(S::Whole(1, 1_000_000)), "So many requests …"),
        Field::optional("per", Scalar(S::Duration), "… in this time.").or("\"1s\""),
        Field::optional(
            "burst",
            Scalar(S::Whole(1, 1_000_000)),
            "So many at once after a rest; as many as `rate` when absent.",
        ),
        Field::optional(
            "by",
            Either(S::Choice(&["app", "client"]), &BY),
            "What has a bucket of its own.",
        )
        .or("\"client\""),
        Field::optional(
            "mode",
            Scalar(S::Choice(&["dry_run", "on"])),
            "`dry_run` only counts what it would refuse.",
        )
        .or("\"on\""),
    ],
));

static BY: Shape = Keys(&Mapping {
    noun: "`by`",
    rule: Rule::ExactlyOne(&["header", "cookie"]),
    fields: &[
        Field::optional(
            "header",
            Scalar(S::Text),
            "Each value of this header field; without it, each client.",
        ),
        Field::optional(
            "cookie",
            Scalar(S::Text),
            "Each value of this cookie; without it, each client.",
        ),
    ],
});
