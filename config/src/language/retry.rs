//! The keys of retries.

use super::{Field, Keys, List, Mapping, S, Scalar};

const ATTEMPTS: Field = Field::optional(
    "attempts",
    Scalar(S::Whole(0, 5)),
    "Further attempts of an idempotent request.",
)
.or("1");

const ON: Field = Field::optional(
    "on",
    List(&Scalar(S::RetryOn)),
    "After what: reset, timeout, 5xx, gateway_error, or status codes and ranges.",
)
.or("[\"reset\", \"timeout\"]");

const BACK_OFF: Field = Field::optional(
    "back_off",
    Keys(&WAIT),
    "How long to wait before one, by chance.",
);

const RETRY_AFTER: Field = Field::optional(
    "retry_after",
    Scalar(S::Duration),
    "How long to wait for at most where a response says so; one that wants more is not repeated.",
)
.or("\"1s\"");

pub(super) static RETRY: Mapping = Mapping::new(
    "`retry`",
    &[
        ATTEMPTS,
        ON,
        BACK_OFF,
        RETRY_AFTER,
        Field::optional(
            "budget",
            Scalar(S::Percent),
            "Percent of requests that may be retried.",
        )
        .or("20"),
        Field::optional(
            "min_per_second",
            Scalar(S::Whole(0, 1_000_000)),
            "Always allowed.",
        )
        .or("10"),
    ],
);

/// Of a route: the budget is the app's.
pub(super) static ROUTE_RETRY: Mapping =
    Mapping::new("`retry`", &[ATTEMPTS, ON, BACK_OFF, RETRY_AFTER]);

pub(super) static HEDGE: Mapping = Mapping::new(
    "`hedge`",
    &[Field::required(
        "after",
        Scalar(S::Duration),
        "How long the first endpoint has to begin its response.",
    )],
);

static WAIT: Mapping = Mapping::new(
    "`back_off`",
    &[
        Field::optional("base", Scalar(S::Duration), "At most, the first time.").or("\"25ms\""),
        Field::optional("max", Scalar(S::Duration), "At most, later.").or("\"250ms\""),
    ],
);
