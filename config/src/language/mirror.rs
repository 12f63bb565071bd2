//! The keys of a mirror.

use super::{Field, Keys, Mapping, S, Scalar, Shape};

pub(super) static MIRROR: Shape = Keys(&Mapping::new(
    "a mirror",
    &[
        Field::required(
            "version",
            Scalar(S::Name),
            "The version of the app that gets copies.",
        ),
        Field::optional("percent", Scalar(S::Percent), "Of the route's requests.").or("100"),
        Field::optional(
            "body_limit",
            Scalar(S::Size),
            "A request with a longer body is not copied; at most 16MiB.",
        )
        .or("\"64KiB\""),
        Field::optional(
            "max_in_flight",
            Scalar(S::Whole(1, 10_000)),
            "Copies under way to the version from this node.",
        )
        .or("100"),
        Field::optional(
            "timeout",
            Scalar(S::Duration),
            "For a whole copy, its response included.",
        )
        .or("\"5s\""),
        Field::optional(
            "host_suffix",
            Scalar(S::Text),
            "Behind the name in Host, such as -shadow; none when absent.",
        ),
    ],
));
