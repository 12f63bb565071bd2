//! The keys of `node.overload`.

use super::{Field, Mapping, S, Scalar};

pub(super) static OVERLOAD: Mapping = Mapping::new(
    "`node.overload`",
    &[
        Field::optional(
            "memory",
            Scalar(S::Size),
            "In RAM; the limit of the control group when absent.",
        ),
        Field::optional(
            "connections",
            Scalar(S::Whole(1, 100_000_000)),
            "Client connections over all threads; not bounded so when absent.",
        ),
        Field::optional(
            "lag",
            Scalar(S::Duration),
            "How late a thread may be; 0s is off.",
        )
        .or("\"1s\""),
        Field::optional(
            "keep_alive_off",
            Scalar(S::Whole(1, 100)),
            "Percent of memory or connections from which connections are not kept.",
        )
        .or("80"),
        Field::optional(
            "refuse",
            Scalar(S::Whole(1, 100)),
            "Percent of any from which new requests are refused.",
        )
        .or("90"),
        Field::optional(
            "stop_accepting",
            Scalar(S::Whole(1, 100)),
            "Percent of any from which no connection is accepted.",
        )
        .or("95"),
    ],
);
