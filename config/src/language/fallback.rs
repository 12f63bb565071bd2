//! The keys of a fallback.

use super::route::RESPOND;
use super::{Field, Keys, List, Mapping, S, Scalar};

pub(super) static FALLBACK: Mapping = Mapping::new(
    "`fallback`",
    &[
        Field::optional(
            "on",
            List(&Scalar(S::RetryOn)),
            "After what, beside that no cluster can serve: reset, timeout, 5xx, gateway_error, or status codes and ranges.",
        )
        .or("[\"reset\", \"timeout\"]"),
        Field::optional(
            "version",
            Scalar(S::Name),
            "It is tried once more, with this version.",
        ),
        Field::optional(
            "cluster",
            Scalar(S::Name),
            "It is tried once more, in this cluster, whatever its health, dial and share.",
        ),
        Field::optional(
            "respond",
            Keys(&RESPOND),
            "What the client gets in the end.",
        ),
    ],
);
