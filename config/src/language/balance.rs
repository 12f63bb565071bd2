//! The keys of balancing, and of endpoints.

use super::split::CLIENT;
use super::{Either, Field, Keys, Mapping, Rule, S, Scalar, Shape};

const POLICY: S = S::Choice(&[
    "two_choices",
    "round_robin",
    "peak_ewma",
    "ring_hash",
    "maglev",
]);

pub(super) const BALANCE: Shape = Either(POLICY, &KEYS);

static KEYS: Shape = Keys(&Mapping::new(
    "`balance`",
    &[
        Field::optional("policy", Scalar(POLICY), "By which rule.").or("\"two_choices\""),
        Field::optional(
            "by",
            Either(S::Choice(&["client"]), &BY),
            "What ring_hash and maglev go by.",
        )
        .or("\"client\""),
        Field::optional(
            "bounded_load",
            Scalar(S::Whole(101, 1_000)),
            "Percent of the average load beyond which ring_hash and maglev pass an endpoint over.",
        ),
    ],
));

static BY: Shape = Keys(&Mapping {
    noun: "`by`",
    rule: Rule::ExactlyOne(&["header", "cookie", "client"]),
    fields: &[
        Field::optional(
            "header",
            Scalar(S::HeaderName),
            "The value of this header field.",
        ),
        Field::optional("cookie", Scalar(S::Text), "The value of this cookie."),
        Field::optional(
            "client",
            Keys(&CLIENT),
            "The client's address, or its prefix.",
        ),
    ],
});

pub(super) static ENDPOINT: Shape = Either(S::Socket, &TRAITS);

static TRAITS: Shape = Keys(&Mapping::new(
    "an endpoint",
    &[
        Field::required("address", Scalar(S::Socket), "Where it listens, ip:port."),
        Field::optional(
            "weight",
            Scalar(S::Weight),
            "How much it takes beside the others of its version in its cluster; 0: nothing new.",
        )
        .or("1"),
        Field::optional(
            "drain",
            Scalar(S::Bool),
            "Takes nothing new, and keeps what it has.",
        )
        .or("false"),
    ],
));
