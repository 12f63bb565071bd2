//! The keys of a fault.

use super::route::TEXT;
use super::{Field, Keys, Map, Mapping, S, Scalar};

pub(super) static FAULT: Mapping = Mapping::new(
    "`fault`",
    &[
        Field::optional("delay", Keys(&DELAY), "Some attempts wait first."),
        Field::optional(
            "abort",
            Keys(&ABORT),
            "Some attempts are answered here instead of by an endpoint.",
        ),
        Field::optional(
            "reset",
            Scalar(S::Percent),
            "Percent of attempts that break off before a response.",
        )
        .or("0"),
        Field::optional(
            "headers",
            Map(S::HeaderName, &TEXT),
            "Only requests with all of these fields.",
        ),
        Field::optional("cluster", Scalar(S::Name), "Only attempts in this cluster."),
        Field::required(
            "until",
            Scalar(S::Time),
            "When it ends by itself: a fault that nobody ends is an outage.",
        ),
    ],
);

static DELAY: Mapping = Mapping::new(
    "`delay`",
    &[
        Field::required("fixed", Scalar(S::Duration), "How long."),
        Field::required("percent", Scalar(S::Percent), "Of attempts."),
    ],
);

static ABORT: Mapping = Mapping::new(
    "`abort`",
    &[
        Field::required("status", Scalar(S::Whole(400, 599)), "The status code."),
        Field::required("percent", Scalar(S::Percent), "Of attempts."),
    ],
);
