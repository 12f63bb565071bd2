//! Keys of `node.dns`: how this node speaks DNS.

use crate::scalar::Scalar as S;
use crate::shape::Shape::{Mapping as Keys, Scalar};
use crate::shape::{Field, Mapping};

pub(super) static DNS: Mapping = Mapping::new(
    "`node.dns`",
    &[
        Field::optional(
            "udp_size",
            Scalar(S::Whole(512, 4_096)),
            "Largest UDP message that is announced and sent, in octets.",
        )
        .or("1232"),
        Field::optional("tcp", Keys(&TCP), "Bounds of DNS over TCP."),
    ],
);

static TCP: Mapping = Mapping::new(
    "`node.dns.tcp`",
    &[
        Field::optional(
            "connections",
            Scalar(S::Whole(1, 1_000_000)),
            "Open connections of the node; one more closes the one that has been silent longest.",
        )
        .or("512"),
        Field::optional(
            "idle_timeout",
            Scalar(S::Duration),
            "Longest time without a whole message.",
        )
        .or("\"10s\""),
    ],
);
