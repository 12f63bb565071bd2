//! The language: every key of a configuration, once. The lenient pass and the JSON Schema are both
//! made from it; `read` asks for the same keys.

use crate::scalar::Scalar as S;
use crate::shape::Shape::{Either, List, Map, Mapping as Keys, OneOrMany, Scalar};
use crate::shape::{Field, Mapping, Rule, Shape};

mod access;
mod app;
mod balance;
mod breakers;
mod defence;
mod dns;
mod fallback;
mod fault;
mod log;
mod mirror;
mod outliers;
mod overload;
mod proxy_protocol;
mod rate_limit;
mod retry;
mod route;
mod split;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod zone;

use access::ACCESS_LOG;
use app::APP;
use dns::DNS;
use proxy_protocol::PROXY_PROTOCOL;
use tls::TLS;
use zone::ZONE;

/// The number that this version reads.
pub(crate) const SCHEMA: u32 = 1;

/// A whole document.
pub(crate) static ROOT: Shape = Keys(&DOCUMENT);

static DOCUMENT: Mapping = Mapping::new(
    "a configuration",
    &[
        Field::required(
            "schema",
            Scalar(S::Whole(SCHEMA, SCHEMA)),
            "The number of this language.",
        ),
        Field::optional(
            "node",
            Keys(&NODE),
            "This node alone; nothing in here is shared.",
        ),
        Field::optional(
            "listeners",
            Keys(&LISTENERS),
            "Addresses to accept on. Without it one of each on loopback; with it, exactly what is written.",
        ),
        Field::optional("data", Keys(&DATA), "Large inputs."),
        Field::optional(
            "regions",
            Map(S::Name, &REGION),
            "Where clusters stand, by name.",
        ),
        Field::optional(
            "clusters",
            Map(S::Name, &CLUSTER),
            "Member clusters and sites, by name.",
        ),
        Field::optional("apps", Map(S::Name, &APP), "What clients reach, by name."),
        Field::optional(
            "zones",
            Map(S::Domain, &ZONE),
            "DNS name spaces we answer for, by apex.",
        ),
        Field::optional("safety", Keys(&SAFETY), "Rules that hold for every change."),
        Field::optional("tls", Keys(&TLS), "Certificates, and how HTTPS is spoken."),
    ],
);

static NODE: Mapping = Mapping::new(
    "`node`",
    &[
        Field::optional("name", Scalar(S::Name), "The name of this node.").or("\"n1\""),
        Field::optional("region", Scalar(S::Name), "The region it stands in."),
        Field::optional(
            "home",
            Scalar(S::Name),
            "The cluster it stands in, if it is an edge of one.",
        ),
        Field::optional(
            "data_dir",
            Scalar(S::Path),
            "Where it keeps its journal, its lock and what it remembers, relative to the working directory.",
        )
        .or("\"./windrose-data\""),
        Field::optional(
            "threads",
            Scalar(S::Whole(1, 1_024)),
            "Threads of the data path; one per core when absent.",
        ),
        Field::optional(
            "trusted_proxies",
            List(&Scalar(S::Cidr)),
            "Whose X-Forwarded-For is believed.",
        )
        .or("[]"),
        Field::optional(
            "proxy_protocol",
            Keys(&PROXY_PROTOCOL),
            "Whose connections begin with a PROXY header, by listener.",
        ),
        Field::optional(
            "resolvers",
            List(&Scalar(S::Socket)),
            "Whom to ask about the targets of ALIAS records, as ip:port; without it the system's resolvers.",
        )
        .or("[]"),
        Field::optional(
            "http",
            Keys(&HTTP),
            "Bounds of request heads and idle connections.",
        ),
        Field::optional(
            "overload",
            Keys(&overload::OVERLOAD),
            "From where on it refuses for want of memory, connections or time; written, it is on.",
        ),
        Field::optional("dns", Keys(&DNS), "How it speaks DNS, whatever it answers."),
    ],
);

