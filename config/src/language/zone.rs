//! The keys of a zone.

use super::app::STEP;
use super::{Either, Field, Keys, List, Map, Mapping, Rule, S, Scalar, Shape};

pub(super) static ZONE: Shape = Keys(&Mapping::new(
    "a zone",
    &[
        Field::optional(
            "soa",
            Keys(&SOA),
            "Start of authority; left out when the zone's `file` has a SOA record.",
        ),
        Field::optional("ttl", Scalar(S::Seconds), "Of records that have none.").or("\"300s\""),
        Field::optional("records", List(&RECORD), "What is not steered.").or("[]"),
        Field::optional(
            "file",
            Scalar(S::Path),
            "Master file (RFC 1035 section 5), relative to the folder of this file; `records` are added to it.",
        ),
    ],
));

static SOA: Mapping = Mapping::new(
    "`soa`",
    &[
        Field::required("mname", Scalar(S::Relative), "Primary server."),
        Field::required(
            "rname",
            Scalar(S::Mailbox),
            "Mailbox of the person in charge: hostmaster@example.com, or its DNS form.",
        ),
        Field::optional(
            "serial",
            Scalar(S::Whole(0, u32::MAX)),
            "Version of the zone; left out, the node counts the contents that the zone has had.",
        ),
        Field::optional("refresh", Scalar(S::Seconds), "RFC 1035 section 3.3.13.").or("3600"),
        Field::optional("retry", Scalar(S::Seconds), "RFC 1035 section 3.3.13.").or("600"),
        Field::optional("expire", Scalar(S::Seconds), "RFC 1035 section 3.3.13.").or("604800"),
        Field::optional(
            "minimum",
            Scalar(S::Seconds),
            "TTL of negative answers (RFC 2308).",
        )
        .or("60"),
        Field::optional("ttl", Scalar(S::Seconds), "TTL of the SOA record itself.").or("3600"),
    ],
);

static RECORD: Shape = Keys(&Mapping {
    noun: "a record",
    rule: Rule::ExactlyOne(&["value", "values", "by_cluster"]),
    fields: &[
        Field::required(
            "name",
            Scalar(S::Relative),
            "Relative to the zone; @ is the zone itself.",
        ),
        Field::required("type", Scalar(S::RecordType), "Of the record."),
        Field::optional(
            "value",
            Scalar(S::Text),
            "The data in presentation form: an address, a name (relative to the zone unless it ends in a dot), \"10 mail\"; a TXT value is the text itself unless it begins with a quotation mark.",
        ),
        Field::optional(
            "values",
            List(&Scalar(S::Text)),
            "Several of the same type.",
        ),
        Field::optional(
            "by_cluster",
            Map(S::Name, &Either(S::Text, &List(&Scalar(S::Text)))),
            "The values of each cluster of an app: the one that its addresses lead to counts.",
        ),
        Field::optional(
            "hints",
            Scalar(S::Choice(&["steered"])),
            "Of an HTTPS or SVCB record: the addresses of the chosen cluster as ipv4hint and ipv6hint.",
        ),
        Field::optional(
            "app",
            Scalar(S::Name),
            "Which app steers it; the one whose host it stands at when absent.",
        ),
        Field::optional(
            "steering",
            List(&Keys(&STEP)),
            "Steps in place of the app's.",
        ),
        Field::optional("ttl", Scalar(S::Seconds), "The zone's `ttl` when absent."),
    ],
});
