//! The keys of balancing, and of endpoints.

use super::{Either, Field, Keys, Mapping, S, Scalar, Shape};

const POLICY: S = S::Choice(&["two_choices", "round_robin"]);

pub(super) const BALANCE: Shape = Either(POLICY, &KEYS);

static KEYS: Shape = Keys(&Mapping::new(
    "`balance`",
    &[Field::optional("policy", Scalar(POLICY), "By which rule.").or("\"two_choices\"")],
));

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
