//! The keys of a route.

use super::app::{CLIENTS, TIMEOUTS};
use super::fallback::FALLBACK;
use super::fault::FAULT;
use super::mirror::MIRROR;
use super::retry::{HEDGE, ROUTE_RETRY};
use super::split::{SPLIT, SPLIT_BY};
use super::{Either, Field, Keys, List, Map, Mapping, OneOrMany, Rule, S, Scalar, Shape};

pub(super) static ROUTE: Shape = Keys(&Mapping {
    noun: "a route",
    rule: Rule::AtMostOne(&["rewrite", "redirect", "respond"]),
    fields: &[
        Field::optional(
            "name",
            Scalar(S::Name),
            "What explain and warnings call it.",
        ),
        Field::optional(
            "match",
            OneOrMany(&MATCH),
            "Which requests it is for: those of one match, or of any of a list; without it all.",
        ),
        Field::optional(
            "hosts",
            List(&Scalar(S::Host)),
            "Only requests for these of the app's hosts.",
        )
        .or("[]"),
        Field::optional(
            "split",
            SPLIT,
            "Versions by weight; the app's own when absent.",
        ),
        Field::optional(
            "split_by",
            SPLIT_BY,
            "What makes its split sticky; as the app has it when absent.",
        ),
        Field::optional(
            "request_headers",
            Keys(&HEADER_EDITS),
            "Edits of what the backend gets.",
        ),
        Field::optional(
            "response_headers",
            Keys(&HEADER_EDITS),
            "Edits of what the client gets, responses of Windrose included.",
        ),
        Field::optional("rewrite", Keys(&REWRITE), "What the backend sees instead."),
        Field::optional("redirect", Keys(&REDIRECT), "The client is sent elsewhere."),
        Field::optional("respond", Keys(&RESPOND), "It is answered here."),
        Field::optional(
            "cors",
            Keys(&CORS),
            "Cross-origin sharing; answers preflights.",
        ),
        Field::optional(
            "max_body",
            Scalar(S::Size),
            "Of a request; above, 413. Without a bound when absent.",
        ),
        Field::optional(
            "timeouts",
            Keys(&TIMEOUTS),
            "In place of the app's; what is not named is as the app has it.",
        ),
        Field::optional(
            "mirror",
            OneOrMany(&MIRROR),
            "Copies of its requests for other versions, whose responses nobody gets: one, or a list.",
        ),
        Field::optional(
            "retry",
            Keys(&ROUTE_RETRY),
            "In place of the app's; what is not named is as the app has it.",
        ),
        Field::optional("hedge", Keys(&HEDGE), "In place of the app's."),
        Field::optional(
            "fallback",
            Keys(&FALLBACK),
            "In place of the app's, as a whole.",
        ),
        Field::optional(
            "fault",
            Keys(&FAULT),
            "What goes wrong on purpose, and until when.",
        ),
    ],
});

static MATCH: Shape = Keys(&Mapping {
    noun: "a match",
    rule: Rule::AtMostOne(&["path", "grpc"]),
    fields: &[
        Field::optional(
            "path",
            Keys(&PATH),
            "By the path of the request, in its normal form.",
        ),
        Field::optional("grpc", Keys(&GRPC), "By service and method of a gRPC call."),
        Field::optional("method", Scalar(S::Method), "By method."),
        Field::optional(
            "headers",
            Map(S::HeaderName, &TEXT),
            "All of these fields; repeated lines are one value, joined by a comma.",
        ),
        Field::optional(
            "query",
            Map(S::Text, &TEXT),
            "All of these parameters, decoded; of a repeated one the first counts.",
        ),
        Field::optional("cookies", Map(S::Text, &TEXT), "All of these cookies."),
        Field::optional(
            "clients",
            Keys(&CLIENTS),
            "By the address of the client: the union of what is listed.",
        ),
        Field::optional("user", Keys(&USER), "By a list of users."),
    ],
});

static USER: Mapping = Mapping {
    noun: "`user`",
    rule: Rule::ExactlyOne(&["header", "cookie"]),
    fields: &[
        Field::optional(
            "header",
            Scalar(S::HeaderName),
            "The field that names the user.",
        ),
        Field::optional("cookie", Scalar(S::Text), "The cookie that names the user."),
        Field::required("list", Scalar(S::Name), "One of `data.users`."),
    ],
};