static HTTP: Mapping = Mapping::new(
    "`node.http`",
    &[
        Field::optional("max_head", Scalar(S::Size), "Of a request head.").or("\"64KiB\""),
        Field::optional("max_fields", Scalar(S::Whole(1, 10_000)), "Header fields.").or("100"),
        Field::optional("head_timeout", Scalar(S::Duration), "For a whole head.").or("\"10s\""),
        Field::optional("idle_timeout", Scalar(S::Duration), "Between two requests.").or("\"75s\""),
        Field::optional("http2", Keys(&HTTP2), "HTTP/2 to clients."),
        Field::optional(
            "send_timeout",
            Scalar(S::Duration),
            "For a client that takes nothing of its response; 0s is 5 minutes.",
        )
        .or("\"60s\""),
        Field::optional(
            "underscores",
            Scalar(S::Choice(&["drop", "refuse", "allow"])),
            "What is done with fields of requests whose name has an underscore.",
        )
        .or("drop"),
        Field::optional("log", Keys(&ACCESS_LOG), "The access log."),
    ],
);

static HTTP2: Mapping = Mapping::new(
    "`node.http.http2`",
    &[
        Field::optional("enabled", Scalar(S::Bool), "Whether it is spoken.").or("true"),
        Field::optional(
            "max_streams",
            Scalar(S::Whole(1, 1_000)),
            "Open streams of a connection.",
        )
        .or("100"),
        Field::optional(
            "window_timeout",
            Scalar(S::Duration),
            "How long a response waits for a client that takes too little of it.",
        )
        .or("\"30s\""),
    ],
);

static LISTENERS: Mapping = Mapping::new(
    "`listeners`",
    &[
        Field::optional("dns", List(&Scalar(S::Socket)), "DNS over UDP and TCP."),
        Field::optional("http", List(&Scalar(S::Socket)), "HTTP."),
        Field::optional(
            "https",
            List(&Scalar(S::Socket)),
            "HTTPS; needs `tls.certificates`.",
        ),
        Field::optional(
            "admin",
            Scalar(S::Socket),
            "Metrics and status, to read only.",
        ),
        Field::later("dot"),
        Field::later("doh"),
        Field::optional(
            "tcp",
            Map(S::Name, &List(&Scalar(S::Socket))),
            "TCP, by name: apps say which of them they take connections of.",
        ),
    ],
);

static DATA: Mapping = Mapping::new(
    "`data`",
    &[
        Field::optional(
            "geo",
            Scalar(S::Path),
            "Where countries come from: builtin, none, or a MaxMind-format file relative to this one.",
        )
        .or("\"builtin\""),
        Field::optional(
            "asn",
            Scalar(S::Path),
            "Where autonomous systems come from, if not from `geo`: a MaxMind-format file relative to this one.",
        ),
        Field::optional(
            "lists",
            Map(S::Name, &Scalar(S::Path)),
            "Lists of prefixes by name: files with one prefix or address a line, relative to this one.",
        ),
        Field::optional(
            "users",
            Map(S::Name, &Scalar(S::Path)),
            "Lists of users by name: files with one user a line, relative to this one.",
        ),
        Field::optional(
            "latency",
            Scalar(S::Path),
            "Round-trip times: a file of lines from,to,rtt_ms, relative to this one.",
        ),
    ],
);

static REGION: Shape = Keys(&Mapping::new(
    "a region",
    &[
        Field::required("lat", Scalar(S::Number(-90, 90)), "Latitude in degrees."),
        Field::required("lon", Scalar(S::Number(-180, 180)), "Longitude in degrees."),
        Field::optional("country", Scalar(S::Country), "The country it lies in."),
    ],
));

static CLUSTER: Shape = Keys(&Mapping::new(
    "a cluster",
    &[
        Field::required("region", Scalar(S::Name), "Where it stands."),
        Field::optional(
            "addresses",
            List(&Scalar(S::Ip)),
            "What DNS answers: where clients connect in that cluster, usually its Windrose edge.",
        )
        .or("[]"),
        Field::optional("class", Scalar(S::Name), "A label such as base or burst."),
        Field::optional("cost", Scalar(S::Number(0, 1_000_000)), "Relative cost.").or("1.0"),
        Field::optional(
            "dial",
            Scalar(S::Percent),
            "Percent of its traffic it may take.",
        )
        .or("100"),
        Field::optional("drain", Scalar(S::Bool), "Takes no new traffic.").or("false"),
    ],
));

static SAFETY: Mapping = Mapping::new(
    "`safety`",
    &[Field::optional(
        "min_clusters_on",
        Scalar(S::Whole(0, 255)),
        "Every app keeps at least this many clusters neither drained nor dialed to 0.",
    )
    .or("1")],
);

/// Clusters from the most wanted; an item that is a list names equals.
const PREFERENCE: Shape = List(&Either(S::Name, &List(&Scalar(S::Name))));
