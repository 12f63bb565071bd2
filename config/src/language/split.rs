//! The keys of a split.

use super::{Either, Field, Keys, Map, Mapping, Rule, S, Scalar, Shape};

pub(super) const SPLIT: Shape = Map(S::Name, &Scalar(S::Weight));

pub(super) const SPLIT_BY: Shape = Either(S::Choice(&["client"]), &KEY);

static KEY: Shape = Keys(&Mapping {
    noun: "`split_by`",
    rule: Rule::ExactlyOne(&["header", "cookie", "set_cookie", "client"]),
    fields: &[
        Field::optional(
            "header",
            Scalar(S::HeaderName),
            "Each value of this header field.",
        ),
        Field::optional(
            "cookie",
            Scalar(S::Text),
            "Each value of this cookie, which the backends set.",
        ),
        Field::optional(
            "set_cookie",
            Either(S::Text, &COOKIE),
            "Each value of this cookie, which Windrose sets.",
        ),
        Field::optional("client", Keys(&CLIENT), "Each prefix of client addresses."),
        Field::optional(
            "salt",
            Scalar(S::Text),
            "Another one draws all users anew; the app's name when absent.",
        ),
    ],
});

static COOKIE: Shape = Keys(&Mapping::new(
    "`set_cookie`",
    &[
        Field::required("name", Scalar(S::Text), "Its name."),
        Field::optional(
            "max_age",
            Scalar(S::Seconds),
            "How long the client keeps it.",
        )
        .or("\"30d\""),
    ],
));

pub(super) static CLIENT: Mapping = Mapping::new(
    "`client`",
    &[
        Field::optional(
            "ipv4",
            Scalar(S::Whole(1, 32)),
            "Bits of an IPv4 address that count.",
        )
        .or("32"),
        Field::optional(
            "ipv6",
            Scalar(S::Whole(1, 128)),
            "Bits of an IPv6 address that count.",
        )
        .or("64"),
    ],
);
