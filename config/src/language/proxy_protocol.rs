//! The keys of the PROXY protocol.

use super::{Field, List, Map, Mapping, S, Scalar};

pub(super) static PROXY_PROTOCOL: Mapping = Mapping::new(
    "`node.proxy_protocol`",
    &[
        Field::optional(
            "http",
            List(&Scalar(S::Cidr)),
            "Peers of HTTP listeners that must begin with a PROXY header; from others none is read.",
        )
        .or("[]"),
        Field::optional(
            "https",
            List(&Scalar(S::Cidr)),
            "Peers of HTTPS listeners; the header comes before TLS.",
        )
        .or("[]"),
        Field::optional(
            "tcp",
            Map(S::Name, &List(&Scalar(S::Cidr))),
            "Peers of TCP listeners, by name.",
        )
        .or("{}"),
    ],
);
