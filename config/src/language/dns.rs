//! Keys of `node.dns`: how this node speaks DNS.

use crate::scalar::Scalar as S;
use crate::shape::Shape::{Mapping as Keys, Scalar};
use crate::shape::{Field, Mapping};

use super::defence::{LIMITS, LOG};

pub(super) static DNS: Mapping = Mapping::new(
    "`node.dns`",
    &[
        Field::optional(
            "udp_size",
            Scalar(S::Whole(512, 4_096)),
            "Largest UDP message that is announced and sent, in octets.",
        )
        .or("1232"),
        Field::optional(
            "any",
            Scalar(S::Choice(&["one_set", "hinfo"])),
            "What ANY gets: one RRset that is there, or an HINFO record.",
        )
        .or("one_set"),
        Field::optional(
            "extended_errors",
            Scalar(S::Choice(&["off", "codes", "reasons"])),
            "What clients with EDNS are told of why an answer is as it is.",
        )
        .or("codes"),
        Field::optional(
            "nsid",
            Scalar(S::Text),
            "Name server identifier for who asks: a text, or octets as 0x and hexadecimal digits.",
        ),
        Field::optional(
            "chaos_id",
            Scalar(S::Text),
            "What id.server and hostname.bind of class CH say; REFUSED without it.",
        ),
        Field::optional(
            "chaos_version",
            Scalar(S::Text),
            "What version.server and version.bind of class CH say; REFUSED without it.",
        ),
        Field::optional(
            "zone_version",
            Scalar(S::Bool),
            "Tells the serial of the zone to who asks.",
        )
        .or("true"),
        Field::optional("cookies", Keys(&COOKIES), "DNS cookies."),
        Field::optional("tcp", Keys(&TCP), "Bounds of DNS over TCP."),
        Field::optional(
            "limits",
            Keys(&LIMITS),
            "What a client prefix may have of answers over UDP.",
        ),
        Field::optional("log", Keys(&LOG), "A sampled log of queries."),
    ],
);

static COOKIES: Mapping = Mapping::new(
    "`node.dns.cookies`",
    &[
        Field::optional(
            "enabled",
            Scalar(S::Bool),
            "Whether cookies are made and checked.",
        )
        .or("true"),
        Field::optional(
            "secrets_file",
            Scalar(S::Path),
            "Secrets that the servers of one address share, relative to this file; without it one by chance at start.",
        ),
        Field::optional(
            "badcookie",
            Scalar(S::Choice(&["off", "when_limited", "always"])),
            "Which clients with a cookie that is not valid are told BADCOOKIE over UDP.",
        )
        .or("off"),
        Field::optional(
            "unproven_size",
            Scalar(S::Whole(128, 4_096)),
            "Largest UDP message without a valid cookie, in octets.",
        ),
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
            "per_client",
            Scalar(S::Whole(1, 1_000_000)),
            "Open connections of one IPv4 address or IPv6 /56.",
        )
        .or("256"),
        Field::optional(
            "idle_timeout",
            Scalar(S::Duration),
            "Longest time without a whole message.",
        )
        .or("\"10s\""),
    ],
);
