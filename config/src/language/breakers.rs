//! The keys of breakers.

use super::Shape::Scalar;
use super::{Field, Mapping, S};

const COUNT: S = S::Whole(0, 1_000_000);

pub(super) static BREAKERS: Mapping = Mapping::new(
    "`breakers`",
    &[
        Field::optional(
            "connections",
            Scalar(COUNT),
            "Connections to endpoints, idle ones included; 0 is no limit, and shares them with other apps.",
        )
        .or("1024"),
        Field::optional(
            "pending",
            Scalar(COUNT),
            "Requests that wait for a connection to be made; 0 is no limit.",
        )
        .or("1024"),
        Field::optional(
            "requests",
            Scalar(COUNT),
            "Requests until the last octet of their response; 0 is no limit.",
        )
        .or("1024"),
        Field::optional(
            "retries",
            Scalar(COUNT),
            "Requests that repeat what may have reached a backend; 0 is no limit but the budget.",
        )
        .or("0"),
        Field::optional(
            "failures",
            Scalar(COUNT),
            "Failures in a row after which the cluster is left alone; 0 is never.",
        )
        .or("0"),
        Field::optional(
            "open_for",
            Scalar(S::Duration),
            "How long, before one request may try.",
        )
        .or("\"10s\""),
    ],
);
