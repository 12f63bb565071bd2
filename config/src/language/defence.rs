//! Keys of `node.dns.limits` and `node.dns.log`: what DNS defends itself with, and what it writes
//! down of queries.

use super::log::{KEEP, MAX_BYTES, PER_SECOND, TO};
use crate::scalar::Scalar as S;
use crate::shape::Shape::{List, Mapping as Keys, Scalar};
use crate::shape::{Field, Mapping};

pub(super) static LIMITS: Mapping = Mapping::new(
    "`node.dns.limits`",
    &[
        Field::optional(
            "responses",
            Keys(&RESPONSES),
            "Answers of one class to one client prefix, over UDP.",
        ),
        Field::optional(
            "queries",
            Keys(&QUERIES),
            "All queries of one client prefix, over UDP.",
        ),
        Field::optional(
            "ipv4_prefix",
            Scalar(S::Whole(1, 32)),
            "Bits of an IPv4 address that make a client.",
        )
        .or("24"),
        Field::optional(
            "ipv6_prefix",
            Scalar(S::Whole(1, 64)),
            "Bits of an IPv6 address that make a client.",
        )
        .or("56"),
        Field::optional("exempt", List(&Scalar(S::Cidr)), "Who is never limited.").or("[]"),
    ],
);

const MODES: &[&str] = &["off", "dry_run", "on"];

const fn mode() -> Field {
    Field::optional(
        "mode",
        Scalar(S::Choice(MODES)),
        "off; dry_run counts what it would do; on drops.",
    )
    .or("\"dry_run\"")
}

const fn window() -> Field {
    Field::optional(
        "window",
        Scalar(S::Duration),
        "What the rate brings in this time may come at once; to 1m.",
    )
    .or("\"2s\"")
}

const fn slip() -> Field {
    Field::optional(
        "slip",
        Scalar(S::Whole(0, 10)),
        "Every how many-th limited answer goes out truncated instead of not at all; 0 for none, 1 for all.",
    )
    .or("2")
}

const fn buckets() -> Field {
    Field::optional(
        "buckets",
        Scalar(S::Whole(64, 4_194_304)),
        "What it counts at once, eight octets each; rounded up to a power of two.",
    )
    .or("65536")
}

static RESPONSES: Mapping = Mapping::new(
    "`node.dns.limits.responses`",
    &[
        mode(),
        Field::optional(
            "rate",
            Scalar(S::Whole(0, 1_000_000)),
            "Answers a second, for each class; 0 for no limit.",
        )
        .or("200"),
        Field::optional("rates", Keys(&RATES), "Other rates for single classes."),
        window(),
        slip(),
        buckets(),
    ],
);

static QUERIES: Mapping = Mapping::new(
    "`node.dns.limits.queries`",
    &[
        mode(),
        Field::optional("rate", Scalar(S::Whole(1, 1_000_000)), "Queries a second.").or("5000"),
        window(),
        slip(),
        buckets(),
    ],
);

const fn rate(class: &'static str, says: &'static str) -> Field {
    Field::optional(class, Scalar(S::Whole(0, 1_000_000)), says)
}

static RATES: Mapping = Mapping::new(
    "`node.dns.limits.responses.rates`",
    &[
        rate("positive", "Of one name and type."),
        rate("wildcard", "Made from wildcards and DNAMEs of one zone."),
        rate("nxdomain", "Names of one zone that do not exist."),
        rate("nodata", "Types that names of one zone do not have."),
        rate("referral", "Delegations of one zone."),
        rate("error", "Refused, malformed and failed, all together."),
    ],
);

pub(super) static LOG: Mapping = Mapping::new(
    "`node.dns.log`",
    &[
        TO,
        Field::optional(
            "format",
            Scalar(S::Choice(&["json", "dnstap"])),
            "One JSON object a line, or dnstap in Frame Streams.",
        )
        .or("\"json\""),
        Field::optional(
            "sample",
            Scalar(S::Fraction),
            "The share of queries that is written.",
        )
        .or("0.01"),
        PER_SECOND.or("1000"),
        MAX_BYTES,
        KEEP,
    ],
);