static PATH: Mapping = Mapping {
    noun: "a path match",
    rule: Rule::ExactlyOne(&["exact", "prefix", "regex"]),
    fields: &[
        Field::optional("exact", Scalar(S::Text), "All of it."),
        Field::optional(
            "prefix",
            Scalar(S::Text),
            "Whole segments from the left: /api matches /api/x.",
        ),
        Field::optional("regex", Scalar(S::Regex), "All of it, by a regex."),
    ],
};

/// A text to be equal to, or a regex.
pub(super) static TEXT: Shape = Either(S::Text, &REGEX);

static REGEX: Shape = Keys(&Mapping::new(
    "this mapping",
    &[Field::required(
        "regex",
        Scalar(S::Regex),
        "All of the text must match.",
    )],
));

static GRPC: Mapping = Mapping::new(
    "`grpc`",
    &[
        Field::optional(
            "service",
            TEXT_HERE,
            "With its package: helloworld.Greeter.",
        ),
        Field::optional("method", TEXT_HERE, "Without its service: SayHello."),
    ],
);

const TEXT_HERE: Shape = Either(S::Text, &REGEX);

static HEADER_EDITS: Mapping = Mapping::new(
    "this mapping",
    &[
        Field::optional(
            "set",
            Map(S::HeaderName, &Scalar(S::HeaderValue)),
            "In place of all lines of the field.",
        ),
        Field::optional(
            "add",
            Map(S::HeaderName, &Scalar(S::HeaderValue)),
            "One more line of the field.",
        ),
        Field::optional(
            "remove",
            List(&Scalar(S::HeaderName)),
            "All lines of the field.",
        )
        .or("[]"),
    ],
);

static PATH_REWRITE: Mapping = Mapping {
    noun: "`path`",
    rule: Rule::ExactlyOne(&["full", "prefix"]),
    fields: &[
        Field::optional("full", Scalar(S::Text), "In place of the whole path."),
        Field::optional(
            "prefix",
            Scalar(S::Text),
            "In place of the prefix that matched.",
        ),
    ],
};

static REWRITE: Mapping = Mapping::new(
    "`rewrite`",
    &[
        Field::optional("host", Scalar(S::Text), "In place of Host."),
        Field::optional("path", Keys(&PATH_REWRITE), "The query stays."),
    ],
);

static REDIRECT: Mapping = Mapping::new(
    "`redirect`",
    &[
        Field::optional(
            "scheme",
            Scalar(S::Choice(&["http", "https"])),
            "That of the request when absent.",
        ),
        Field::optional("host", Scalar(S::Text), "That of the request when absent."),
        Field::optional(
            "port",
            Scalar(S::Whole(1, 65_535)),
            "When absent the well-known one of `scheme`, or the listener's without one.",
        ),
        Field::optional(
            "path",
            Keys(&PATH_REWRITE),
            "That of the request when absent; the query stays.",
        ),
        Field::optional(
            "status",
            Scalar(S::Whole(301, 308)),
            "301, 302, 303, 307 or 308; the last two keep method and body.",
        )
        .or("302"),
    ],
);

pub(super) static RESPOND: Mapping = Mapping {
    noun: "`respond`",
    rule: Rule::AtMostOne(&["body", "body_file"]),
    fields: &[
        Field::optional("status", Scalar(S::Whole(200, 599)), "The status code.").or("200"),
        Field::optional("body", Scalar(S::Text), "Text, at most 64 KiB.").or("\"\""),
        Field::optional(
            "body_file",
            Scalar(S::Text),
            "In place of `body`: a file relative to this one, read with the configuration.",
        ),
        Field::optional(
            "headers",
            Map(S::HeaderName, &Scalar(S::HeaderValue)),
            "Its fields; content-type is text/plain when absent.",
        ),
    ],
};

static CORS: Mapping = Mapping::new(
    "`cors`",
    &[
        Field::required(
            "origins",
            List(&Scalar(S::Origin)),
            "Whose scripts may read: https://shop.example.com, https://*.example.com, or *.",
        ),
        Field::optional(
            "credentials",
            Scalar(S::Bool),
            "Whether with cookies and the like.",
        )
        .or("false"),
        Field::optional(
            "methods",
            List(&Scalar(S::Method)),
            "Beside GET, HEAD and POST; or *.",
        )
        .or("[]"),
        Field::optional(
            "headers",
            List(&Scalar(S::HeaderName)),
            "Of requests; or *.",
        )
        .or("[]"),
        Field::optional(
            "expose",
            List(&Scalar(S::HeaderName)),
            "Of responses; or *.",
        )
        .or("[]"),
        Field::optional(
            "max_age",
            Scalar(S::Seconds),
            "How long a preflight's answer holds.",
        )
        .or("\"5s\""),
    ],
);
